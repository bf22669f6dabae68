// Messages and tools of a chat request, checked and made what templates know. Used by chat_prompt.cpp.
#pragma once

#include "api/fields.h"

namespace tetrad {

// OpenAI's messages for the template: developer is system, system messages at the beginning are one, parts of text
// only, `reasoning` is reasoning_content.
ApiResult<Json> read_messages(const Fields& body);

// The tools the model may call: none for tool_choice none. A choice that has to be enforced is refused.
ApiResult<Json> read_tools(const Fields& body);

}  // namespace tetrad
