// A conversation as the chat routes take it, checked and rendered. Used by chat.cpp, messages.cpp and text_routes.cpp.
#pragma once

#include "api/chat_messages.h"
#include "api/fields.h"
#include "api/generation_fields.h"

namespace tetrad {

struct ChatPrompt {
  std::string text;
  std::vector<std::int32_t> ids;
  bool in_thought = true;             // whether a model that thinks goes on inside the thought
  std::shared_ptr<const Json> tools;  // that the model may call; null: none
  bool single_call = false;           // parallel_tool_calls false
  ToolUse use;
  bool separate_reasoning = true, stream_reasoning = true, include_reasoning = true;
  std::int64_t thought_budget = -1;  // tokens that the thought may have; -1: any
};

// messages, tools, tool_choice, parallel_tool_calls, chat_template_kwargs, reasoning_effort,
// separate_reasoning, stream_reasoning, include_reasoning, thinking_token_budget, continue_final_message,
// add_generation_prompt, documents of a chat body.
ApiResult<ChatPrompt> read_chat_prompt(const Json& body, const Context& context);

// Holds the plan's requests to what the fields and the tools demand; set_parser() comes before it.
ApiStatus constrain_chat(Context& context, const GenerationFields& wanted, const ChatPrompt& prompt, Plan& plan);

// How its answer is taken apart.
void set_parser(const Context& context, const ChatPrompt& prompt, ChoiceOptions& options);

}  // namespace tetrad
