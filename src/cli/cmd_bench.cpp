#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <nlohmann/json.hpp>
#include <optional>

#include "audit/inspect.h"
#include "base/log.h"
#include "cli/bench_runner.h"
#include "cli/command.h"
#include "cli/memory_plan.h"
#include "model/dense_weights.h"
#include "model/disk_rate.h"
#include "model/expert_cache.h"

namespace tetrad {
namespace {

constexpr double kDiskSeconds = 0.7;

struct BenchFlags {
  std::string model, json, cache_type = "float32", expert_cache = "auto";
  std::vector<std::int64_t> prompts = {512}, concurrencies = {1};
  BenchRuns runs;
  DenseWeights dense = DenseWeights::kStored;
  bool fast = false;
};

double bytes_of_each_step(const Inspection& inspection, const DenseBytes& dense) {
  double bytes = static_cast<double>(inspection.weight_bytes - dense.replaced + dense.resident);
  for (const Tally& tally : inspection.by_role)
    if (tally.name == role_name(Role::kExpert) || tally.name == role_name(Role::kEmbedding))
      bytes -= static_cast<double>(tally.bytes);
  return bytes;
}

Status measure(BenchRunner& runner, const BenchFlags& flags, std::int64_t context, BenchResult& result) {
  Progress progress("measuring", flags.prompts.size() + flags.concurrencies.size());
  for (const std::int64_t tokens : flags.prompts) {
    result.prefills.push_back(TETRAD_TRY(runner.prefill(tokens)));
    progress.advance(result.prefills.size());
  }
  for (const std::int64_t concurrency : flags.concurrencies) {
    result.decodes.push_back(TETRAD_TRY(runner.decode(concurrency, context)));
    progress.advance(result.prefills.size() + result.decodes.size());
  }
  return {};
}

Status run_bench(const BenchFlags& flags, const CommonFlags& common) {
  const Model opened = TETRAD_TRY(open_model(flags.model));
  const Compute compute = TETRAD_TRY(common.compute());
  const Inspection inspection = inspect(opened.checkpoint, opened.config);
  const std::int64_t context = *std::max_element(flags.prompts.begin(), flags.prompts.end());
  const std::int64_t most = *std::max_element(flags.concurrencies.begin(), flags.concurrencies.end());
  if (context + flags.runs.generate > opened.config.max_position)
    return make_error(ErrorCode::kUsage, "too long", fmt::format("--prompt {}", context),
                      fmt::format("with --generate {} it is beyond the model's {} positions", flags.runs.generate,
                                  opened.config.max_position));
  const DenseBytes dense = TETRAD_TRY(dense_bytes(opened.checkpoint, opened.config, flags.dense));
  ForwardOptions forward;
  forward.dense = flags.dense;
  forward.int8_inputs = flags.fast;
  const std::int64_t slots = most * (context + flags.runs.generate);
  const bool bf16 = flags.cache_type != "float32";
  const auto plan = [&]() -> Result<std::uint64_t> {
    MemoryRequest memory = TETRAD_TRY(memory_request(opened, flags.expert_cache, flags.dense));
    memory.bytes_per_token = PagedModel::bytes_per_slot(opened.config, bf16);
    memory.step_tokens = std::max(std::min(context, flags.runs.chunk), most);
    return plan_expert_cache(
        memory, slots,
        "free memory, lower --prompt, --generate, --concurrency or --expert-cache, or take --dense-weights int8");
  };
  const std::uint64_t cache_bytes = TETRAD_TRY(plan());
  // Beside a model that needs its memory the rate is measured before, not in turn.
  std::optional<ReadMeter> meter(compute);
  meter->measure();
  const auto beside = plan();
  BenchResult result;
  result.read = rate_of(meter->rates());
  if (cache_bytes > 0 || !beside || *beside > 0) meter.reset();
  result.machine = measure_machine(compute);
  if (cache_bytes > 0) result.disk_gbs = disk_read_gbs(opened.checkpoint, kDiskSeconds);
  auto model =
      TETRAD_TRY(PagedModel::open(opened.checkpoint, opened.config, compute, forward, slots, bf16, cache_bytes));
  if (model.expert_cache() != nullptr) model.expert_cache()->set_interruptible(true);
  BenchRuns runs = flags.runs;
  runs.seed = common.seed;
  runs.kv_bytes_per_token = PagedModel::bytes_per_slot(opened.config, bf16);
  runs.dense_bytes = bytes_of_each_step(inspection, dense);
  BenchRunner runner(std::move(model), opened.config, meter ? &*meter : nullptr, runs);
  TETRAD_TRY(measure(runner, flags, context, result));
  if (meter) result.read = rate_of(meter->rates());
  // Again: what else reads from the disk comes and goes, and the better of both is nearer to its limit.
  if (result.disk_gbs > 0) result.disk_gbs = std::max(result.disk_gbs, disk_read_gbs(opened.checkpoint, kDiskSeconds));
  for (const Prefill& p : result.prefills) result.disk_gbs = std::max(result.disk_gbs, p.cache ? p.cache->busy_gbs : 0);
  for (const Decode& d : result.decodes) result.disk_gbs = std::max(result.disk_gbs, d.cache ? d.cache->busy_gbs : 0);
  // Two FLOPs for each weight a token meets; the head only meets the last one.
  const double flops =
      2.0 * static_cast<double>(inspection.active_parameters -
                                static_cast<std::uint64_t>(opened.config.vocab * opened.config.hidden));
  Json json = bench_json(result, compute);
  json["dense_weights"] = dense_weights_name(flags.dense);
  json["expert_inputs"] = expert_inputs_name(forward, compute);
  std::string text = bench_text(result, compute, flops);
  if (json["expert_inputs"] == "int8") text = "inputs of NVFP4 experts in 8 bits\n" + text;
  for (const PassProfile& profile : runner.profiles()) {
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
  command->add_option("--generate", flags->runs.generate, "tokens to generate (default 32)")
      ->check(CLI::Range(1, 1 << 20));
  command->add_option("--concurrency", flags->concurrencies, "sequences at once (default 1); repeatable")
      ->allow_extra_args(false)
      ->check(CLI::Range(1, 4096));
  command->add_option("--repeat", flags->runs.repeat, "runs, of which the median counts (default 5)")
      ->check(CLI::Range(1, 10'000));
  command->add_option("--kv-cache-dtype", flags->cache_type, "float32 (default) or bfloat16")
      ->check(CLI::IsMember({"float32", "bfloat16"}));
  add_dense_weights_option(*command, flags->dense);
  add_fast_flag(*command, flags->fast);
  add_expert_cache_option(*command, flags->expert_cache);
  command->add_flag("--profile", flags->runs.profile, "also the time of each operation and layer");
  command->add_option("--json", flags->json, "write the result as JSON (- is stdout)");
  command->callback([flags, &common, &action] { action = [flags, &common] { return run_bench(*flags, common); }; });
}

}  // namespace tetrad
