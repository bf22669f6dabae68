#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <nlohmann/json.hpp>
#include <optional>

#include "audit/inspect.h"
#include "base/interrupt.h"
#include "base/log.h"
#include "base/rng.h"
#include "base/units.h"
#include "cli/bench_profile.h"
#include "cli/command.h"
#include "cli/memory_plan.h"
#include "kernels/machine_limits.h"
#include "model/dense_weights.h"
#include "model/disk_rate.h"
#include "model/expert_cache.h"
#include "model/paged_model.h"

namespace tetrad {
namespace {

constexpr double kDiskSeconds = 0.7;

struct BenchFlags {
  std::string model, json, cache_type = "float32", expert_cache = "auto";
  std::vector<std::int64_t> prompts = {512}, concurrencies = {1};
  std::int64_t generate = 32, repeat = 5, chunk = 512;
  DenseWeights dense = DenseWeights::kStored;
  bool fast = false;
  bool profile = false;
};

struct Rate {  // tokens a second over the repetitions
  double median = 0, min = 0, max = 0;
};
// What an expert cache did while something was measured.
struct CacheUse {
  double hit_rate = 0, bytes_per_step = 0, read_gbs = 0, wait_fraction = 0;
  double foreseen_rate = 0;  // of what was read
  double busy_gbs = 0;       // while something was being read
};
struct Prefill {
  std::int64_t tokens;
  Rate rate;
  std::optional<CacheUse> cache;
};
struct Decode {
  std::int64_t concurrency, context;
  Rate rate;
  double weight_bytes = 0;  // read in a step
  std::optional<CacheUse> cache;
};

struct Machine {
  MachineLimits limits;
  double disk_gbs = 0;  // of the model's disk; 0: not measured, all is in memory
};

Rate rate_of(std::vector<double> rates) {
  std::sort(rates.begin(), rates.end());
  const std::size_t n = rates.size();
  return {n % 2 == 1 ? rates[n / 2] : (rates[n / 2 - 1] + rates[n / 2]) / 2, rates.front(), rates.back()};
}

// What the cache does from construction on; nothing without one.
class CacheWatch {
 public:
  explicit CacheWatch(PagedModel& model) : cache_(model.expert_cache()) {
    if (cache_ != nullptr) before_ = cache_->stats();
  }
  std::optional<CacheUse> use(std::int64_t steps) const {
    if (cache_ == nullptr) return std::nullopt;
    ExpertCacheStats now = cache_->stats();
    const double seconds = seconds_since(start_), bytes = static_cast<double>(now.bytes_read - before_.bytes_read);
    now.hits -= before_.hits;
    now.misses -= before_.misses;
    return CacheUse{now.hit_rate(),
                    bytes / static_cast<double>(steps),
                    bytes / seconds / 1e9,
                    (now.wait_seconds - before_.wait_seconds) / seconds,
                    static_cast<double>(now.foreseen - before_.foreseen) /
                        static_cast<double>(std::max<std::uint64_t>(now.misses, 1)),
                    bytes / std::max(now.read_seconds - before_.read_seconds, 1e-9) / 1e9};
  }

 private:
  const ExpertCache* cache_;
  ExpertCacheStats before_;
  std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
};

// Runs the model as the server's engine does, on random tokens.
class Bench {
 public:
  Bench(PagedModel model, const ModelConfig& config, const BenchFlags& flags, std::uint64_t seed, double dense_bytes)
      : model_(std::move(model)), config_(config), flags_(flags), rng_(seed), dense_bytes_(dense_bytes) {}

  Result<Prefill> prefill(std::int64_t tokens) {
    std::vector<double> rates;
    TETRAD_TRY(fill(std::min<std::int64_t>(tokens, 64), 0));  // warm
    begin_profile();
    const CacheWatch watch(model_);
    for (std::int64_t r = 0; r < flags_.repeat; ++r) {
      const auto start = std::chrono::steady_clock::now();
      TETRAD_TRY(fill(tokens, 0));
      rates.push_back(static_cast<double>(tokens) / seconds_since(start));
    }
    end_profile(fmt::format("prefill {}", tokens), flags_.repeat);
    return Prefill{tokens, rate_of(rates), watch.use(flags_.repeat * ((tokens + flags_.chunk - 1) / flags_.chunk))};
  }

  Result<Decode> decode(std::int64_t concurrency, std::int64_t context) {
    const std::int64_t room = context + flags_.generate;
    for (std::int64_t c = 0; c < concurrency; ++c) TETRAD_TRY(fill(context, c * room));
    std::vector<double> rates;
    begin_profile();
    const CacheWatch watch(model_);
    const std::uint64_t before = model_.expert_bytes_read();
    for (std::int64_t r = 0; r < flags_.repeat; ++r) {
      const auto start = std::chrono::steady_clock::now();
      for (std::int64_t step = 0; step < flags_.generate; ++step)
        TETRAD_TRY(step_all(concurrency, room, context + step));
      rates.push_back(static_cast<double>(concurrency * flags_.generate) / seconds_since(start));
    }
    end_profile(fmt::format("decode {}", concurrency), flags_.repeat * flags_.generate);
    const auto steps = static_cast<double>(flags_.repeat * flags_.generate);
    return Decode{concurrency, context, rate_of(rates),
                  dense_bytes_ + static_cast<double>(model_.expert_bytes_read() - before) / steps,
                  watch.use(flags_.repeat * flags_.generate)};
  }

  const std::vector<PassProfile>& profiles() const { return profiles_; }

 private:
  void begin_profile() {
    if (!flags_.profile) return;
    times_.clear();
    model_.set_profile(&times_);
  }
  void end_profile(std::string name, std::int64_t passes) {
    if (!flags_.profile) return;
    model_.set_profile(nullptr);
    profiles_.push_back({std::move(name), passes, times_});
  }
  static Status ignore(std::size_t, std::int64_t, std::span<float>) { return {}; }

  std::int32_t token() { return static_cast<std::int32_t>(rng_.below(static_cast<std::uint64_t>(config_.vocab))); }

  // A prompt whose keys and values go to slots from `slot` on, chunk by chunk.
  Status fill(std::int64_t tokens, std::int64_t slot) {
    std::vector<std::int32_t> ids(static_cast<std::size_t>(tokens)), slots(ids.size());
    for (std::size_t i = 0; i < ids.size(); ++i) {
      ids[i] = token();
      slots[i] = static_cast<std::int32_t>(slot) + static_cast<std::int32_t>(i);
    }
    for (std::int64_t begin = 0; begin < tokens; begin += flags_.chunk) {
      TETRAD_TRY(check_interrupt());
      const std::int64_t count = std::min(flags_.chunk, tokens - begin);
      BatchPart part;
      part.ids = std::span(ids).subspan(static_cast<std::size_t>(begin), static_cast<std::size_t>(count));
      part.position = begin;
      part.slots = std::span(slots).first(static_cast<std::size_t>(begin + count));
      part.logit_rows = begin + count == tokens ? 1 : 0;
      TETRAD_TRY(model_.forward({&part, 1}, ignore));
    }
    return {};
  }

  Status step_all(std::int64_t concurrency, std::int64_t room, std::int64_t position) {
    TETRAD_TRY(check_interrupt());
    std::vector<std::int32_t> ids(static_cast<std::size_t>(concurrency));
    std::vector<std::vector<std::int32_t>> slots(ids.size());
    std::vector<BatchPart> parts(ids.size());
    for (std::size_t c = 0; c < ids.size(); ++c) {
      ids[c] = token();
      for (std::int64_t p = 0; p <= position; ++p)
        slots[c].push_back(static_cast<std::int32_t>(static_cast<std::int64_t>(c) * room + p));
      parts[c].ids = std::span(&ids[c], 1);
      parts[c].position = position;
      parts[c].slots = slots[c];
      parts[c].logit_rows = 1;
    }
    return model_.forward(parts, ignore);
  }

  PagedModel model_;
  const ModelConfig& config_;
  const BenchFlags& flags_;
  Rng rng_;
  OpProfile times_;
  std::vector<PassProfile> profiles_;
  double dense_bytes_;  // of all weights but experts and embedding, as they are read: by each step
};

double bytes_of_each_step(const Inspection& inspection, const DenseBytes& dense) {
  double bytes = static_cast<double>(inspection.weight_bytes - dense.replaced + dense.resident);
  for (const Tally& tally : inspection.by_role)
    if (tally.name == role_name(Role::kExpert) || tally.name == role_name(Role::kEmbedding))
      bytes -= static_cast<double>(tally.bytes);
  return bytes;
}

Json to_json(const Rate& rate) {
  return {{"tokens_per_second_median", rate.median}, {"min", rate.min}, {"max", rate.max}};
}

double achieved_gbs(const Decode& d) {
  return d.rate.median / static_cast<double>(d.concurrency) * d.weight_bytes / 1e9;
}

// The disk's share: never above 1, since its rate is measured as well.
double of_disk(const CacheUse& use, const Machine& machine) {
  return machine.disk_gbs > 0 ? std::min(1.0, use.read_gbs / machine.disk_gbs) : 0.0;
}

Json to_json(const CacheUse& use, const Machine& machine) {
  return {{"hit_rate", use.hit_rate},           {"bytes_read_per_step", use.bytes_per_step},
          {"read_gbs", use.read_gbs},           {"fraction_of_disk", of_disk(use, machine)},
          {"wait_fraction", use.wait_fraction}, {"foreseen_rate", use.foreseen_rate}};
}

Json to_json(const Machine& measured, const Compute& compute, const std::vector<Prefill>& prefills,
             const std::vector<Decode>& decodes) {
  const MachineLimits& machine = measured.limits;
  Json json;
  json["machine"] = {{"cpu", machine.cpu},
                     {"cores", compute.pool().size()},
                     {"simd", compute.simd()},
                     {"stream_read_gbs", machine.stream_read_gbs},
                     {"peak_gflops", machine.peak_gflops},
                     {"peak_int8_gops", machine.peak_int8_gops}};
  if (machine.peak_bf16_gflops > 0) json["machine"]["peak_bf16_gflops"] = machine.peak_bf16_gflops;
  if (measured.disk_gbs > 0) json["machine"]["disk_read_gbs"] = measured.disk_gbs;
  json["prefill"] = json["decode"] = Json::array();
  for (const Prefill& p : prefills) {
    json["prefill"].push_back({{"tokens", p.tokens}});
    json["prefill"].back().update(to_json(p.rate));
    if (p.cache) json["prefill"].back()["expert_cache"] = to_json(*p.cache, measured);
  }
  for (const Decode& d : decodes) {
    json["decode"].push_back({{"concurrency", d.concurrency}, {"context", d.context}});
    json["decode"].back().update(to_json(d.rate));
    json["decode"].back().update({{"weight_bytes_per_step", d.weight_bytes},
                                  {"achieved_gbs", achieved_gbs(d)},
                                  {"fraction_of_stream", achieved_gbs(d) / machine.stream_read_gbs}});
    if (d.cache) json["decode"].back()["expert_cache"] = to_json(*d.cache, measured);
  }
  return json;
}

std::string cache_text(const Machine& machine, const std::vector<Prefill>& prefills,
                       const std::vector<Decode>& decodes) {
  std::string text = fmt::format(
      "\nexperts from disk, which reads {:.2f} GB/s at most\n{:<14} {:>12} {:>9} {:>12} {:>9} {:>10} "
      "{:>10}\n",
      machine.disk_gbs, "", "in memory", "foreseen", "MB a step", "GB/s", "of disk", "waiting");
  const auto line = [&](const std::string& name, const CacheUse& use) {
    text += fmt::format("{:<14} {:>11.1f}% {:>8.0f}% {:>12.1f} {:>9.2f} {:>9.0f}% {:>9.0f}%\n", name,
                        100 * use.hit_rate, 100 * use.foreseen_rate, use.bytes_per_step / 1e6, use.read_gbs,
                        100 * of_disk(use, machine), 100 * use.wait_fraction);
  };
  for (const Prefill& p : prefills)
    if (p.cache) line(fmt::format("prefill {}", p.tokens), *p.cache);
  for (const Decode& d : decodes)
    if (d.cache) line(fmt::format("decode {}", d.concurrency), *d.cache);
  return text;
}

std::string to_text(const Machine& measured, const Compute& compute, const std::vector<Prefill>& prefills,
                    const std::vector<Decode>& decodes, double flops_per_token) {
  const MachineLimits& machine = measured.limits;
  std::string text = fmt::format(
      "{}, {} threads, {}: reads {:.1f} GB/s; {:.0f} GFLOP/s in F32, {:.0f} GOP/s in int8{} at most\n\n", machine.cpu,
      compute.pool().size(), compute.simd(), machine.stream_read_gbs, machine.peak_gflops, machine.peak_int8_gops,
      machine.peak_bf16_gflops > 0 ? fmt::format(", {:.0f} GFLOP/s in BF16 tiles", machine.peak_bf16_gflops) : "");
  text += fmt::format("{:<8} {:>12} {:>20} {:>18}\n", "prefill", "tokens/s", "min .. max", "of F32 peak");
  for (const Prefill& p : prefills)
    text += fmt::format("{:<8} {:>12.1f} {:>20} {:>17.0f}%\n", p.tokens, p.rate.median,
                        fmt::format("{:.1f} .. {:.1f}", p.rate.min, p.rate.max),
                        100 * p.rate.median * flops_per_token / 1e9 / machine.peak_gflops);
  text += fmt::format("\n{:<8} {:>8} {:>12} {:>20} {:>12} {:>9} {:>10}\n", "decode", "context", "tokens/s",
                      "min .. max", "MB a step", "GB/s", "of stream");
  for (const Decode& d : decodes)
    text += fmt::format("{:<8} {:>8} {:>12.1f} {:>20} {:>12.1f} {:>9.1f} {:>9.0f}%\n", d.concurrency, d.context,
                        d.rate.median, fmt::format("{:.1f} .. {:.1f}", d.rate.min, d.rate.max), d.weight_bytes / 1e6,
                        achieved_gbs(d), 100 * achieved_gbs(d) / machine.stream_read_gbs);
  if (!decodes.empty() && decodes.front().cache) text += cache_text(measured, prefills, decodes);
  return text;
}

Status run_bench(const BenchFlags& flags, const CommonFlags& common) {
  const Model opened = TETRAD_TRY(open_model(flags.model));
  const Compute compute = TETRAD_TRY(common.compute());
  const Inspection inspection = inspect(opened.checkpoint, opened.config);
  const std::int64_t context = *std::max_element(flags.prompts.begin(), flags.prompts.end());
  const std::int64_t most = *std::max_element(flags.concurrencies.begin(), flags.concurrencies.end());
  if (context + flags.generate > opened.config.max_position)
    return make_error(ErrorCode::kUsage, "too long", fmt::format("--prompt {}", context),
                      fmt::format("with --generate {} it is beyond the model's {} positions", flags.generate,
                                  opened.config.max_position));
  const DenseBytes dense = TETRAD_TRY(dense_bytes(opened.checkpoint, opened.config, flags.dense));
  ForwardOptions forward;
  forward.dense = flags.dense;
  forward.int8_inputs = flags.fast;
  const std::int64_t slots = most * (context + flags.generate);
  const bool bf16 = flags.cache_type != "float32";
  MemoryRequest memory = TETRAD_TRY(memory_request(opened, flags.expert_cache, flags.dense));
  memory.bytes_per_token = PagedModel::bytes_per_slot(opened.config, bf16);
  memory.step_tokens = std::max(std::min(context, flags.chunk), most);
  const std::uint64_t cache_bytes = TETRAD_TRY(plan_expert_cache(memory, slots));
  Machine machine = {measure_machine(compute), cache_bytes > 0 ? disk_read_gbs(opened.checkpoint, kDiskSeconds) : 0};
  auto model =
      TETRAD_TRY(PagedModel::open(opened.checkpoint, opened.config, compute, forward, slots, bf16, cache_bytes));
  if (model.expert_cache() != nullptr) model.expert_cache()->set_interruptible(true);
  Bench bench(std::move(model), opened.config, flags, common.seed, bytes_of_each_step(inspection, dense));
  std::vector<Prefill> prefills;
  std::vector<Decode> decodes;
  Progress progress("measuring", flags.prompts.size() + flags.concurrencies.size());
  for (const std::int64_t tokens : flags.prompts) {
    prefills.push_back(TETRAD_TRY(bench.prefill(tokens)));
    progress.advance(prefills.size());
  }
  for (const std::int64_t concurrency : flags.concurrencies) {
    decodes.push_back(TETRAD_TRY(bench.decode(concurrency, context)));
    progress.advance(prefills.size() + decodes.size());
  }
  // Again: what else reads from the disk comes and goes, and the better of both is nearer to its limit.
  if (machine.disk_gbs > 0)
    machine.disk_gbs = std::max(machine.disk_gbs, disk_read_gbs(opened.checkpoint, kDiskSeconds));
  for (const Prefill& p : prefills) machine.disk_gbs = std::max(machine.disk_gbs, p.cache ? p.cache->busy_gbs : 0);
  for (const Decode& d : decodes) machine.disk_gbs = std::max(machine.disk_gbs, d.cache ? d.cache->busy_gbs : 0);
  // Two FLOPs for each weight a token meets; the head only meets the last one.
  const double flops =
      2.0 * static_cast<double>(inspection.active_parameters -
                                static_cast<std::uint64_t>(opened.config.vocab * opened.config.hidden));
  Json json = to_json(machine, compute, prefills, decodes);
  json["dense_weights"] = dense_weights_name(flags.dense);
  json["expert_inputs"] = expert_inputs_name(forward, compute);
  std::string text = to_text(machine, compute, prefills, decodes, flops);
  if (json["expert_inputs"] == "int8") text = "inputs of NVFP4 experts in 8 bits\n" + text;
  for (const PassProfile& profile : bench.profiles()) {
    json["profile"].push_back(profile_json(profile));
    text += profile_text(profile);
  }
  return write_result(flags.json, json, text);
}

}  // namespace

void register_bench(CLI::App& app, const CommonFlags& common, Action& action) {
  auto* command = add_command(app, common, "bench", "speed of prefill and decode, against this machine's limits");
  auto flags = std::make_shared<BenchFlags>();
  command->add_option("model", flags->model, "model directory")->required();
  command->add_option("--prompt", flags->prompts, "tokens of a prompt (default 512); repeatable")
      ->allow_extra_args(false)
      ->check(CLI::Range(1, 1 << 24));
  command->add_option("--generate", flags->generate, "tokens to generate (default 32)")->check(CLI::Range(1, 1 << 20));
  command->add_option("--concurrency", flags->concurrencies, "sequences at once (default 1); repeatable")
      ->allow_extra_args(false)
      ->check(CLI::Range(1, 4096));
  command->add_option("--repeat", flags->repeat, "runs, of which the median counts (default 5)")
      ->check(CLI::Range(1, 10'000));
  command->add_option("--kv-cache-dtype", flags->cache_type, "float32 (default) or bfloat16")
      ->check(CLI::IsMember({"float32", "bfloat16"}));
  add_dense_weights_option(*command, flags->dense);
  add_fast_flag(*command, flags->fast);
  add_expert_cache_option(*command, flags->expert_cache);
  command->add_flag("--profile", flags->profile, "also the time of each operation and layer");
  command->add_option("--json", flags->json, "write the result as JSON (- is stdout)");
  command->callback([flags, &common, &action] { action = [flags, &common] { return run_bench(*flags, common); }; });
}

}  // namespace tetrad
