// What this machine can do, measured: the rates that speeds are compared with. Used by `tetrad bench` and benchmarks.
#pragma once

#include <string>
#include <vector>

#include "base/float_buffer.h"
#include "kernels/compute.h"

namespace tetrad {

// Of one thread, in CPU time: as many F32 multiply-adds as the target's registers hold, best of five runs of 10 ms.
double peak_gflops(const std::string& simd);

struct MachineLimits {
  std::string cpu;  // its name
  // Of all of the pool's threads together; int8: products of 8-bit integers added up in 32 bits, 2 operations each.
  double peak_gflops = 0, peak_int8_gops = 0;
  double peak_bf16_gflops = 0;  // of a matrix unit (AMX); 0 where there is none
};
// Best of five runs of some 10 ms, so that other programs count less.
MachineLimits measure_machine(const Compute& compute);

// The rate at which all of the pool's threads together read memory, in huge pages where there are some: 512 MiB, three
// times at once. What a large L3 holds of them counts, as what it holds of a model's weights does for decoding: on a
// Xeon with 480 MiB of it 28 to 30 GB/s, where the first reading gives 12 to 25. A shared machine's rate changes from
// minute to minute, so what is compared with it should run in turn with it, and medians of both be compared.
class ReadMeter {
 public:
  explicit ReadMeter(const Compute& compute);                  // which must outlive it
  void measure();                                              // reads three times
  const std::vector<double>& rates() const { return rates_; }  // GB/s, of each reading

 private:
  ThreadPool& pool_;
  FloatBuffer memory_;
  std::vector<double> rates_;
};

}  // namespace tetrad
