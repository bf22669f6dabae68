#include "cli/command.h"

#include <fmt/format.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cerrno>
#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <nlohmann/json.hpp>

#include "base/files.h"
#include "base/units.h"

namespace tetrad {

Result<Compute> CommonFlags::compute() const {
  const char* named = std::getenv("TETRAD_BACKEND");
  const std::string_view backend = named == nullptr ? "" : named;
  if (backend == "ref") return Compute::create(threads, "ref", pin_threads);
  if (backend.empty() || backend == "cpu") return Compute::create(threads, {}, pin_threads);
  return make_error(ErrorCode::kUsage, "unavailable backend", fmt::format("TETRAD_BACKEND={}", backend),
                    "this build has ref, cpu");
}

CLI::App* add_command(CLI::App& app, const CommonFlags& common, const std::string& name, const std::string& about) {
  auto* command = app.add_subcommand(name, about);
  auto& flags = const_cast<CommonFlags&>(common);  // main owns them; the parser fills them before any action reads them
  command
      ->add_option("--threads", flags.threads,
                   "worker threads (default: physical cores, at most the container's share of processors)")
      ->check(CLI::Range(1, 4096));
  command->add_flag("--pin-threads", flags.pin_threads,
                    "worker threads stay on physical cores of their own: for a machine that does nothing else");
  command->add_option("--seed", flags.seed, "seed of everything random (default 0)")->check(at_least(0), "NONNEGATIVE");
  command->add_flag("--quiet", flags.quiet, "no progress and no notes on stderr");
  return command;
}

void add_bytes_option(CLI::App& command, const std::string& name, std::uint64_t& value, const std::string& about) {
  command.add_option_function<std::string>(
      name,
      [&value, name](const std::string& text) {
        auto bytes = parse_bytes(text);
        if (!bytes) throw CLI::ValidationError(name, bytes.error().message);
        value = *bytes;
      },
      about);
}

void add_dense_weights_option(CLI::App& command, DenseWeights& dense, const std::string& note) {
  command
      .add_option_function<std::string>(
          "--dense-weights",
          [&dense](const std::string& name) {
            dense = name == "int8" ? DenseWeights::kInt8 : name == "fp8" ? DenseWeights::kFp8 : DenseWeights::kStored;
          },
          "bf16 (default: as they are stored), fp8 or int8: attention's projections and the output head in 8 bits, "
          "quantized while loading" +
              note)
      ->check(CLI::IsMember({"bf16", "fp8", "int8"}));
}

void add_fast_flag(CLI::App& command, bool& fast, const std::string& note) {
  command.add_flag(
      "--fast,!--exact", fast,
      "inputs of NVFP4 experts as 8-bit integers (default, --exact: 16-bit ones, as good as F32; nothing changes "
      "where --activations nvfp4 has made them 4-bit, nor on a CPU with AMX, where 16 bits are as fast)" +
          note);
}

std::function<std::string(const std::string&)> at_least(std::int64_t least) {
  return [least](const std::string& text) {
    std::int64_t value = 0;
    const auto [end, fault] = std::from_chars(text.data(), text.data() + text.size(), value);
    const bool low = fault == std::errc() ? value < least : fault == std::errc::result_out_of_range && text[0] == '-';
    return low ? fmt::format("{} is below {}", text, least) : std::string();  // what is no number CLI11 refuses itself
  };
}

Status write_stdout(std::string_view text) {
  if (std::fwrite(text.data(), 1, text.size(), stdout) != text.size() || std::fflush(stdout) != 0)
    return io_error("cannot write", "stdout", errno);
  return {};
}

Status check_result_files(std::initializer_list<std::string> paths) {
  for (const std::string& path : paths) {
    if (path.empty() || path == "-") continue;
    std::error_code ignored;
    if (std::filesystem::is_directory(path, ignored))
      return make_error(ErrorCode::kIo, "cannot write result", path, "it is a directory");
    if (is_device_or_pipe(path)) continue;
    const std::filesystem::path parent = std::filesystem::path(path).parent_path();
    if (::access(parent.empty() ? "." : parent.c_str(), W_OK | X_OK) != 0)
      return io_error("cannot write result", path, errno);
  }
  return {};
}

Status write_json(const std::string& path, const Json& json) {
  const std::string text = json.dump(1, ' ', false, Json::error_handler_t::replace) + "\n";
  return path == "-" ? write_stdout(text) : write_file_atomically(path, text);
}

Status write_result(const std::string& json_path, const Json& json, const std::string& text) {
  if (json_path != "-") TETRAD_TRY(write_stdout(text));
  return json_path.empty() ? Status{} : write_json(json_path, json);
}

Result<Model> open_model(const std::string& directory) {
  auto checkpoint = TETRAD_TRY(Checkpoint::open(directory));
  auto config = TETRAD_TRY(ModelConfig::parse(checkpoint.config(), (checkpoint.directory() / "config.json").string()));
  return Model{std::move(checkpoint), std::move(config)};
}

}  // namespace tetrad
