#include "api/responses_request.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

namespace tetrad {
namespace {

// Text, or parts of text joined.
ApiResult<std::string> read_text(const Json& value, const std::string& name) {
  if (value.is_string()) return value.get<std::string>();
  if (!value.is_array()) return bad_field(name, "must be a text or a list of parts");
  std::string all;
  for (std::size_t p = 0; p < value.size(); ++p) {
    const std::string where = fmt::format("{}[{}]", name, p);
    if (!value[p].is_object()) return bad_field(where, "must be an object");
    const Fields part(value[p], where + ".");
    const std::string type = TETRAD_API_TRY(part.text("type")).value_or("");
    const bool known = type == "input_text" || type == "output_text" || type == "text" || type == "refusal" ||
                       type == "summary_text" || type == "reasoning_text";
    if (!known)
      return bad_field(where + ".type",
                       fmt::format("'{}' is not supported, the model takes text only", printable(type, 40)));
    const auto text = TETRAD_API_TRY(part.text(type == "refusal" ? "refusal" : "text"));
    if (!text) return bad_field(where + ".text", "is missing");
    all += *text;
  }
  return all;
}

// Items one after the other become messages; a thought and calls belong to one message of the assistant.
class Conversation {
 public:
  ApiStatus add(const Json& item, const std::string& name) {
    if (!item.is_object()) return bad_field(name, "must be an object");
    const Fields fields(item, name + ".");
    const std::string type = TETRAD_API_TRY(fields.text("type")).value_or("message");
    if (type == "message") return add_message(item, fields, name);
    if (type == "reasoning") return add_thought(fields);
    if (type == "function_call") return add_call(fields);
    if (type == "function_call_output") return add_output(fields);
    return bad_field(name + ".type", fmt::format("'{}' is not supported", printable(type, 40)));
  }

  Json messages = Json::array();

 private:
  ApiStatus add_message(const Json& item, const Fields& fields, const std::string& name) {
    const std::string role = TETRAD_API_TRY(fields.text("role")).value_or("");
    if (role != "user" && role != "assistant" && role != "system" && role != "developer")
      return bad_field(name + ".role",
                       fmt::format("'{}' is not user, assistant, system or developer", printable(role, 40)));
    if (fields.find("content") == nullptr) return bad_field(name + ".content", "is missing");
    std::string text = TETRAD_API_TRY(read_text(item["content"], name + ".content"));
    if (role != "assistant")
      messages.push_back({{"role", role}, {"content", std::move(text)}});
    else
      assistant()["content"] = std::move(text);
    return {};
  }

  ApiStatus add_thought(const Fields& fields) {
    std::string thought;
    for (const char* key : {"content", "summary"})
      if (const Json* parts = fields.find(key); parts != nullptr && thought.empty())
        thought = TETRAD_API_TRY(read_text(*parts, fields.name(key)));
    messages.push_back({{"role", "assistant"}, {"content", ""}});
    if (!thought.empty()) messages.back()["reasoning_content"] = std::move(thought);
    return {};
  }

  ApiStatus add_call(const Fields& fields) {
    const auto id = TETRAD_API_TRY(fields.text("call_id"));
    const auto function = TETRAD_API_TRY(fields.text("name"));
    const auto arguments = TETRAD_API_TRY(fields.text("arguments"));
    if (!function || function->empty()) return bad_field(fields.name("name"), "is missing");
    Json& message = messages.empty() || messages.back()["role"] != "assistant" ? assistant() : messages.back();
    message["tool_calls"].push_back({{"id", id.value_or("")},
                                     {"type", "function"},
                                     {"function", {{"name", *function}, {"arguments", arguments.value_or("{}")}}}});
    return {};
  }

  ApiStatus add_output(const Fields& fields) {
    const auto id = TETRAD_API_TRY(fields.text("call_id"));
    if (!id) return bad_field(fields.name("call_id"), "is missing");
    const Json* output = fields.find("output");
    if (output == nullptr) return bad_field(fields.name("output"), "is missing");
    std::string text = TETRAD_API_TRY(read_text(*output, fields.name("output")));
    messages.push_back({{"role", "tool"}, {"tool_call_id", *id}, {"content", std::move(text)}});
    return {};
  }

  // The assistant's message that is being put together: behind a thought it goes on.
  Json& assistant() {
    const bool open = !messages.empty() && messages.back()["role"] == "assistant" && messages.back()["content"] == "" &&
                      !messages.back().contains("tool_calls");
    if (!open) messages.push_back({{"role", "assistant"}, {"content", ""}});
    return messages.back();
  }
};

// Tools that OpenAI's servers run by themselves, which clients list without asking: the model just does not have them.
bool runs_elsewhere(const std::string& type) {
  return type.starts_with("web_search") || type.starts_with("computer") || type == "file_search" ||
         type == "code_interpreter" || type == "image_generation";
}

ApiStatus read_responses_tools(const Fields& body, Json& chat) {
  const Json* tools = TETRAD_API_TRY(body.array("tools"));
  if (tools == nullptr) return {};
  chat["tools"] = Json::array();
  for (std::size_t t = 0; t < tools->size(); ++t) {
    const std::string name = fmt::format("tools[{}]", t);
    const Json& tool = (*tools)[t];
    if (!tool.is_object()) return bad_field(name, "must be an object");
    const Fields fields(tool, name + ".");
    const std::string type = TETRAD_API_TRY(fields.text("type")).value_or("");
    if (runs_elsewhere(type)) continue;
    if (type != "function")
      return bad_field(name + ".type", fmt::format("'{}' is not supported, only 'function'", printable(type, 40)));
    Json function = Json::object();
    for (const char* key : {"name", "description", "parameters", "strict"})
      if (const Json* value = fields.find(key)) function[key] = *value;
    if (!function.contains("name")) return bad_field(name + ".name", "is missing");
    chat["tools"].push_back({{"type", "function"}, {"function", std::move(function)}});
  }
  return {};
}

ApiStatus read_format(const Fields& body, Json& chat) {
  const Json* text = TETRAD_API_TRY(body.object("text"));
  if (text == nullptr) return {};
  const Json* format = TETRAD_API_TRY(Fields(*text, "text.").object("format"));
  if (format == nullptr) return {};
  const std::string type = TETRAD_API_TRY(Fields(*format, "text.format.").text("type")).value_or("");
  if (type != "text" && type != "json_object" && type != "json_schema")
    return bad_field("text.format.type",
                     fmt::format("'{}' is not text, json_object or json_schema", printable(type, 40)));
  chat["response_format"] = {{"type", type}};
  if (type != "json_schema") return {};
  if (!format->contains("schema")) return bad_field("text.format.schema", "is missing");
  chat["response_format"]["json_schema"] = {{"schema", (*format)["schema"]}};
  return {};
}

}  // namespace

ApiResult<Json> read_responses_request(const Json& json) {
  const Fields body(json);
  for (const char* key : {"previous_response_id", "conversation", "prompt"})
    if (body.find(key) != nullptr)
      return bad_field(key, "is not supported: this server keeps no state, send all of the input");
  if (TETRAD_API_TRY(body.boolean("background", false)))
    return bad_field("background", "is not supported: this server keeps no state");
  Conversation conversation;
  if (const auto instructions = TETRAD_API_TRY(body.text("instructions")))
    conversation.messages.push_back({{"role", "system"}, {"content", *instructions}});
  const Json* input = body.find("input");
  if (input == nullptr) return bad_field("input", "is missing");
  if (input->is_string()) {
    conversation.messages.push_back({{"role", "user"}, {"content", *input}});
  } else if (input->is_array()) {
    for (std::size_t i = 0; i < input->size(); ++i)
      TETRAD_API_TRY(conversation.add((*input)[i], fmt::format("input[{}]", i)));
  } else {
    return bad_field("input", "must be a text or a list of items");
  }
  if (conversation.messages.empty()) return bad_field("input", "is empty");
  Json chat = {{"messages", std::move(conversation.messages)}};
  TETRAD_API_TRY(read_responses_tools(body, chat));
  if (const Json* choice = body.find("tool_choice")) {
    const bool named = choice->is_object() && choice->value("type", "") == "function" && choice->contains("name");
    chat["tool_choice"] = named ? Json{{"type", "function"}, {"function", {{"name", (*choice)["name"]}}}} : *choice;
  }
  if (const Json* parallel = body.find("parallel_tool_calls")) chat["parallel_tool_calls"] = *parallel;
  for (const char* key : {"chat_template_kwargs", "thinking_token_budget", "thinking_budget_tokens"})
    if (const Json* value = body.find(key)) chat[key] = *value;
  if (const Json* reasoning = TETRAD_API_TRY(body.object("reasoning")))
    if (const auto effort = TETRAD_API_TRY(Fields(*reasoning, "reasoning.").text("effort")))
      chat["reasoning_effort"] = *effort;
  TETRAD_API_TRY(read_format(body, chat));
  return chat;
}

}  // namespace tetrad
