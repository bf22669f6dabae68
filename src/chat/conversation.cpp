#include "chat/conversation.h"

#include <algorithm>
#include <nlohmann/json.hpp>

namespace tetrad {
namespace {

Result<std::string> optional_text(const Json& object, const char* key, const std::string& where) {
  const auto found = object.find(key);
  if (found == object.end() || found->is_null()) return std::string();
  if (!found->is_string())
    return invalid_input("bad conversation", where, std::string("\"") + key + "\" is not a text");
  return found->get<std::string>();
}

Status check_message(const Json& message, std::size_t number, const std::string& where) {
  const std::string place = where + ": messages[" + std::to_string(number) + "]";
  if (!message.is_object()) return invalid_input("bad conversation", place, "not an object");
  const auto role = message.find("role");
  if (role == message.end() || !role->is_string())
    return invalid_input("bad conversation", place, "\"role\" is missing or not a text");
  const auto content = message.find("content");
  if (content != message.end() && !content->is_string() && !content->is_array() && !content->is_null())
    return invalid_input("bad conversation", place, "\"content\" is neither text nor a list of parts");
  return {};
}

bool has_system_message(const Json& messages) { return messages[0]["role"] == "system"; }

Result<SystemPrompt> system_prompt_of(const Json& item, const std::string& where) {
  if (item.is_string()) return SystemPrompt{item.get<std::string>(), {}};
  if (!item.is_object() || !item.contains("text") || !item["text"].is_string())
    return invalid_input("bad system prompts", where, "neither a text nor an object with a \"text\"");
  SystemPrompt prompt{item["text"].get<std::string>(), {}};
  if (const auto use = item.find("use"); use != item.end()) {
    if (!use->is_array()) return invalid_input("bad system prompts", where, "\"use\" is not a list of categories");
    for (const Json& category : *use) {
      if (!category.is_string()) return invalid_input("bad system prompts", where, "\"use\" holds what is not a text");
      prompt.categories.push_back(category.get<std::string>());
    }
  }
  return prompt;
}

}  // namespace

Result<Conversation> parse_conversation(std::string_view line, const std::string& where) {
  auto body = std::make_shared<Json>(TETRAD_TRY(parse_json(line, where)));
  if (!body->is_object()) return invalid_input("bad conversation", where, "expected a JSON object");
  const auto messages = body->find("messages");
  if (messages == body->end() || !messages->is_array() || messages->empty())
    return invalid_input("bad conversation", where, "\"messages\" is missing, empty or not a list");
  for (std::size_t i = 0; i < messages->size(); ++i) TETRAD_TRY(check_message((*messages)[i], i, where));
  if (const auto tools = body->find("tools"); tools != body->end() && !tools->is_array() && !tools->is_null())
    return invalid_input("bad conversation", where, "\"tools\" is not a list");
  Conversation conversation;
  conversation.id = TETRAD_TRY(optional_text(*body, "id", where));
  conversation.category = TETRAD_TRY(optional_text(*body, "category", where));
  conversation.body = std::move(body);
  return conversation;
}

bool SystemPrompt::suits(std::string_view category) const {
  return categories.empty() || std::find(categories.begin(), categories.end(), category) != categories.end();
}

Result<std::vector<SystemPrompt>> read_system_prompts(const std::filesystem::path& path) {
  const Json json = TETRAD_TRY(read_json_file(path));
  if (!json.is_array() || json.empty())
    return invalid_input("bad system prompts", path.string(), "expected a list of texts that is not empty");
  std::vector<SystemPrompt> prompts;
  for (const Json& item : json)
    prompts.push_back(TETRAD_TRY(system_prompt_of(item, path.string() + " entry " + std::to_string(prompts.size()))));
  return prompts;
}

Conversation with_system_prompt(const Conversation& conversation, const std::string& prompt) {
  Json body = *conversation.body;
  Json& messages = body["messages"];
  const bool has_system = has_system_message(messages);
  if (prompt.empty()) {
    if (has_system) messages.erase(0);
  } else if (has_system) {
    messages[0]["content"] = prompt;
  } else {
    messages.insert(messages.begin(), Json{{"role", "system"}, {"content", prompt}});
  }
  return {conversation.id, conversation.category, std::make_shared<const Json>(std::move(body))};
}

Result<std::string> render_conversation(const ChatTemplate& chat_template, const Conversation& conversation,
                                        const std::string& where) {
  const Json& body = *conversation.body;
  Json variables = {{"messages", body["messages"]}};
  if (const auto tools = body.find("tools"); tools != body.end() && !tools->empty()) variables["tools"] = *tools;
  auto text = chat_template.render(variables);
  if (!text) {
    Error error = std::move(text).error();
    error.message = "can't render a conversation: " + where + ": " + error.message;
    return Unexpected(std::move(error));
  }
  return text;
}

Result<ConversationReader> ConversationReader::open(const std::filesystem::path& path) {
  ConversationReader reader;
  reader.file_ = TETRAD_TRY(MappedFile::open(path));
  return reader;
}

Result<std::optional<Conversation>> ConversationReader::next() {
  const auto bytes = file_.bytes();
  const std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  while (offset_ < text.size()) {
    const std::size_t end = std::min(text.find('\n', offset_), text.size());
    const std::string_view line = text.substr(offset_, end - offset_);
    offset_ = end + 1;
    ++line_;
    if (line.find_first_not_of(" \t\r") == std::string_view::npos) continue;
    return std::optional(
        TETRAD_TRY(parse_conversation(line, file_.path().string() + " line " + std::to_string(line_))));
  }
  return std::optional<Conversation>();
}

}  // namespace tetrad
