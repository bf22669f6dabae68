// Benchmarks of attention for kernels_bench.
#pragma once

#include <string>

namespace tetrad {

// peak: of one thread of this target, GFLOP/s (machine_limits.h).
void register_attention_benchmarks(const std::string& target, double peak);

}  // namespace tetrad
