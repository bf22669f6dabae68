// tetrad: one binary, one subcommand a verb.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <exception>
#include <new>

#include "base/interrupt.h"
#include "base/log.h"
#include "cli/command.h"
#include "cli/revision.h"

namespace tetrad {
namespace {

std::string version_text() {
  return fmt::format("tetrad {} ({})\nbackends: cpu, ref\nSIMD targets here: {}\n", TETRAD_VERSION, revision(),
                     fmt::join(available_simd_targets(), ", "));
}

int exit_status(ErrorCode code) { return code == ErrorCode::kUsage ? 2 : code == ErrorCode::kInterrupted ? 130 : 1; }

void print_error(const Error& error) {
  std::fputs(("tetrad: error: " + error.message + "\n").c_str(), stderr);
  if (!error.hint.empty()) std::fputs(("hint: " + error.hint + "\n").c_str(), stderr);
}

int run(int argc, char** argv) {
  CLI::App app("From an FP8 mixture-of-experts checkpoint to a measured NVFP4 one.", "tetrad");
  app.require_subcommand(1);
  app.set_version_flag("--version", [] { return version_text(); });
  CommonFlags common;
  Action action;
  for (int i = 0; i < argc; ++i) common.command_line += (i > 0 ? " " : "") + std::string(i == 0 ? "tetrad" : argv[i]);
  register_quantize(app, common, action);
  register_eval(app, common, action);
  register_serve(app, common, action);
  register_chat(app, common, action);
  register_bench(app, common, action);
  register_inspect(app, common, action);
  register_verify(app, common, action);
  register_generate(app, common, action);
  register_logits(app, common, action);
  register_tokenize(app, common, action);
  register_render(app, common, action);
  register_parse(app, common, action);
  register_make_model(app, common, action);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    if (error.get_exit_code() == 0) return app.exit(error);  // --help, --version
    const auto parsed = app.get_subcommands();
    const std::string command = parsed.empty() ? "tetrad" : "tetrad " + parsed[0]->get_name();
    print_error({ErrorCode::kUsage, fmt::format("wrong usage: {}: {}", command, printable(error.what())),
                 command + " --help shows the flags"});
    return 2;
  }
  set_quiet(common.quiet);
  install_interrupt_handler();
  const Status status = action();
  if (status) return 0;
  print_error(status.error());
  return exit_status(status.error().code);
}

}  // namespace
}  // namespace tetrad

int main(int argc, char** argv) {
  try {
    return tetrad::run(argc, argv);
  } catch (const std::bad_alloc&) {
    std::fputs(
        "tetrad: error: out of memory: this process: the system gave no more\nhint: lower --memory-limit, "
        "--calibration-tokens or --max-tokens\n",
        stderr);
  } catch (const std::exception& error) {
    std::fputs(("tetrad: error: unexpected failure: this process: " + tetrad::printable(error.what()) + "\n").c_str(),
               stderr);
  }
  return 1;
}
