// What this machine can do, measured: the rates that speeds are compared with. Used by `tetrad bench` and benchmarks.
#pragma once

#include <string>

#include "kernels/compute.h"

namespace tetrad {

// Of one thread, in CPU time: as many F32 multiply-adds as the target's registers hold, best of five runs of 10 ms.
double peak_gflops(const std::string& simd);

struct MachineLimits {
  std::string cpu;  // its name
  // Of all of the pool's threads together; int8: products of 8-bit integers added up in 32 bits, 2 operations each.
  double stream_read_gbs = 0, peak_gflops = 0, peak_int8_gops = 0;
  double peak_bf16_gflops = 0;  // of a matrix unit (AMX); 0 where there is none
};
// A second: reads 512 MiB a few times, then multiplies. Best of several runs, so that other programs count less.
MachineLimits measure_machine(const Compute& compute);

}  // namespace tetrad
