// What the subcommands share: the flags every one has, how results are written, and the way a command is registered.
// Used by main.cpp and cmd_*.cpp.
#pragma once

#include <cstdint>
#include <functional>
#include <initializer_list>
#include <string>

#include "arch/model_config.h"
#include "base/error.h"
#include "base/json.h"
#include "checkpoint/checkpoint.h"
#include "kernels/compute.h"
#include "model/layer_stream.h"

namespace CLI {
class App;
}

namespace tetrad {

struct CommonFlags {
  std::size_t threads = 0;  // 0: default_thread_count()
  std::uint64_t seed = 0;
  bool quiet = false, pin_threads = false;
  std::string command_line;

  Result<Compute> compute() const;
};

// What main runs once the flags are parsed.
using Action = std::function<Status()>;

// Each adds its subcommand to `app`; parsing it sets `action`. `common` outlives the action.
void register_quantize(CLI::App& app, const CommonFlags& common, Action& action);
void register_eval(CLI::App& app, const CommonFlags& common, Action& action);
void register_logits(CLI::App& app, const CommonFlags& common, Action& action);
void register_tokenize(CLI::App& app, const CommonFlags& common, Action& action);
void register_render(CLI::App& app, const CommonFlags& common, Action& action);
void register_parse(CLI::App& app, const CommonFlags& common, Action& action);
void register_inspect(CLI::App& app, const CommonFlags& common, Action& action);
void register_verify(CLI::App& app, const CommonFlags& common, Action& action);
void register_generate(CLI::App& app, const CommonFlags& common, Action& action);
void register_chat(CLI::App& app, const CommonFlags& common, Action& action);
void register_bench(CLI::App& app, const CommonFlags& common, Action& action);
void register_serve(CLI::App& app, const CommonFlags& common, Action& action);
void register_make_model(CLI::App& app, const CommonFlags& common, Action& action);

// A subcommand with the flags that every one has.
CLI::App* add_command(CLI::App& app, const CommonFlags& common, const std::string& name, const std::string& about);
// A flag whose value is a size ("1GiB"); the error of parse_bytes becomes CLI11's.
void add_bytes_option(CLI::App& command, const std::string& name, std::uint64_t& value, const std::string& about);

// --dense-weights; `note` stands behind its explanation.
void add_dense_weights_option(CLI::App& command, DenseWeights& dense, const std::string& note = "");
// --fast, and --exact for its absence: how NVFP4 experts take their inputs (ForwardOptions::int8_inputs).
void add_fast_flag(CLI::App& command, bool& fast, const std::string& note = "");

Status write_stdout(std::string_view text);                    // an error when the reader is gone or the disk is full
Status write_json(const std::string& path, const Json& json);  // "-": stdout
// A check of a flag: a whole number from `least` on. CLI11's own prints the largest double in full when it fails.
std::function<std::string(const std::string&)> at_least(std::int64_t least);
// Before hours of work rather than behind them: an error when a result could not be written. "" and "-" are no files.
Status check_result_files(std::initializer_list<std::string> paths);
Status write_result(const std::string& json_path, const Json& json,
                    const std::string& text);  // text to stdout, unless JSON goes there

struct Model {
  Checkpoint checkpoint;
  ModelConfig config;
};
Result<Model> open_model(const std::string& directory);

}  // namespace tetrad
