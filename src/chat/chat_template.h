// A model's own chat template: messages and tools in, the prompt text out. Used by the command line, calib/ and eval/.
//
// Templates are looked for where transformers looks: chat_template.jinja, then chat_template.json, then "chat_template"
// in tokenizer_config.json, which may be a list of named templates; of these "tool_use" is taken when there are tools.
//
// Immutable; copies share the parsed templates, and many threads may render at once.
#pragma once

#include <filesystem>
#include <memory>
#include <string>

#include "base/error.h"
#include "base/json.h"

namespace tetrad {

class ChatTemplate {
 public:
  // `model_directory` in Hugging Face layout. Fails when there is no template or it can't be parsed.
  static Result<ChatTemplate> load(const std::filesystem::path& model_directory);

  // `variables`: an object with the template's variables ("messages", "tools", "add_generation_prompt", ...). As
  // apply_chat_template of transformers 5 does, tools and documents are none and add_generation_prompt is false unless
  // given, and the model's special tokens (bos_token, eos_token, ...) are variables. `arguments` of tool calls that are
  // JSON text, as in OpenAI's API, become objects. Fails (kInvalidInput) where the template does.
  Result<std::string> render(const Json& variables) const;

 private:
  struct Parsed;
  explicit ChatTemplate(std::shared_ptr<const Parsed> parsed) : parsed_(std::move(parsed)) {}
  std::shared_ptr<const Parsed> parsed_;
};

}  // namespace tetrad
