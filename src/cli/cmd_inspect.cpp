#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>
#include <optional>

#include "audit/inspect.h"
#include "audit/verify.h"
#include "cli/command.h"

namespace tetrad {
namespace {

struct InspectFlags {
  std::string model, json;
  bool tensors = false;
};

struct VerifyFlags {
  std::string model, json;
  std::optional<std::filesystem::path> against;
};

Status run_inspect(const InspectFlags& flags) {
  const Model model = TETRAD_TRY(open_model(flags.model));
  const Inspection inspection = inspect(model.checkpoint, model.config);
  return write_result(flags.json, to_json(inspection, flags.tensors), to_text(inspection, flags.tensors));
}

Status run_verify(const VerifyFlags& flags, const CommonFlags& common) {
  TETRAD_TRY(check_result_files({flags.json}));
  const Compute compute = TETRAD_TRY(common.compute());
  const auto verification = TETRAD_TRY(verify_directory(flags.model, flags.against, compute.pool()));
  TETRAD_TRY(write_result(flags.json, to_json(verification), to_text(verification)));
  if (verification.good()) return {};
  return invalid_input("the checkpoint has faults", flags.model, std::to_string(verification.fault_count) + " found");
}

}  // namespace

void register_inspect(CLI::App& app, const CommonFlags& common, Action& action) {
  auto* command = add_command(app, common, "inspect", "what a checkpoint is: architecture, bytes, memory to serve");
  auto flags = std::make_shared<InspectFlags>();
  command->add_option("model", flags->model, "model directory")->required();
  command->add_flag("--tensors", flags->tensors, "list every tensor");
  command->add_option("--json", flags->json, "write the result as JSON (- is stdout)");
  command->callback([flags, &action] { action = [flags] { return run_inspect(*flags); }; });
}

void register_verify(CLI::App& app, const CommonFlags& common, Action& action) {
  auto* command =
      add_command(app, common, "verify", "faults that a loader would stumble over; exit status 1 if there are any");
  auto flags = std::make_shared<VerifyFlags>();
  command->add_option("model", flags->model, "model directory")->required();
  command->add_option("--against", flags->against, "the source: also compare values, tensor by tensor");
  command->add_option("--json", flags->json, "write the result as JSON (- is stdout)");
  command->callback([flags, &common, &action] { action = [flags, &common] { return run_verify(*flags, common); }; });
}

}  // namespace tetrad
