#include "api/messages_request.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

namespace tetrad {
namespace {

constexpr std::string_view kBilling = "x-anthropic-billing-header:";

std::string index_name(const std::string& name, std::size_t index) { return fmt::format("{}[{}]", name, index); }

ApiResult<std::string> text_of(const Json& block, const std::string& name) {
  const auto text = TETRAD_API_TRY(Fields(block, name + ".").text("text"));
  if (!text) return bad_field(name + ".text", "is missing");
  return *text;
}

ApiResult<std::string> type_of(const Json& block, const std::string& name) {
  if (!block.is_object()) return bad_field(name, "must be an object");
  const auto type = TETRAD_API_TRY(Fields(block, name + ".").text("type"));
  if (!type) return bad_field(name + ".type", "is missing");
  return *type;
}

tl::unexpected<ApiError> bad_type(const std::string& name, const std::string& type) {
  return bad_field(name + ".type",
                   fmt::format("'{}' is not supported here, the model takes text only", printable(type, 40)));
}

// Text, or blocks of text, one line each.
ApiResult<std::string> read_texts(const Json& value, const std::string& name) {
  if (value.is_string()) return value.get<std::string>();
  if (!value.is_array()) return bad_field(name, "must be a text or a list of blocks");
  std::string all;
  for (std::size_t b = 0; b < value.size(); ++b) {
    const std::string where = index_name(name, b);
    const std::string type = TETRAD_API_TRY(type_of(value[b], where));
    if (type != "text") return bad_type(where, type);
    all += (b == 0 ? "" : "\n") + TETRAD_API_TRY(text_of(value[b], where));
  }
  return all;
}

ApiResult<Json> read_result(const Json& block, const std::string& name) {
  const Fields fields(block, name + ".");
  const auto id = TETRAD_API_TRY(fields.text("tool_use_id"));
  if (!id) return bad_field(name + ".tool_use_id", "is missing");
  TETRAD_API_TRY(fields.boolean("is_error", false));
  const Json* content = fields.find("content");
  const std::string text = content == nullptr ? std::string() : TETRAD_API_TRY(read_texts(*content, name + ".content"));
  return Json{{"role", "tool"}, {"tool_call_id", *id}, {"content", text}};
}

// Results of tools become messages of their own, in the order of the blocks.
ApiStatus add_user(const Json& content, const std::string& name, Json& messages) {
  std::string text;
  bool any = false;
  const auto flush = [&] {
    if (any) messages.push_back({{"role", "user"}, {"content", text}});
    text.clear();
    any = false;
  };
  for (std::size_t b = 0; b < content.size(); ++b) {
    const std::string where = index_name(name, b);
    const std::string type = TETRAD_API_TRY(type_of(content[b], where));
    if (type == "tool_result") {
      flush();
      messages.push_back(TETRAD_API_TRY(read_result(content[b], where)));
    } else if (type == "text") {
      text += (any ? "\n" : "") + TETRAD_API_TRY(text_of(content[b], where));
      any = true;
    } else {
      return bad_type(where, type);
    }
  }
  flush();
  return {};
}

ApiResult<Json> read_use(const Json& block, const std::string& name) {
  const Fields fields(block, name + ".");
  const auto id = TETRAD_API_TRY(fields.text("id"));
  const auto function = TETRAD_API_TRY(fields.text("name"));
  if (!function || function->empty()) return bad_field(name + ".name", "is missing");
  const Json* input = TETRAD_API_TRY(fields.object("input"));
  return Json{{"id", id.value_or("")},
              {"type", "function"},
              {"function", {{"name", *function}, {"arguments", input == nullptr ? Json::object() : *input}}}};
}

ApiStatus add_assistant(const Json& content, const std::string& name, Json& messages) {
  std::string text, thought;
  Json calls = Json::array();
  for (std::size_t b = 0; b < content.size(); ++b) {
    const std::string where = index_name(name, b);
    const std::string type = TETRAD_API_TRY(type_of(content[b], where));
    if (type == "text") {
      text += TETRAD_API_TRY(text_of(content[b], where));
    } else if (type == "thinking") {
      thought += TETRAD_API_TRY(Fields(content[b], where + ".").text("thinking")).value_or("");
    } else if (type == "tool_use") {
      calls.push_back(TETRAD_API_TRY(read_use(content[b], where)));
    } else if (type != "redacted_thinking" && type != "server_tool_use" && !type.ends_with("_tool_result")) {
      return bad_type(where, type);  // those three are other servers' own, and nothing the model could read
    }
  }
  Json message = {{"role", "assistant"}, {"content", text}};
  if (!thought.empty()) message["reasoning_content"] = thought;
  if (!calls.empty()) message["tool_calls"] = calls;
  messages.push_back(std::move(message));
  return {};
}

ApiStatus add_message(const Json& message, const std::string& name, Json& messages) {
  if (!message.is_object()) return bad_field(name, "must be an object");
  const Fields fields(message, name + ".");
  const std::string role = TETRAD_API_TRY(fields.text("role")).value_or("");
  if (role != "user" && role != "assistant" && role != "system")
    return bad_field(name + ".role", fmt::format("'{}' is neither user nor assistant", printable(role, 40)));
  const Json* content = fields.find("content");
  if (content == nullptr) return bad_field(name + ".content", "is missing");
  if (content->is_string()) {
    messages.push_back({{"role", role}, {"content", *content}});
    return {};
  }
  if (!content->is_array()) return bad_field(name + ".content", "must be a text or a list of blocks");
  if (role == "assistant") return add_assistant(*content, name + ".content", messages);
  if (role == "user") return add_user(*content, name + ".content", messages);
  const auto text = TETRAD_API_TRY(read_texts(*content, name + ".content"));
  messages.push_back({{"role", role}, {"content", text}});
  return {};
}

ApiStatus read_messages_tools(const Fields& body, Json& chat) {
  const Json* tools = TETRAD_API_TRY(body.array("tools"));
  if (tools == nullptr) return {};
  Json list = Json::array();
  for (std::size_t t = 0; t < tools->size(); ++t) {
    const std::string name = index_name("tools", t);
    const Json& tool = (*tools)[t];
    if (!tool.is_object()) return bad_field(name, "must be an object");
    const Fields fields(tool, name + ".");
    if (TETRAD_API_TRY(fields.text("type")).value_or("custom") != "custom") continue;  // runs on Anthropic's servers
    const auto function = TETRAD_API_TRY(fields.text("name"));
    if (!function || function->empty()) return bad_field(name + ".name", "is missing");
    const Json* schema = TETRAD_API_TRY(fields.object("input_schema"));
    if (schema == nullptr) return bad_field(name + ".input_schema", "is missing");
    Json its = {{"name", *function}};
    if (const auto text = TETRAD_API_TRY(fields.text("description"))) its["description"] = *text;
    its["parameters"] = *schema;
    if (TETRAD_API_TRY(fields.boolean("strict", false))) its["strict"] = true;
    list.push_back({{"type", "function"}, {"function", std::move(its)}});
  }
  chat["tools"] = std::move(list);
  return {};
}

ApiStatus read_tool_choice(const Fields& body, Json& chat) {
  const Json* choice = TETRAD_API_TRY(body.object("tool_choice"));
  if (choice == nullptr) return {};
  const Fields fields(*choice, "tool_choice.");
  const std::string type = TETRAD_API_TRY(fields.text("type")).value_or("");
  if (type == "auto" || type == "none") {
    chat["tool_choice"] = type;
  } else if (type == "any") {
    chat["tool_choice"] = "required";
  } else if (type == "tool") {
    const auto name = TETRAD_API_TRY(fields.text("name"));
    if (!name) return bad_field("tool_choice.name", "is missing");
    chat["tool_choice"] = {{"type", "function"}, {"function", {{"name", *name}}}};
  } else {
    return bad_field("tool_choice.type", fmt::format("'{}' is not auto, any, tool or none", printable(type, 40)));
  }
  if (TETRAD_API_TRY(fields.boolean("disable_parallel_tool_use", false))) chat["parallel_tool_calls"] = false;
  return {};
}

ApiStatus read_thinking(const Fields& body, Json& chat) {
  if (const Json* thinking = TETRAD_API_TRY(body.object("thinking"))) {
    const Fields fields(*thinking, "thinking.");
    const std::string type = TETRAD_API_TRY(fields.text("type")).value_or("");
    if (type != "enabled" && type != "disabled" && type != "adaptive")
      return bad_field("thinking.type", fmt::format("'{}' is not enabled, disabled or adaptive", printable(type, 40)));
    const auto budget = TETRAD_API_TRY(fields.integer("budget_tokens", 0));
    if (budget && type != "disabled") chat["thinking_token_budget"] = *budget;
    if (type == "disabled") chat["chat_template_kwargs"] = {{"enable_thinking", false}};
  }
  const auto take_format = [&](const Fields& holder, const char* key) -> ApiStatus {
    const Json* format = TETRAD_API_TRY(holder.object(key));
    if (format == nullptr) return {};
    const Fields its(*format, holder.name(key) + ".");
    const std::string type = TETRAD_API_TRY(its.text("type")).value_or("");
    if (type != "json_schema") return bad_field(its.name("type"), "must be json_schema");
    const Json* schema = TETRAD_API_TRY(its.object("schema"));
    if (schema == nullptr) return bad_field(its.name("schema"), "is missing");
    chat["response_format"] = {{"type", "json_schema"}, {"json_schema", {{"schema", *schema}}}};
    return {};
  };
  TETRAD_API_TRY(take_format(body, "output_format"));
  const Json* config = TETRAD_API_TRY(body.object("output_config"));
  if (config == nullptr) return {};
  const Fields fields(*config, "output_config.");
  TETRAD_API_TRY(take_format(fields, "format"));
  if (const auto effort = TETRAD_API_TRY(fields.text("effort"))) chat["reasoning_effort"] = *effort;
  return {};
}

}  // namespace

std::string without_billing_value(const std::string& system) {
  std::string text = system;
  for (std::size_t line = 0; line != std::string::npos && line < text.size();) {
    const std::size_t end = std::min(text.find('\n', line), text.size());
    if (std::string_view(text).substr(line).starts_with(kBilling)) {
      const std::size_t key = text.find("cch=", line);
      if (key < end) {
        const std::size_t value = key + 4;
        const std::size_t stop = std::min(text.find_first_of("; \t\r\n", value), text.size());
        text.erase(value, stop - value);
      }
    }
    line = text.find('\n', line);
    if (line != std::string::npos) ++line;
  }
  return text;
}

ApiResult<Json> read_messages_request(const Json& json) {
  const Fields body(json);
  Json chat = Json::object();
  Json messages = Json::array();
  if (const Json* system = body.find("system")) {
    const std::string text = without_billing_value(TETRAD_API_TRY(read_texts(*system, "system")));
    if (!text.empty()) messages.push_back({{"role", "system"}, {"content", text}});
  }
  const Json* list = TETRAD_API_TRY(body.array("messages"));
  if (list == nullptr) return bad_field("messages", "is missing");
  if (list->empty()) return bad_field("messages", "is empty");
  for (std::size_t m = 0; m < list->size(); ++m)
    TETRAD_API_TRY(add_message((*list)[m], index_name("messages", m), messages));
  if (messages.empty()) return bad_field("messages", "holds no text");
  const Json& last = messages.back();
  if (last["role"] == "assistant" && !last.contains("tool_calls")) chat["continue_final_message"] = true;
  chat["messages"] = std::move(messages);
  TETRAD_API_TRY(read_messages_tools(body, chat));
  TETRAD_API_TRY(read_tool_choice(body, chat));
  TETRAD_API_TRY(read_thinking(body, chat));
  return chat;
}

bool shows_thinking(const Json& body) {
  const Json* thinking = Fields(body).find("thinking");
  return thinking == nullptr || thinking->value("type", "") != "disabled";
}

}  // namespace tetrad
