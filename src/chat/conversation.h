// Conversations as OpenAI's chat API has them, one JSON object a line: {"messages": [...], "tools": [...], "category":
// "code", "id": "..."}; messages may carry reasoning_content and tool_calls. Used by calib/ and eval/.
#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "base/files.h"
#include "base/json.h"
#include "chat/chat_template.h"

namespace tetrad {

// Immutable; copies share the body.
struct Conversation {
  std::string id, category;  // empty when the line has none
  std::shared_ptr<const Json> body;
};

// `where` ("FILE line N") begins every error. Checked: "messages" is a non-empty list of objects with a text "role" and
// a "content" of text, parts or null; "tools" is a list. What the template makes of them is the template's affair.
Result<Conversation> parse_conversation(std::string_view line, const std::string& where);

struct SystemPrompt {
  std::string text;                     // empty: no system message at all
  std::vector<std::string> categories;  // of the conversations it suits; empty: all

  bool suits(std::string_view category) const;
};

// JSON: a list of texts, or of objects {"text": "...", "use": ["category", ...]}. Never empty.
Result<std::vector<SystemPrompt>> read_system_prompts(const std::filesystem::path& path);

// The conversation under another system prompt: replaces a system message at the beginning or puts one there; an empty
// prompt takes it away.
Conversation with_system_prompt(const Conversation& conversation, const std::string& prompt);

// The whole conversation as the model would have seen and written it; no generation prompt.
Result<std::string> render_conversation(const ChatTemplate& chat_template, const Conversation& conversation,
                                        const std::string& where);

// Reads a JSONL file line by line; blank lines are skipped. Not thread-safe.
class ConversationReader {
 public:
  static Result<ConversationReader> open(const std::filesystem::path& path);
  Result<std::optional<Conversation>> next();  // nothing at the end of the file

 private:
  MappedFile file_;
  std::size_t offset_ = 0, line_ = 0;
};

}  // namespace tetrad
