#include <CLI/CLI.hpp>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "base/interrupt.h"
#include "base/log.h"
#include "calib/calibration_set.h"
#include "checkpoint/single_tensor_file.h"
#include "cli/command.h"
#include "model/layer_stream.h"

namespace tetrad {
namespace {

struct LogitsFlags {
  std::string model, ids, output, activations = "bf16", precision = "f32";
  DenseWeights dense = DenseWeights::kStored;
  bool fast = false;
  bool overwrite = false;
};

Status run_logits(const LogitsFlags& flags, const CommonFlags& common) {
  TETRAD_TRY(check_result_files({flags.output}));
  std::error_code ignored;  // looked at here too: before the model runs, not behind it
  if (!flags.overwrite && std::filesystem::exists(std::filesystem::symlink_status(flags.output, ignored)))
    return invalid_input("the output exists", flags.output, "it is never overwritten by itself",
                         "choose another name or add --overwrite");
  const Model model = TETRAD_TRY(open_model(flags.model));
  const Compute compute = TETRAD_TRY(common.compute());
  auto sequences = TETRAD_TRY(read_id_sequences(flags.ids, model.config.vocab));
  const auto length = static_cast<std::int64_t>(sequences[0].size());
  for (const auto& ids : sequences)
    if (static_cast<std::int64_t>(ids.size()) != length)
      return invalid_input("sequences of different lengths", flags.ids,
                           "logits are one tensor [sequences, length, vocab]",
                           "pad them, or call logits once a length");
  const auto count = static_cast<std::int64_t>(sequences.size());
  ForwardOptions options;
  options.activations = flags.activations == "nvfp4" ? ActivationFormat::kNvfp4 : ActivationFormat::kBF16;
  options.dense = flags.dense;
  options.int8_inputs = flags.fast;
  options.precision = flags.precision == "bf16" ? Precision::kBF16 : Precision::kF32;
  auto stream =
      TETRAD_TRY(LayerStream::create(model.checkpoint, model.config, compute, options, std::move(sequences), {}));
  const auto head = TETRAD_TRY(OutputHead::create(model.checkpoint, model.config, compute, options));
  Progress progress("running", static_cast<std::uint64_t>(model.config.layers));
  while (stream.next_layer() < model.config.layers) {
    TETRAD_TRY(check_interrupt());
    TETRAD_TRY(stream.run_layer());
    progress.advance(static_cast<std::uint64_t>(stream.next_layer()));
  }
  return write_single_tensor_file(
      flags.output, {"logits", DType::kF32, {count, length, model.config.vocab}}, flags.overwrite,
      [&](const TensorSink& sink) -> Status {
        constexpr std::int64_t kRows = 64;
        std::vector<float> hidden(static_cast<std::size_t>(kRows * model.config.hidden)),
            logits(static_cast<std::size_t>(kRows * model.config.vocab));
        for (std::int64_t row = 0; row < count * length; row += kRows) {
          const std::int64_t rows = std::min(kRows, count * length - row);
          TETRAD_TRY(check_interrupt());
          TETRAD_TRY(stream.read_hidden(row, rows,
                                        std::span(hidden).first(static_cast<std::size_t>(rows * model.config.hidden))));
          const auto part = std::span(logits).first(static_cast<std::size_t>(rows * model.config.vocab));
          head.logits(hidden, rows, part);
          TETRAD_TRY(sink(std::as_bytes(part)));
        }
        return {};
      });
}

}  // namespace

void register_logits(CLI::App& app, const CommonFlags& common, Action& action) {
  auto* command = add_command(app, common, "logits", "run token ids through a model and keep every logit");
  auto flags = std::make_shared<LogitsFlags>();
  command->add_option("model", flags->model, "model directory")->required();
  command->add_option("--ids", flags->ids, "JSON [[ids...], ...], all of one length")->required();
  command->add_option("--output", flags->output, "safetensors file: `logits` F32 [sequences, length, vocab]")
      ->required();
  command
      ->add_option("--activations", flags->activations,
                   "bf16 (default) or nvfp4: expert inputs in 4 bits, as Blackwell computes")
      ->check(CLI::IsMember({"bf16", "nvfp4"}));
  command->add_option("--precision", flags->precision, "f32 (default) or bf16: round each op as PyTorch does")
      ->check(CLI::IsMember({"f32", "bf16"}));
  add_dense_weights_option(*command, flags->dense);
  add_fast_flag(*command, flags->fast);
  command->add_flag("--overwrite", flags->overwrite, "replace the output file");
  command->callback([flags, &common, &action] { action = [flags, &common] { return run_logits(*flags, common); }; });
}

}  // namespace tetrad
