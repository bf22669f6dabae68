// A request of OpenAI's Responses API as one of its chat API. Used by responses.cpp.
#pragma once

#include "api/fields.h"

namespace tetrad {

// instructions, input, tools, tool_choice, parallel_tool_calls, reasoning, text. What needs a server that remembers
// (previous_response_id, conversation, background) or that calls tools itself is refused.
ApiResult<Json> read_responses_request(const Json& body);

}  // namespace tetrad
