// What `tetrad bench` measures, and as text and JSON.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/json.h"
#include "kernels/compute.h"
#include "kernels/machine_limits.h"

namespace tetrad {

struct Rate {  // of several repetitions: tokens a second, or GB/s
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
  double weight_bytes = 0, kv_bytes = 0;  // read in a step
  std::optional<CacheUse> cache;
};

struct BenchResult {
  MachineLimits machine;
  Rate read;            // GB/s, in turn with decoding, which is compared with the median
  double disk_gbs = 0;  // of the model's disk; 0: not measured, all is in memory
  std::vector<Prefill> prefills;
  std::vector<Decode> decodes;
};

Rate rate_of(std::vector<double> rates);  // not empty
Json bench_json(const BenchResult& result, const Compute& compute);
// flops_per_token: of a prompt's.
std::string bench_text(const BenchResult& result, const Compute& compute, double flops_per_token);

}  // namespace tetrad
