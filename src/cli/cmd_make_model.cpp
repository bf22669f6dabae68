#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "cli/command.h"
#include "conversion/random_model.h"

namespace tetrad {
namespace {

struct MakeModelFlags {
  RandomModelOptions options;
  std::string json;
};

Status run_make_model(MakeModelFlags& flags, const CommonFlags& common) {
  flags.options.seed = common.seed;
  ThreadPool threads(common.threads);
  const auto result = TETRAD_TRY(make_random_model(flags.options, threads));
  return write_result(flags.json, to_json(result), to_text(result));
}

void add_shape_options(CLI::App& command, RandomModelOptions& options) {
  const auto number = [&](const char* name, std::optional<std::int64_t>& value, const char* about) {
    command.add_option(name, value, about)->check(CLI::Range(1, 1 << 30));
  };
  command.add_option("--like", options.like, "the model whose shape it has (default minimax-m2.7)")
      ->check(CLI::IsMember(known_model_shapes()));
  number("--layers", options.layers, "number of layers (this and what follows: default as --like has it)");
  number("--experts", options.experts, "experts of a layer");
  number("--vocab", options.vocab, "tokens of the vocabulary");
  number("--hidden", options.hidden, "width of the hidden states");
  number("--width", options.width, "width of an expert, between gate and down");
  number("--heads", options.heads, "attention heads");
  number("--kv-heads", options.kv_heads, "heads of keys and values");
  number("--head-dim", options.head_dim, "width of a head; half of it is rotated by position");
  number("--top-k", options.top_k, "experts of a token");
}

}  // namespace

void register_make_model(CLI::App& app, const CommonFlags& common, Action& action) {
  auto* command =
      add_command(app, common, "make-model", "write a model of random weights, to measure speed and memory with");
  auto flags = std::make_shared<MakeModelFlags>();
  RandomModelOptions& options = flags->options;
  command->add_option("directory", options.destination, "model directory to write")->required();
  add_shape_options(*command, options);
  const std::map<std::string, StoredFormat> formats = {
      {random_format_name(StoredFormat::kFp8Block), StoredFormat::kFp8Block},
      {random_format_name(StoredFormat::kPlain), StoredFormat::kPlain},
      {random_format_name(StoredFormat::kNvfp4ModelOpt), StoredFormat::kNvfp4ModelOpt}};
  command
      ->add_option_function<std::string>(
          "--format", [&options, formats](const std::string& name) { options.format = formats.at(name); },
          "fp8 (default; blocks of 128 x 128, as it was released), bf16, or nvfp4 (experts; all else bf16)")
      ->check(CLI::IsMember(formats));
  command->add_option("--tokenizer", options.tokenizer,
                      "model directory to copy tokenizer, chat template and generation_config.json from");
  add_bytes_option(*command, "--shard-size", options.shard_size, "largest output file (default 10GB)");
  command->add_flag("--overwrite", options.overwrite, "replace the directory when the new model is whole");
  command->add_option("--json", flags->json, "write the result as JSON (- is stdout)");
  command->callback(
      [flags, &common, &action] { action = [flags, &common] { return run_make_model(*flags, common); }; });
}

}  // namespace tetrad
