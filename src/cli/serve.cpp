#include "cli/serve.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <optional>
#include <thread>

#include "api/service.h"
#include "base/files.h"
#include "base/interrupt.h"
#include "base/log.h"
#include "base/units.h"
#include "cli/memory_plan.h"
#include "cli/request_log.h"
#include "cli/step_trace.h"
#include "engine/engine.h"
#include "model/dense_weights.h"
#include "model/paged_model.h"
#include "web/chat_page.h"

namespace tetrad {
namespace {

using Clock = std::chrono::steady_clock;

// "auto" leaves the choice (nothing): F32 where the whole pool fits so, since its results are those of `tetrad logits`;
// else BF16, which holds twice the tokens.
Result<std::optional<CacheType>> cache_type(const std::string& name) {
  if (name == "auto") return std::nullopt;
  if (name == "float32" || name == "fp32" || name == "f32") return CacheType::kF32;
  if (name == "bfloat16" || name == "bf16") return CacheType::kBF16;
  return make_error(ErrorCode::kUsage, "unsupported value", "--kv-cache-dtype " + name,
                    "auto, float32 and bfloat16 are there");
}

Result<bool> ngram(const std::string& given) {
  std::string name = given;
  for (char& c : name) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  if (name == "ngram" || name == "none") return name == "ngram";
  return make_error(ErrorCode::kUsage, "unsupported value", "--speculative-algorithm " + given, "NGRAM is there");
}

Result<std::vector<std::string>> read_keys(const ServeFlags& flags) {
  std::vector<std::string> keys = flags.keys;
  if (!flags.key_file.empty()) {
    const std::string text = TETRAD_TRY(read_file(flags.key_file, 1U << 20));
    for (std::size_t at = 0; at < text.size();) {
      const std::size_t end = std::min(text.find('\n', at), text.size());
      std::string line = text.substr(at, end - at);
      while (!line.empty() && (line.back() == '\r' || line.back() == ' ')) line.pop_back();
      if (!line.empty() && line[0] != '#') keys.push_back(std::move(line));
      at = end + 1;
    }
    if (keys.empty()) return invalid_input("no key", flags.key_file, "it holds none: everybody could call the server");
  }
  for (const std::string& key : keys)
    if (key.empty()) return make_error(ErrorCode::kUsage, "bad key", "--api-key", "it is empty");
  return keys;
}

Result<ApiOptions> api_options(const ServeFlags& flags, const Model& model) {
  ApiOptions options;
  const auto path = model.checkpoint.directory();
  options.model_path = flags.model;
  options.names = flags.names;
  if (options.names.empty()) {
    auto name = std::filesystem::weakly_canonical(path).filename().string();
    options.names = {name};
    if (flags.model != name) options.names.push_back(flags.model);
  }
  options.any_model_name = flags.any_name;
  options.api_keys = TETRAD_TRY(read_keys(flags));
  options.metrics_open = flags.metrics_open;
  options.cors_origin = flags.cors_origin;
  const bool minimax = model.config.family == Family::kMiniMaxM2;
  const auto named = [&](const std::string& flag, const char* own) {
    return flag != "auto" ? flag : minimax ? own : "none";
  };
  options.reasoning = TETRAD_TRY(reasoning_parser_from_name(named(flags.reasoning_parser, "minimax")));
  options.tools = TETRAD_TRY(tool_parser_from_name(named(flags.tool_parser, "minimax-m2")));
  options.defaults = TETRAD_TRY(read_generation_config(flags.model));
  options.vocab = model.config.vocab;
  options.version = TETRAD_VERSION;
  options.page = chat_page();
  for (const std::int64_t id : model.config.eos_ids) options.end_tokens.push_back(static_cast<std::int32_t>(id));
  return options;
}

Result<EngineOptions> engine_options(const ServeFlags& flags, const Model& model) {
  EngineOptions options;
  const std::optional<CacheType> cache = TETRAD_TRY(cache_type(flags.cache_type));
  options.context_length = flags.context;
  options.max_running_requests = flags.max_running;
  options.max_queued_requests = flags.max_queued;
  options.chunked_prefill_size = flags.chunk;
  options.prefix_cache = !flags.no_prefix_cache;
  options.ngram_speculation = TETRAD_TRY(ngram(flags.speculation));
  options.max_draft_tokens = flags.drafts;
  for (const std::int64_t id : model.config.eos_ids) options.end_tokens.push_back(static_cast<std::int32_t>(id));
  options.forward.activations = flags.activations == "nvfp4" ? ActivationFormat::kNvfp4 : ActivationFormat::kBF16;
  options.forward.dense = flags.dense;
  options.forward.int8_inputs = flags.fast;
  MemoryRequest memory = TETRAD_TRY(memory_request(model, flags.expert_cache, flags.dense));
  if (flags.context > 0) memory.context_length = std::min(flags.context, model.config.max_position);
  if (flags.chunk < 0) options.chunked_prefill_size = memory.context_length;
  constexpr std::int64_t kLongPrompt = 8192;  // with whole prompts as chunks: few come near the context
  memory.step_tokens = std::max(std::min(options.chunked_prefill_size, kLongPrompt), flags.max_running);
  memory.fraction = flags.fraction;
  memory.max_total_tokens = flags.max_total_tokens;
  memory.bytes_per_token = PagedModel::bytes_per_slot(model.config, false);
  options.cache_type = cache.value_or(fits_whole(memory) ? CacheType::kF32 : CacheType::kBF16);
  memory.bytes_per_token = PagedModel::bytes_per_slot(model.config, options.cache_type == CacheType::kBF16);
  const MemoryPlan plan = TETRAD_TRY(plan_memory(memory));
  log_note(plan.text);
  if (!plan.warning.empty()) log_warning(plan.warning);
  options.max_total_tokens = plan.pool_tokens;
  options.expert_cache_bytes = plan.expert_cache_bytes;
  return options;
}

std::string server_info(const ServeFlags& flags, const EngineOptions& options, const Compute& compute) {
  return Json{{"kv_cache_dtype", options.cache_type == CacheType::kBF16 ? "bfloat16" : "float32"},
              {"max_total_num_tokens", options.max_total_tokens},
              {"max_running_requests", options.max_running_requests},
              {"chunked_prefill_size", options.chunked_prefill_size},
              {"disable_radix_cache", !options.prefix_cache},
              {"speculative_algorithm", options.ngram_speculation ? Json("NGRAM") : Json()},
              {"activations", flags.activations},
              {"dense_weights", dense_weights_name(flags.dense)},
              {"expert_inputs", expert_inputs_name(options.forward, compute)},
              {"threads", compute.pool().size()}}
      .dump();
}

void note_flags(const ServeFlags& flags) {
  if (!flags.ignored.empty()) log_note(fmt::format("flags that mean nothing here: {}", fmt::join(flags.ignored, ", ")));
  if (flags.tp > 1) log_note(fmt::format("--tp {}: this machine's cores work as one device", flags.tp));
}

// A line a second while the engine works.
class BusyLog {
 public:
  void look(const EngineStats& now) {
    const double seconds = seconds_since(last_);
    if (seconds < 1.0) return;
    if (now.steps > before_.steps) {
      const auto rate = [&](std::uint64_t a, std::uint64_t b) { return static_cast<double>(a - b) / seconds; };
      log_note(fmt::format("running {}, queued {}, tokens in use {} of {} (cached {}), generating {:.1f} tokens/s{}{}",
                           now.running, now.queued, now.used_tokens, now.pool_tokens, now.cached_tokens,
                           rate(now.generation_tokens, before_.generation_tokens), drafts(now), experts(now, seconds)));
    }
    before_ = now;
    last_ = Clock::now();
  }

 private:
  std::string drafts(const EngineStats& now) const {
    const std::uint64_t drafted = now.draft_tokens - before_.draft_tokens;
    if (drafted == 0) return {};
    const auto accepted = static_cast<double>(now.accepted_tokens - before_.accepted_tokens);
    return fmt::format(", drafts accepted {:.0f} %", 100 * accepted / static_cast<double>(drafted));
  }
  std::string experts(const EngineStats& now, double seconds) const {
    const std::uint64_t hits = now.expert_hits - before_.expert_hits;
    const std::uint64_t all = hits + now.expert_misses - before_.expert_misses;
    if (all == 0) return {};
    return fmt::format(", experts in memory {:.0f} %, read {:.2f} GB/s",
                       100 * static_cast<double>(hits) / static_cast<double>(all),
                       static_cast<double>(now.expert_bytes_read - before_.expert_bytes_read) / seconds / 1e9);
  }
  EngineStats before_;
  Clock::time_point last_ = Clock::now();
};

// Ends running answers, and answers what still comes with 503.
void drain(Service& service, const HttpServer& server, const Engine& engine, double seconds) {
  log_note(fmt::format("draining: {} running, {} queued; a second signal stops at once", engine.stats().running,
                       engine.stats().queued));
  service.drain();
  const auto start = Clock::now();
  while ((server.busy() > 0 || !engine.idle()) && seconds_since(start) < seconds)
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  if (server.busy() > 0) log_warning(fmt::format("{} requests were cut off after {:g} s", server.busy(), seconds));
}

}  // namespace

Status serve(const ServeFlags& flags, const CommonFlags& common) {
  if (flags.log_level != "info" && flags.log_level != "debug") set_quiet(true);
  note_flags(flags);
  const Model model = TETRAD_TRY(open_model(flags.model));
  const Compute compute = TETRAD_TRY(common.compute());
  ApiOptions api = TETRAD_TRY(api_options(flags, model));
  EngineOptions options = TETRAD_TRY(engine_options(flags, model));
  api.server_info = server_info(flags, options, compute);
  Tokenizer tokenizer = TETRAD_TRY(Tokenizer::load(flags.model));
  std::optional<ChatTemplate> chat_template;
  if (auto loaded = ChatTemplate::load(flags.model))
    chat_template = std::move(*loaded);
  else
    log_warning("no chat: " + loaded.error().message);
  if (!flags.trace.empty()) {
    const auto trace = TETRAD_TRY(StepTrace::create(flags.trace));
    options.on_step = [trace](const StepReport& report) { trace->add(report); };
  }
  const std::string name = api.names.front();
  Service service(std::move(api), std::move(tokenizer), std::move(chat_template));
  RequestLog request_log(service, flags.log_requests_level);
  Handler& handler = flags.log_requests ? static_cast<Handler&>(request_log) : service;
  auto server = TETRAD_TRY(HttpServer::create(flags.server, handler));  // before loading, so that /health can say so
  const auto engine = TETRAD_TRY(Engine::create(model.checkpoint, model.config, compute, options));
  EngineGenerator generator(*engine);
  service.serve(generator);
  const std::string host =
      flags.server.host.find(':') == std::string::npos ? flags.server.host : "[" + flags.server.host + "]";
  std::fputs(fmt::format("tetrad: serving {} at http://{}:{}\n", printable(name), host, server->port()).c_str(),
             stderr);
  for (BusyLog log; !interrupted(); std::this_thread::sleep_for(std::chrono::milliseconds(50)))
    log.look(engine->stats());
  drain(service, *server, *engine, flags.drain_seconds);
  server.reset();  // ends the exchanges, which use the engine
  return {};
}

}  // namespace tetrad
