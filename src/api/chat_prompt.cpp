#include "api/chat_prompt.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "api/chat_messages.h"
#include "api/thought_budget.h"

namespace tetrad {
namespace {

constexpr const char* kThinkBegin = "<think>";
constexpr const char* kThinkEnd = "</think>";

// Everything the template gets.
ApiResult<Json> template_variables(const Fields& body, const Json& messages, const Json& tools,
                                   bool generation_prompt) {
  if (body.find("input_ids") != nullptr) return bad_field("input_ids", "goes with /generate, a chat has messages");
  if (body.find("chat_template") != nullptr)
    return bad_field("chat_template", "the model's own template is used, no other");
  const Json* extra = TETRAD_API_TRY(body.object("chat_template_kwargs"));
  Json variables = extra == nullptr ? Json::object() : *extra;
  if (const Json* effort = body.find("reasoning_effort")) {
    if (!effort->is_string() && !effort->is_number())
      return bad_field("reasoning_effort", "must be a text or a number");
    variables["reasoning_effort"] = *effort;
  }
  if (const Json* documents = TETRAD_API_TRY(body.array("documents"))) variables["documents"] = *documents;
  variables["messages"] = messages;
  variables["tools"] = tools.empty() ? Json() : tools;
  variables["add_generation_prompt"] = generation_prompt;
  return variables;
}

// The prompt up to the end of its last message's text, so that the model writes on there.
ApiResult<std::string> cut_behind_last(std::string text, const Json& message) {
  if (message["role"] != "assistant")
    return bad_field("continue_final_message", "the last message must be the assistant's");
  std::string last;
  if (message["content"].is_string()) last = message["content"].get<std::string>();
  for (const Json& part : message["content"].is_array() ? message["content"] : Json::array())
    last += part["text"].get<std::string>();
  if (last.empty() && message.contains("reasoning_content")) last = message["reasoning_content"].get<std::string>();
  const auto end = last.find_last_not_of(" \t\r\n");
  if (end == std::string::npos) return bad_field("continue_final_message", "the last message is empty");
  std::size_t size = last.size();
  std::size_t at = text.rfind(last);
  if (at == std::string::npos) at = text.rfind(last.substr(0, size = end + 1));  // templates may trim
  if (at == std::string::npos)
    return bad_field("continue_final_message", "the template doesn't show the last message as it is");
  text.resize(at + size);
  return text;
}

bool ends_in_thought(const std::string& text, bool continues) {
  const std::size_t begin = text.rfind(kThinkBegin), end = text.rfind(kThinkEnd);
  if (continues) return begin != std::string::npos && (end == std::string::npos || begin > end);
  const std::size_t last = text.find_last_not_of(" \t\r\n");
  return last == std::string::npos || !std::string_view(text).substr(0, last + 1).ends_with(kThinkEnd);
}

}  // namespace

ApiResult<ChatPrompt> read_chat_prompt(const Json& json, const Context& context) {
  if (!context.chat_template) return bad_field("messages", "the model has no chat template, use /v1/completions");
  const Fields body(json);
  ChatPrompt prompt;
  const Json messages = TETRAD_API_TRY(read_messages(body));
  ToolUse use = TETRAD_API_TRY(read_tools(body));
  const bool continues = TETRAD_API_TRY(body.boolean("continue_final_message", false));
  const bool begins = TETRAD_API_TRY(body.boolean("add_generation_prompt", !continues));
  if (continues && begins) return bad_field("continue_final_message", "does not go with add_generation_prompt");
  prompt.single_call = use.single_call;
  prompt.separate_reasoning = TETRAD_API_TRY(body.boolean("separate_reasoning", true));
  prompt.stream_reasoning = TETRAD_API_TRY(body.boolean("stream_reasoning", true));
  prompt.include_reasoning = TETRAD_API_TRY(body.boolean("include_reasoning", true));
  for (const char* key : {"thinking_token_budget", "thinking_budget_tokens"})
    if (const auto budget = TETRAD_API_TRY(body.integer(key, -1))) prompt.thought_budget = *budget;
  const Json variables = TETRAD_API_TRY(template_variables(body, messages, *use.tools, begins));
  auto rendered = context.chat_template->render(variables);
  if (!rendered) return tl::unexpected(from_error(rendered.error(), "messages"));
  prompt.text = std::move(*rendered);
  if (continues) prompt.text = TETRAD_API_TRY(cut_behind_last(std::move(prompt.text), messages.back()));
  prompt.ids = context.tokenizer.encode(prompt.text, false);
  prompt.in_thought = ends_in_thought(prompt.text, continues);
  if (!use.tools->empty()) prompt.tools = use.tools;
  prompt.use = std::move(use);
  return prompt;
}

ApiStatus constrain_chat(Context& context, const GenerationFields& wanted, const ChatPrompt& prompt, Plan& plan) {
  const auto format = TETRAD_API_TRY(with_tools(wanted.format, prompt.use, context.options.tools));
  const std::int32_t think_end = plan.choice.think_end;
  if (format) TETRAD_API_TRY(constrain(context, *format, think_end, plan));
  if (prompt.thought_budget >= 0 && think_end >= 0)
    for (EngineRequest& request : plan.requests)
      request.constraint = limit_thought(prompt.thought_budget, think_end, std::move(request.constraint));
  return {};
}

void set_parser(const Context& context, const ChatPrompt& prompt, ChoiceOptions& options) {
  OutputParser::Options parser;
  if (prompt.in_thought && prompt.separate_reasoning) parser.reasoning = context.options.reasoning;
  parser.tools = context.options.tools;
  parser.functions = prompt.tools;
  options.parser = std::move(parser);
  options.single_call = prompt.single_call;
  if (prompt.in_thought && context.options.reasoning != ReasoningParser::kNone)
    options.think_end = context.tokenizer.token_id(kThinkEnd).value_or(-1);
}

}  // namespace tetrad
