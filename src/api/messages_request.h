// Anthropic's requests as chat requests. Used by messages.cpp.
#pragma once

#include "api/fields.h"

namespace tetrad {

// system, messages, tools, tool_choice, thinking, output_config of /v1/messages and /v1/messages/count_tokens. A last
// message of the assistant's is gone on with. The result is the body that chat_prompt.h reads.
ApiResult<Json> read_messages_request(const Json& body);
bool shows_thinking(const Json& body);  // of a body that was read without an error

// Claude Code begins its system prompt with a line "x-anthropic-billing-header: ...cch=VALUE...", another value in each
// request, and no prefix cache would work: the value is taken out.
std::string without_billing_value(const std::string& system);

}  // namespace tetrad
