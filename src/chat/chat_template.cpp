#include "chat/chat_template.h"

#include <array>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>

#include "base/files.h"
#include "jinja/template.h"

namespace tetrad {

namespace fs = std::filesystem;

struct ChatTemplate::Parsed {
  std::string where;                                 // the file, for errors
  std::map<std::string, jinja::Template> templates;  // by name; a single one is "default"
  Json special_tokens = Json::object();              // variable -> text
};

namespace {

constexpr std::uint64_t kMaxTemplateBytes = std::uint64_t{16} << 20;
constexpr std::uint64_t kMaxConfigBytes = std::uint64_t{256} << 20;
constexpr std::array kSpecialTokens = {"bos_token", "eos_token", "unk_token", "sep_token",
                                       "pad_token", "cls_token", "mask_token"};

using Templates = std::map<std::string, jinja::Template>;

// An object from a file that may be missing: then empty.
Result<Json> read_optional_object(const fs::path& path) {
  std::error_code ignored;
  if (!fs::exists(path, ignored)) return Json::object();
  Json json = TETRAD_TRY(read_json_file(path, kMaxConfigBytes));
  if (!json.is_object()) return invalid_input("bad tokenizer configuration", path.string(), "expected a JSON object");
  return json;
}

// "</s>" or {"content": "</s>", ...}; null and absent ones stay undefined in the template.
void add_special_tokens(const Json& config, Json& tokens) {
  for (const char* name : kSpecialTokens) {
    const auto found = config.find(name);
    if (found == config.end() || tokens.contains(name)) continue;
    if (found->is_string()) {
      tokens[name] = *found;
    } else if (found->is_object()) {
      const auto content = found->find("content");
      if (content != found->end() && content->is_string()) tokens[name] = *content;
    }
  }
}

Status add_template(Templates& templates, const std::string& name, const std::string& source,
                    const std::string& where) {
  templates.insert_or_assign(name, TETRAD_TRY(jinja::Template::parse(source, where)));
  return {};
}

// The value of "chat_template": a text, or [{"name": ..., "template": ...}, ...].
Status add_configured(Templates& templates, const Json& value, const std::string& where) {
  if (value.is_string()) return add_template(templates, "default", value.get_ref<const std::string&>(), where);
  if (!value.is_array()) return invalid_input("bad chat_template", where, "expected a text or a list of templates");
  for (const Json& item : value) {
    const bool is_entry = item.is_object() && item.contains("name") && item["name"].is_string() &&
                          item.contains("template") && item["template"].is_string();
    if (!is_entry) return invalid_input("bad chat_template", where, "a list entry lacks \"name\" or \"template\"");
    const auto& name = item["name"].get_ref<const std::string&>();
    TETRAD_TRY(add_template(templates, name, item["template"].get_ref<const std::string&>(), where + ": " + name));
  }
  return {};
}

Status parse_arguments(Json& call, const std::string& where) {
  if (!call.is_object()) return {};
  Json& holder = call.contains("function") && call["function"].is_object() ? call["function"] : call;
  const auto arguments = holder.find("arguments");
  if (arguments == holder.end() || !arguments->is_string()) return {};
  const std::string text = arguments->get<std::string>();
  if (text.find_first_not_of(" \t\r\n") == std::string::npos) {
    *arguments = Json::object();  // what OpenAI's clients send for a call without arguments
    return {};
  }
  auto parsed = parse_json(text, where + ".arguments");
  if (!parsed) return Unexpected(std::move(parsed).error());
  if (!parsed->is_object())
    return invalid_input("bad tool call", where, "its arguments are not a JSON object: " + text.substr(0, 60));
  *arguments = std::move(*parsed);
  return {};
}

Status parse_tool_arguments(Json& variables) {
  const auto messages = variables.find("messages");
  if (messages == variables.end() || !messages->is_array()) return {};
  for (std::size_t m = 0; m < messages->size(); ++m) {
    Json& message = (*messages)[m];
    if (!message.is_object() || !message.contains("tool_calls") || !message["tool_calls"].is_array()) continue;
    Json& calls = message["tool_calls"];
    for (std::size_t c = 0; c < calls.size(); ++c)
      TETRAD_TRY(
          parse_arguments(calls[c], "messages[" + std::to_string(m) + "].tool_calls[" + std::to_string(c) + "]"));
  }
  return {};
}

}  // namespace

Result<ChatTemplate> ChatTemplate::load(const fs::path& model_directory) {
  auto parsed = std::make_shared<Parsed>();
  const fs::path config_path = model_directory / "tokenizer_config.json";
  const Json config = TETRAD_TRY(read_optional_object(config_path));
  add_special_tokens(config, parsed->special_tokens);
  add_special_tokens(TETRAD_TRY(read_optional_object(model_directory / "special_tokens_map.json")),
                     parsed->special_tokens);

  std::error_code ignored;
  const fs::path jinja_path = model_directory / "chat_template.jinja";
  const fs::path json_path = model_directory / "chat_template.json";
  if (fs::exists(jinja_path, ignored)) {
    parsed->where = jinja_path.string();
    const auto source = TETRAD_TRY(read_file(jinja_path, kMaxTemplateBytes));
    TETRAD_TRY(add_template(parsed->templates, "default", source, parsed->where));
  } else {
    const Json other = TETRAD_TRY(read_optional_object(json_path));
    const bool in_json = other.contains("chat_template");
    parsed->where = (in_json ? json_path : config_path).string();
    const Json& holder = in_json ? other : config;
    if (holder.contains("chat_template") && !holder["chat_template"].is_null())
      TETRAD_TRY(add_configured(parsed->templates, holder["chat_template"], parsed->where));
  }
  if (parsed->templates.empty())
    return invalid_input("no chat template", model_directory.string(),
                         "neither chat_template.jinja nor \"chat_template\" in tokenizer_config.json is there",
                         "a model without one can work with token ids and plain text");
  return ChatTemplate(std::move(parsed));
}

Result<std::string> ChatTemplate::render(const Json& variables) const {
  if (!variables.is_object()) return invalid_input("bad template variables", parsed_->where, "expected an object");
  Json all = parsed_->special_tokens;
  all["tools"] = nullptr;
  all["documents"] = nullptr;
  all["add_generation_prompt"] = false;
  all.update(variables);
  TETRAD_TRY(parse_tool_arguments(all));

  const auto& templates = parsed_->templates;
  auto chosen = all["tools"].is_null() ? templates.end() : templates.find("tool_use");
  if (chosen == templates.end()) chosen = templates.find("default");
  if (chosen == templates.end())
    return invalid_input(
        "no chat template", parsed_->where,
        "several are there, none of them is named \"default\"; the first is \"" + templates.begin()->first + "\"");
  return chosen->second.render(all);
}

}  // namespace tetrad
