#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "cli/bench_result.h"

namespace tetrad {

Rate rate_of(std::vector<double> rates) {
  std::sort(rates.begin(), rates.end());
  const std::size_t n = rates.size();
  return {n % 2 == 1 ? rates[n / 2] : (rates[n / 2 - 1] + rates[n / 2]) / 2, rates.front(), rates.back()};
}

namespace {

Json to_json(const Rate& rate) {
  return {{"tokens_per_second_median", rate.median}, {"min", rate.min}, {"max", rate.max}};
}

// Of `bytes` in each step.
double achieved_gbs(const Decode& d, double bytes) {
  return d.rate.median / static_cast<double>(d.concurrency) * bytes / 1e9;
}
double of_stream(const Decode& d, const BenchResult& result) {
  return achieved_gbs(d, d.weight_bytes) / result.read.median;
}
double of_stream_with_kv(const Decode& d, const BenchResult& result) {
  return achieved_gbs(d, d.weight_bytes + d.kv_bytes) / result.read.median;
}

// The disk's share: never above 1, since its rate is measured as well.
double of_disk(const CacheUse& use, const BenchResult& result) {
  return result.disk_gbs > 0 ? std::min(1.0, use.read_gbs / result.disk_gbs) : 0.0;
}

Json to_json(const CacheUse& use, const BenchResult& result) {
  return {{"hit_rate", use.hit_rate},           {"bytes_read_per_step", use.bytes_per_step},
          {"read_gbs", use.read_gbs},           {"fraction_of_disk", of_disk(use, result)},
          {"wait_fraction", use.wait_fraction}, {"foreseen_rate", use.foreseen_rate}};
}

std::string cache_text(const BenchResult& result) {
  std::string text = fmt::format(
      "\nexperts from disk, which reads {:.2f} GB/s at most\n{:<14} {:>12} {:>9} {:>12} {:>9} {:>10} "
      "{:>10}\n",
      result.disk_gbs, "", "in memory", "foreseen", "MB a step", "GB/s", "of disk", "waiting");
  const auto line = [&](const std::string& name, const CacheUse& use) {
    text += fmt::format("{:<14} {:>11.1f}% {:>8.0f}% {:>12.1f} {:>9.2f} {:>9.0f}% {:>9.0f}%\n", name,
                        100 * use.hit_rate, 100 * use.foreseen_rate, use.bytes_per_step / 1e6, use.read_gbs,
                        100 * of_disk(use, result), 100 * use.wait_fraction);
  };
  for (const Prefill& p : result.prefills)
    if (p.cache) line(fmt::format("prefill {}", p.tokens), *p.cache);
  for (const Decode& d : result.decodes)
    if (d.cache) line(fmt::format("decode {}", d.concurrency), *d.cache);
  return text;
}

}  // namespace

Json bench_json(const BenchResult& result, const Compute& compute) {
  const MachineLimits& machine = result.machine;
  Json json;
  json["machine"] = {{"cpu", machine.cpu},
                     {"cores", compute.pool().size()},
                     {"simd", compute.simd()},
                     {"stream_read_gbs", result.read.median},
                     {"stream_read_gbs_min", result.read.min},
                     {"stream_read_gbs_max", result.read.max},
                     {"peak_gflops", machine.peak_gflops},
                     {"peak_int8_gops", machine.peak_int8_gops}};
  if (machine.peak_bf16_gflops > 0) json["machine"]["peak_bf16_gflops"] = machine.peak_bf16_gflops;
  if (result.disk_gbs > 0) json["machine"]["disk_read_gbs"] = result.disk_gbs;
  json["prefill"] = json["decode"] = Json::array();
  for (const Prefill& p : result.prefills) {
    json["prefill"].push_back({{"tokens", p.tokens}});
    json["prefill"].back().update(to_json(p.rate));
    if (p.cache) json["prefill"].back()["expert_cache"] = to_json(*p.cache, result);
  }
  for (const Decode& d : result.decodes) {
    json["decode"].push_back({{"concurrency", d.concurrency}, {"context", d.context}});
    json["decode"].back().update(to_json(d.rate));
    json["decode"].back().update({{"weight_bytes_per_step", d.weight_bytes},
                                  {"kv_bytes_per_step", d.kv_bytes},
                                  {"achieved_gbs", achieved_gbs(d, d.weight_bytes)},
                                  {"fraction_of_stream", of_stream(d, result)},
                                  {"fraction_of_stream_with_kv", of_stream_with_kv(d, result)}});
    if (d.cache) json["decode"].back()["expert_cache"] = to_json(*d.cache, result);
  }
  return json;
}

std::string bench_text(const BenchResult& result, const Compute& compute, double flops_per_token) {
  const MachineLimits& machine = result.machine;
  std::string text = fmt::format(
      "{}, {} threads, {}: reads {:.1f} GB/s ({:.1f} .. {:.1f}); {:.0f} GFLOP/s in F32, {:.0f} GOP/s in int8{} at "
      "most\n\n",
      machine.cpu, compute.pool().size(), compute.simd(), result.read.median, result.read.min, result.read.max,
      machine.peak_gflops, machine.peak_int8_gops,
      machine.peak_bf16_gflops > 0 ? fmt::format(", {:.0f} GFLOP/s in BF16 tiles", machine.peak_bf16_gflops) : "");
  text += fmt::format("{:<8} {:>12} {:>20} {:>18}\n", "prefill", "tokens/s", "min .. max", "of F32 peak");
  for (const Prefill& p : result.prefills)
    text += fmt::format("{:<8} {:>12.1f} {:>20} {:>17.0f}%\n", p.tokens, p.rate.median,
                        fmt::format("{:.1f} .. {:.1f}", p.rate.min, p.rate.max),
                        100 * p.rate.median * flops_per_token / 1e9 / machine.peak_gflops);
  text += fmt::format("\n{:<8} {:>8} {:>12} {:>20} {:>12} {:>9} {:>10} {:>10} {:>8}\n", "decode", "context", "tokens/s",
                      "min .. max", "MB a step", "GB/s", "of stream", "MB of KV", "with KV");
  for (const Decode& d : result.decodes)
    text +=
        fmt::format("{:<8} {:>8} {:>12.1f} {:>20} {:>12.1f} {:>9.1f} {:>9.0f}% {:>10.1f} {:>7.0f}%\n", d.concurrency,
                    d.context, d.rate.median, fmt::format("{:.1f} .. {:.1f}", d.rate.min, d.rate.max),
                    d.weight_bytes / 1e6, achieved_gbs(d, d.weight_bytes), 100 * of_stream(d, result), d.kv_bytes / 1e6,
                    100 * of_stream_with_kv(d, result));
  if (!result.decodes.empty() && result.decodes.front().cache) text += cache_text(result);
  return text;
}

}  // namespace tetrad
