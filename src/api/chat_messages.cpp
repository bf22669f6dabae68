#include "api/chat_messages.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>

namespace tetrad {
namespace {

constexpr std::array kRoles = {"system", "developer", "user", "assistant", "tool"};

ApiResult<Json> read_part(const Json& part, const std::string& name) {
  if (part.is_string()) return Json{{"type", "text"}, {"text", part}};
  if (!part.is_object()) return bad_field(name, "must be an object");
  const Fields fields(part, name + ".");
  const std::string type = TETRAD_API_TRY(fields.text("type")).value_or("text");
  if (type != "text" && type != "input_text" && type != "output_text" && type != "refusal")
    return bad_field(name + ".type",
                     fmt::format("'{}' is not supported, the model takes text only", printable(type, 40)));
  const auto text = TETRAD_API_TRY(fields.text(type == "refusal" ? "refusal" : "text"));
  if (!text) return bad_field(name + ".text", "is missing");
  return Json{{"type", "text"}, {"text", *text}};
}

ApiResult<Json> read_content(const Fields& message, bool may_be_empty) {
  const Json* content = message.find("content");
  if (content == nullptr) {
    if (may_be_empty) return Json("");
    return bad_field(message.name("content"), "is missing");
  }
  if (content->is_string()) return *content;
  if (!content->is_array()) return bad_field(message.name("content"), "must be a text or a list of parts");
  Json parts = Json::array();
  for (std::size_t p = 0; p < content->size(); ++p)
    parts.push_back(TETRAD_API_TRY(read_part((*content)[p], fmt::format("{}[{}]", message.name("content"), p))));
  return parts;
}

ApiStatus check_call(const Json& call, const std::string& name) {
  if (!call.is_object()) return bad_field(name, "must be an object");
  const Fields fields(call, name + ".");
  const Json* function = TETRAD_API_TRY(fields.object("function"));
  if (function == nullptr) return bad_field(name + ".function", "is missing");
  const Fields its(*function, name + ".function.");
  if (TETRAD_API_TRY(its.text("name")).value_or("").empty()) return bad_field(its.name("name"), "is missing");
  const Json* arguments = its.find("arguments");
  if (arguments == nullptr) return bad_field(its.name("arguments"), "is missing");
  if (!arguments->is_string() && !arguments->is_object())
    return bad_field(its.name("arguments"), "must be JSON text or an object");
  return {};
}

ApiResult<Json> read_message(const Json& given, const std::string& name) {
  if (!given.is_object()) return bad_field(name, "must be an object");
  const Fields fields(given, name + ".");
  const std::string role = TETRAD_API_TRY(fields.text("role")).value_or("");
  if (std::find(kRoles.begin(), kRoles.end(), role) == kRoles.end())
    return bad_field(name + ".role",
                     fmt::format("'{}' is not one of system, developer, user, assistant, tool", printable(role, 40)));
  Json message = given;
  message["role"] = role == "developer" ? "system" : role;
  const Json* calls = TETRAD_API_TRY(fields.array("tool_calls"));
  if (calls == nullptr || calls->empty()) {
    message.erase("tool_calls");
  } else {
    for (std::size_t c = 0; c < calls->size(); ++c)
      TETRAD_API_TRY(check_call((*calls)[c], fmt::format("{}.tool_calls[{}]", name, c)));
  }
  message["content"] = TETRAD_API_TRY(read_content(fields, role == "assistant"));
  for (const char* key : {"reasoning", "reasoning_content"})
    if (const auto thought = TETRAD_API_TRY(fields.text(key))) message["reasoning_content"] = *thought;
  message.erase("reasoning");
  if (message.contains("reasoning_content") && message["reasoning_content"].is_null())
    message.erase("reasoning_content");
  return message;
}

std::string joined_text(const Json& content) {
  if (content.is_string()) return content.get<std::string>();
  std::string text;
  for (const Json& part : content) text += part["text"].get<std::string>();
  return text;
}

ApiStatus check_tool(const Json& tool, const std::string& name) {
  if (!tool.is_object()) return bad_field(name, "must be an object");
  const Fields fields(tool, name + ".");
  const std::string type = TETRAD_API_TRY(fields.text("type")).value_or("function");
  if (type != "function")
    return bad_field(name + ".type", fmt::format("'{}' is not supported, only 'function'", printable(type, 40)));
  const Json* function = TETRAD_API_TRY(fields.object("function"));
  if (function == nullptr) return bad_field(name + ".function", "is missing");
  const Fields its(*function, name + ".function.");
  if (TETRAD_API_TRY(its.text("name")).value_or("").empty()) return bad_field(its.name("name"), "is missing");
  TETRAD_API_TRY(its.text("description"));
  TETRAD_API_TRY(its.object("parameters"));
  TETRAD_API_TRY(its.boolean("strict", false));
  return {};
}

bool has_tool(const Json& tools, const std::string& name) {
  return std::any_of(tools.begin(), tools.end(), [&](const Json& tool) { return tool["function"]["name"] == name; });
}

ApiStatus read_choice(const Fields& body, ToolUse& use) {
  const Json* choice = body.find("tool_choice");
  if (choice == nullptr || *choice == "auto") return {};
  if (*choice == "none") {
    use.tools = std::make_shared<const Json>(Json::array());
    return {};
  }
  use.required = *choice == "required";
  if (use.required && use.tools->empty()) return bad_field("tool_choice", "'required' wants tools, and there are none");
  if (use.required) return {};
  if (!choice->is_object())
    return bad_field("tool_choice", "must be auto, none, required or an object that names a function");
  const Fields fields(*choice, "tool_choice.");
  const Json* function = TETRAD_API_TRY(fields.object("function"));
  if (function == nullptr) return bad_field("tool_choice.function", "is missing");
  use.name = TETRAD_API_TRY(Fields(*function, "tool_choice.function.").text("name")).value_or("");
  if (has_tool(*use.tools, use.name)) return {};
  return bad_field("tool_choice.function.name", fmt::format("'{}' is not among the tools", printable(use.name, 80)));
}

}  // namespace

ApiResult<Json> read_messages(const Fields& body) {
  const Json* list = TETRAD_API_TRY(body.array("messages"));
  if (list == nullptr) return bad_field("messages", "is missing");
  if (list->empty()) return bad_field("messages", "is empty");
  Json messages = Json::array();
  for (std::size_t m = 0; m < list->size(); ++m) {
    Json message = TETRAD_API_TRY(read_message((*list)[m], fmt::format("messages[{}]", m)));
    // Templates know one system message; some clients send several.
    if (m > 0 && messages.size() == 1 && message["role"] == "system" && messages[0]["role"] == "system")
      messages[0]["content"] = joined_text(messages[0]["content"]) + "\n\n" + joined_text(message["content"]);
    else
      messages.push_back(std::move(message));
  }
  return messages;
}

ApiResult<ToolUse> read_tools(const Fields& body) {
  const Json* list = TETRAD_API_TRY(body.array("tools"));
  ToolUse use;
  use.tools = std::make_shared<const Json>(list == nullptr ? Json::array() : *list);
  for (std::size_t t = 0; t < use.tools->size(); ++t)
    TETRAD_API_TRY(check_tool((*use.tools)[t], fmt::format("tools[{}]", t)));
  TETRAD_API_TRY(read_choice(body, use));
  use.single_call = !TETRAD_API_TRY(body.boolean("parallel_tool_calls", true));
  return use;
}

}  // namespace tetrad
