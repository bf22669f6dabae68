#include <CLI/CLI.hpp>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "base/files.h"
#include "chat/chat_template.h"
#include "cli/command.h"
#include "jinja/template.h"

namespace tetrad {
namespace {

Status run_render(const std::string& model, const std::string& input) {
  const Json variables = TETRAD_TRY(read_json_file(input));
  if (!variables.is_object()) return invalid_input("bad template variables", input, "expected a JSON object");
  if (std::filesystem::is_directory(model)) {
    const auto chat_template = TETRAD_TRY(ChatTemplate::load(model));
    return write_stdout(TETRAD_TRY(chat_template.render(variables)));
  }
  const auto source = TETRAD_TRY(read_file(model, 16 << 20));
  const auto parsed = TETRAD_TRY(jinja::Template::parse(source, model));
  return write_stdout(TETRAD_TRY(parsed.render(variables)));
}

}  // namespace

void register_render(CLI::App& app, const CommonFlags& common, Action& action) {
  auto* command = add_command(app, common, "render", "render a chat template");
  auto flags = std::make_shared<std::pair<std::string, std::string>>();
  command->add_option("model", flags->first, "model directory, or a template file")->required();
  command->add_option("--input", flags->second, "JSON object: the template's variables")->required();
  command->callback([flags, &action] { action = [flags] { return run_render(flags->first, flags->second); }; });
}

}  // namespace tetrad
