#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "audit/inspect.h"
#include "audit/verify.h"
#include "cli/command.h"

namespace tetrad {
namespace {

struct InspectFlags {
  std::string model, against, json;
  bool tensors = false;
};

}  // namespace

void register_inspect(CLI::App& app, const CommonFlags& common, Action& action) {
  auto* command = add_command(app, common, "inspect", "what a checkpoint is: architecture, bytes, memory to serve");
  auto flags = std::make_shared<InspectFlags>();
  command->add_option("model", flags->model, "model directory")->required();
  command->add_option("--json", flags->json, "write the result as JSON (- is stdout)");
  command->add_flag("--tensors", flags->tensors, "list every tensor");
}

}  // namespace tetrad
