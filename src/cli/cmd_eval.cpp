#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "base/files.h"
#include "base/log.h"
#include "cli/command.h"
#include "eval/evaluate.h"

namespace tetrad {
namespace {

struct EvalFlags {
  EvalOptions options;
  std::string activations = "bf16", json, html;
};

// `--data a.txt b.txt`: the parser takes the second for a candidate, but models are directories.
Status sort_out_data(EvalOptions& options) {
  std::vector<std::filesystem::path> models;
  for (const auto& path : options.candidates) {
    std::error_code ignored;
    const std::string ending = path.extension().string();
    const bool data =
        (ending == ".jsonl" || ending == ".txt" || ending == ".json") && !std::filesystem::is_directory(path, ignored);
    (data ? options.data.files : models).push_back(path);
  }
  if (models.empty())
    return make_error(ErrorCode::kUsage, "no candidate", options.candidates[0].string(), "it is data, not a model");
  options.candidates = std::move(models);
  return {};
}

Status run_eval(EvalFlags& flags, const CommonFlags& common) {
  EvalOptions& options = flags.options;
  options.activations = flags.activations == "nvfp4" ? ActivationFormat::kNvfp4 : ActivationFormat::kBF16;
  options.command_line = common.command_line;
  TETRAD_TRY(sort_out_data(options));
  TETRAD_TRY(check_result_files({flags.json, flags.html}));
  const Compute compute = TETRAD_TRY(common.compute());
  const auto result = TETRAD_TRY(evaluate(options, compute));
  for (const auto& candidate : result.candidates)
    if (candidate.nonfinite > 0)
      log_warning(candidate.path + ": " + std::to_string(candidate.nonfinite) +
                  " positions have non-finite logits and are left out");
  if (!flags.html.empty()) TETRAD_TRY(write_file_atomically(flags.html, to_html(result)));
  return write_result(flags.json, to_json(result), to_text(result));
}

}  // namespace

void register_eval(CLI::App& app, const CommonFlags& common, Action& action) {
  auto* command =
      add_command(app, common, "eval", "KL divergence, perplexity and top-1 of candidates against a reference");
  auto flags = std::make_shared<EvalFlags>();
  EvalOptions& options = flags->options;
  command->add_option("reference", options.reference, "the original")->required();
  command->add_option("candidates", options.candidates, "one or more checkpoints to compare with it")->required();
  command
      ->add_option("--data", options.data.files, "conversations .jsonl, a document .txt or token ids .json; repeatable")
      ->required()
      ->allow_extra_args(false);  // else it swallows the models
  command->add_option("--max-tokens", options.data.max_tokens, "use at most so many tokens (default: all)")
      ->check(at_least(1), "POSITIVE");
  command->add_option("--context", options.data.context, "tokens of a window (default 2048, at most the model's)")
      ->check(CLI::Range(std::int64_t{2}, std::int64_t{1} << 30));
  command
      ->add_option("--stride", options.data.stride,
                   "windows advance by it and count their last so many positions (default: the context)")
      ->check(at_least(1), "POSITIVE");
  command
      ->add_option("--activations", flags->activations,
                   "of the candidates: bf16 (default) or nvfp4, as Blackwell GPUs compute")
      ->check(CLI::IsMember({"bf16", "nvfp4"}));
  add_dense_weights_option(*command, options.dense, "; of the candidates");
  add_fast_flag(*command, options.int8_inputs, "; of the candidates");
  add_bytes_option(*command, "--memory-limit", options.memory_limit,
                   "for hidden states and buffers (default: half of the memory)");
  command->add_option("--json", flags->json, "write the result as JSON (- is stdout)");
  command->add_option("--html", flags->html, "write a report page");
  command->callback([flags, &common, &action] { action = [flags, &common] { return run_eval(*flags, common); }; });
}

}  // namespace tetrad
