#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "base/files.h"
#include "base/log.h"
#include "cli/command.h"
#include "conversion/quantize.h"

namespace tetrad {
namespace {

struct QuantizeFlags {
  QuantizeOptions options;
  std::string algorithm = "mse", precision = "f32", input_scale = "layer", json, html;
  bool dry_run = false, has_token_limit = false;
};

Status run_quantize(QuantizeFlags& flags, const CommonFlags& common) {
  QuantizeOptions& options = flags.options;
  options.algorithm = TETRAD_TRY(algorithm_from_name(flags.algorithm));
  options.calibration_precision = flags.precision == "bf16" ? Precision::kBF16 : Precision::kF32;
  options.input_scale_per_expert = flags.input_scale == "expert";
  options.calibration.seed = common.seed;
  if (options.shard_size == 0)
    return make_error(ErrorCode::kUsage, "bad shard size", "--shard-size", "files of 0 bytes hold nothing");
  TETRAD_TRY(check_result_files({flags.json, flags.html}));
  if (!options.calibration.system_prompts.empty() && options.calibration.conversations.empty())
    return make_error(ErrorCode::kUsage, "--system-prompts without --calibration", "",
                      "there are no conversations to put them before");
  const Compute compute = TETRAD_TRY(common.compute());
  std::string plan;
  const auto result = TETRAD_TRY(quantize(options, compute, {&plan, flags.dry_run}));
  if (flags.dry_run) return write_result(flags.json, to_json(result), plan);
  for (const auto& warning : result.warnings) log_warning(warning);
  if (!flags.html.empty()) TETRAD_TRY(write_file_atomically(flags.html, to_html(result)));
  return write_result(flags.json, to_json(result), to_text(result));
}

}  // namespace

void register_quantize(CLI::App& app, const CommonFlags& common, Action& action) {
  auto* command = add_command(app, common, "quantize", "quantize a checkpoint's experts to NVFP4");
  auto flags = std::make_shared<QuantizeFlags>();
  QuantizeOptions& options = flags->options;
  command->add_option("source", options.source, "FP8, BF16, F16 or F32 checkpoint (a directory)")->required();
  command->add_option("destination", options.destination, "NVFP4 checkpoint to write")->required();
  command->add_option("--recipe", options.recipe, "what becomes NVFP4 (default nvfp4-experts: the expert MLPs)");
  command->add_option("--algorithm", flags->algorithm,
                      "block scales: max, mse (default: least squared error of all 126 scales) or four-over-six");
  command->add_option("--calibration", options.calibration.conversations, "conversations, JSONL; repeatable")
      ->allow_extra_args(false);  // else it swallows the source and the destination
  command->add_option("--calibration-ids", options.calibration.ids, "token ids instead: JSON [[ids...], ...]");
  command
      ->add_option("--calibration-tokens", options.calibration.max_tokens,
                   "tokens taken from the conversations (default 65536, 0: all)")
      ->check(at_least(0), "NONNEGATIVE");
  command->add_option("--calibration-max-length", options.calibration.max_length, "longest sequence (default 2048)")
      ->check(at_least(1), "POSITIVE");
  command->add_option("--system-prompts", options.calibration.system_prompts,
                      "JSON list; each conversation gets a random one");
  command
      ->add_option("--calibration-precision", flags->precision,
                   "arithmetic of the calibration run: f32 (default) or bf16 (as PyTorch rounds)")
      ->check(CLI::IsMember({"f32", "bf16"}));
  command
      ->add_option("--input-scale", flags->input_scale,
                   "one a layer and projection (default layer, as Model Optimizer) or one an expert")
      ->check(CLI::IsMember({"layer", "expert"}));
  add_bytes_option(*command, "--memory-limit", options.memory_limit,
                   "for buffers and hidden states (default: half of the memory)");
  add_bytes_option(*command, "--shard-size", options.shard_size, "largest output file (default 10GB)");
  command->add_flag("--resume", options.resume, "continue interrupted work");
  command->add_flag("--overwrite", options.overwrite, "replace the destination when the new checkpoint is whole");
  command->add_flag("--dry-run", flags->dry_run, "print the plan, write nothing");
  command->add_option("--json", flags->json, "write the result as JSON (- is stdout)");
  command->add_option("--html", flags->html, "write a report page");
  command->callback([flags, &common, &action] { action = [flags, &common] { return run_quantize(*flags, common); }; });
}

}  // namespace tetrad
