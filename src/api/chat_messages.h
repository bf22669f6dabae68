// Messages and tools of a chat request, checked and made what templates know. Used by chat_prompt.cpp.
#pragma once

#include <memory>

#include "api/fields.h"

namespace tetrad {

// OpenAI's messages for the template: developer is system, system messages at the beginning are one, parts of text
// only, `reasoning` is reasoning_content.
ApiResult<Json> read_messages(const Fields& body);

struct ToolUse {
  std::shared_ptr<const Json> tools;  // a list, those the model may call: none for tool_choice none
  bool required = false;              // it has to call one
  std::string name;                   // it has to call this one
  bool single_call = false;           // parallel_tool_calls false
};
// tools, tool_choice, parallel_tool_calls.
ApiResult<ToolUse> read_tools(const Fields& body);

}  // namespace tetrad
