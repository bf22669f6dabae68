#include <CLI/CLI.hpp>
#include <cstdlib>

#include "cli/memory_plan.h"
#include "cli/serve.h"
#include "cli/sglang_flags.h"

namespace tetrad {
namespace {

// CLI11's own messages name the largest number there is, digit by digit.
CLI::Validator number(const char* what, bool (*fits)(double)) {
  const auto check = [what, fits](std::string& text) {
    return fits(std::strtod(text.c_str(), nullptr)) ? std::string() : text + " is not " + what;
  };
  return {check, ""};
}
CLI::Validator positive() {
  return number("a number above 0", [](double value) { return value > 0; });
}
CLI::Validator not_negative() {
  return number("0 or a number above", [](double value) { return value >= 0; });
}
CLI::Validator positive_or_all() {
  return number("a number above 0 or -1", [](double value) { return value > 0 || value == -1; });
}

void add_model_flags(CLI::App& command, ServeFlags& flags) {
  command.add_option("model,--model,--model-path", flags.model, "model directory: NVFP4, FP8 or BF16")->required();
  command.add_option("--served-model-name", flags.names, "what requests call it (default: the directory's name)");
  command.add_option("--reasoning-parser", flags.reasoning_parser,
                     "minimax, minimax-append-think, none (default: the model's)");
  command.add_option("--tool-call-parser", flags.tool_parser, "minimax-m2, none (default: the model's)");
  command.add_option("--activations", flags.activations, "bf16 (default) or nvfp4, as in logits")
      ->check(CLI::IsMember({"bf16", "nvfp4"}));
  add_dense_weights_option(command, flags.dense);
  add_fast_flag(command, flags.fast);
  command.add_option("--context-length", flags.context, "tokens of prompt and answer together (default: the model's)")
      ->check(positive());
  command
      .add_option("--tp,--tp-size,--tensor-parallel-size", flags.tp, "1: all of this machine's cores are one device")
      ->check(positive());
}

void add_engine_flags(CLI::App& command, ServeFlags& flags) {
  command.add_option("--kv-cache-dtype", flags.cache_type,
                     "of stored keys and values: auto (default: float32 if 8 contexts fit so, else bfloat16), float32 "
                     "(results equal those of logits) or bfloat16 (half the memory)");
  command
      .add_option("--mem-fraction-static", flags.fraction, "of memory, for weights and key/value pool (default 0.85)")
      ->check(CLI::Range(0.01, 1.0));
  command.add_option("--max-total-tokens", flags.max_total_tokens, "in the key/value pool (default: what fits)")
      ->check(positive());
  add_expert_cache_option(command, flags.expert_cache);
  command.add_option("--max-running-requests", flags.max_running, "in one batch (default 256)")->check(positive());
  command.add_option("--max-queued-requests", flags.max_queued, "more get 503 (default: no limit)")
      ->check(not_negative());
  command
      .add_option("--chunked-prefill-size", flags.chunk, "prompt tokens in one step (default 512; -1: whole prompts)")
      ->check(positive_or_all());
  command.add_flag("--disable-radix-cache", flags.no_prefix_cache, "compute every prompt anew");
  command.add_option("--speculative-algorithm", flags.speculation,
                     "NGRAM: drafts copied from earlier in the sequence; the same results, faster where text repeats");
  command.add_option("--speculative-num-draft-tokens", flags.drafts, "at most so many at once (default 8)")
      ->check(CLI::Range(1, 64));
}

void add_server_flags(CLI::App& command, ServeFlags& flags) {
  command.add_option("--host", flags.server.host, "address to listen at (default 127.0.0.1)");
  command.add_option("--port", flags.server.port, "(default 30000; 0: any free one)");
  command.add_option("--api-key", flags.keys, "a key that requests must bring; repeatable");
  command.add_option("--api-key-file", flags.key_file, "keys, one a line");
  command.add_flag("--any-model-name", flags.any_name, "answer to every model name");
  command.add_option("--max-body-bytes", flags.server.max_body_bytes, "of a request (default 32 MiB)")
      ->check(positive());
  command
      .add_option("--drain-timeout", flags.drain_seconds, "seconds that running requests get at the end (default 60)")
      ->check(not_negative());
  command.add_flag("--metrics-open", flags.metrics_open, "/metrics wants no key");
  command.add_option("--cors-origin", flags.cors_origin, "origin that browsers may call from (default: none)");
  command.add_option("--log-level", flags.log_level, "info (default), warning or error")
      ->check(CLI::IsMember({"debug", "info", "warning", "error", "critical"}));
  command.add_flag("--log-requests", flags.log_requests, "a line for each request, with the start of its body");
  command.add_option("--log-requests-level", flags.log_requests_level, "0: no body, 1: its start (default), 2: all")
      ->check(CLI::Range(0, 3));
  command.add_option("--trace", flags.trace, "write the engine's steps to this file, for chrome://tracing");
}

}  // namespace

void register_serve(CLI::App& app, const CommonFlags& common, Action& action) {
  auto* command = add_command(app, common, "serve", "an OpenAI- and Anthropic-compatible server");
  auto flags = std::make_shared<ServeFlags>();
  add_model_flags(*command, *flags);
  add_engine_flags(*command, *flags);
  add_server_flags(*command, *flags);
  add_sglang_flags(*command, flags->ignored);
  // Launch lines set a flag again behind a wrapper's, and the last counts; a name or key never swallows the model.
  for (CLI::Option* option : command->get_options())
    if (option->get_items_expected_max() == 1) option->take_last();
  for (const char* repeatable : {"--served-model-name", "--api-key"})
    command->get_option(repeatable)->allow_extra_args(false);
  command->callback([flags, &common, &action] { action = [flags, &common] { return serve(*flags, common); }; });
}

}  // namespace tetrad
