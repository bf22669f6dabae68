// Matrix products on one thread: GFLOP/s and the share of the F32 multiply-add peak measured in the same program; and
// the rate at which single-row products read weights. Run with --benchmark_filter to choose.
#include <benchmark/benchmark.h>
#include <fmt/format.h>
#include <time.h>

#include <algorithm>
#include <span>
#include <string>
#include <vector>

#include "base/float_buffer.h"
#include "base/rng.h"
#include "kernels/attention_bench.h"
#include "kernels/linear.h"
#include "kernels/machine_limits.h"

namespace tetrad {
namespace {

// Of this thread alone: other work on the machine does not count.
double seconds() {
  timespec now{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
}

struct Case {
  const char* name;
  WeightFormat format;
  std::int64_t m, n, k;
  bool int8 = false;
};
constexpr Case kCases[] = {
    {"fp8", WeightFormat::kFp8Block, 64, 1536, 3072},
    {"fp8", WeightFormat::kFp8Block, 1024, 1536, 3072},
    {"nvfp4", WeightFormat::kNvfp4, 64, 1536, 3072},
    {"bf16", WeightFormat::kBF16, 256, 3072, 1536},
    {"fp8_tiny", WeightFormat::kFp8Block, 64, 128, 256},
    {"fp8", WeightFormat::kFp8Block, 1, 1536, 3072},
    {"fp8", WeightFormat::kFp8Block, 4, 1536, 3072},
    {"fp8", WeightFormat::kFp8Block, 8, 1536, 3072},
    {"fp8", WeightFormat::kFp8Block, 16, 1536, 3072},
    {"fp8", WeightFormat::kFp8Block, 32, 1536, 3072},
    {"nvfp4", WeightFormat::kNvfp4, 1, 1536, 3072},
    {"nvfp4_l2", WeightFormat::kNvfp4, 1, 256, 3072},
    {"nvfp4", WeightFormat::kNvfp4, 4, 1536, 3072},
    {"nvfp4", WeightFormat::kNvfp4, 8, 1536, 3072},
    {"nvfp4", WeightFormat::kNvfp4, 1, 3072, 1536},
    {"nvfp4", WeightFormat::kNvfp4, 256, 1536, 3072},
    {"bf16", WeightFormat::kBF16, 1, 6144, 3072},
    {"bf16", WeightFormat::kBF16, 4, 6144, 3072},
    {"bf16", WeightFormat::kBF16, 8, 6144, 3072},
    {"bf16", WeightFormat::kBF16, 16, 6144, 3072},
    {"bf16", WeightFormat::kBF16, 64, 1536, 3072},
    {"bf16", WeightFormat::kBF16, 512, 1536, 3072},
    {"nvfp4", WeightFormat::kNvfp4, 16, 1536, 3072},
    {"nvfp4", WeightFormat::kNvfp4, 12, 1536, 3072},
    {"bf16", WeightFormat::kBF16, 12, 6144, 3072},
    {"bf16", WeightFormat::kBF16, 1, 24576, 3072},
    {"int8row", WeightFormat::kInt8Row, 1, 24576, 3072},
    {"fp8row", WeightFormat::kFp8Row, 1, 24576, 3072},
    {"bf16", WeightFormat::kBF16, 2, 24576, 3072},
    {"int8row", WeightFormat::kInt8Row, 2, 24576, 3072},
    {"fp8row", WeightFormat::kFp8Row, 2, 24576, 3072},
    {"int8row", WeightFormat::kInt8Row, 4, 6144, 3072},
    {"fp8row", WeightFormat::kFp8Row, 4, 6144, 3072},
    {"int8row", WeightFormat::kInt8Row, 8, 6144, 3072},
    {"fp8row", WeightFormat::kFp8Row, 8, 6144, 3072},
    {"int8row", WeightFormat::kInt8Row, 512, 1536, 3072},
    {"nvfp4", WeightFormat::kNvfp4, 1, 49152, 3072},
    {"nvfp4", WeightFormat::kNvfp4, 4, 49152, 3072},
    {"nvfp4int8", WeightFormat::kNvfp4, 1, 49152, 3072, true},
    {"nvfp4int8", WeightFormat::kNvfp4, 4, 49152, 3072, true},
    {"nvfp4int8_l2", WeightFormat::kNvfp4, 1, 256, 3072, true},
    {"nvfp4int8", WeightFormat::kNvfp4, 1, 1536, 3072, true},
    {"nvfp4int8", WeightFormat::kNvfp4, 2, 1536, 3072, true},
    {"nvfp4int8", WeightFormat::kNvfp4, 4, 1536, 3072, true},
    {"nvfp4int8", WeightFormat::kNvfp4, 8, 1536, 3072, true},
    {"nvfp4int8", WeightFormat::kNvfp4, 6, 1536, 3072, true},
    {"nvfp4int8", WeightFormat::kNvfp4, 12, 1536, 3072, true},
    {"nvfp4int8", WeightFormat::kNvfp4, 24, 1536, 3072, true},
    {"nvfp4int8", WeightFormat::kNvfp4, 16, 1536, 3072, true},
    {"nvfp4int8", WeightFormat::kNvfp4, 64, 1536, 3072, true},
    {"nvfp4int8", WeightFormat::kNvfp4, 256, 1536, 3072, true},
};

void run_case(benchmark::State& state, const Case& c, const std::string& target, double peak) {
  const Compute compute = *Compute::create(1, target);
  Rng rng(1);
  const std::int64_t bytes = c.format == WeightFormat::kBF16    ? 2 * c.n * c.k
                             : c.format == WeightFormat::kNvfp4 ? c.n * c.k / 2
                                                                : c.n * c.k;
  FloatBuffer memory;  // in huge pages, as checkpoints are (base/files.h)
  const std::span data(reinterpret_cast<std::byte*>(memory.grow((bytes + 3) / 4)), static_cast<std::size_t>(bytes));
  std::vector<std::byte> scales(static_cast<std::size_t>(c.n * c.k / 16), std::byte{0x38});
  // Bytes below 120: FP8 codes and scales without NaN; in BF16 halves that end so, numbers around 0.02 (denormal ones
  // would take a hundred times as long).
  for (std::byte& byte : data) byte = static_cast<std::byte>(rng.below(120));
  // A checkpoint's blocks reach 448, so of a thousand of its codes not one is subnormal.
  if (c.format == WeightFormat::kFp8Block || c.format == WeightFormat::kFp8Row)
    for (std::byte& byte : data) byte = static_cast<std::byte>(std::max(8, std::to_integer<int>(byte)));
  if (c.format == WeightFormat::kBF16)
    for (std::size_t i = 1; i < data.size(); i += 2) data[i] = static_cast<std::byte>(0x3C + 0x80 * rng.below(2));
  std::vector<float> block_scales(static_cast<std::size_t>(std::max(c.n, (c.n / 128) * (c.k / 128))), 0.01F),
      x(static_cast<std::size_t>(c.m * c.k), 0.5F), y(static_cast<std::size_t>(c.m * c.n));
  WeightView weight;
  weight.format = c.format;
  weight.rows = c.n;
  weight.cols = c.k;
  weight.data = data;
  weight.scales =
      c.format == WeightFormat::kNvfp4 ? std::span<const std::byte>(scales) : std::as_bytes(std::span(block_scales));
  Workspace workspace(compute);
  const LinearJob job = {&weight, x.data(), c.m, c.k, y.data(), c.n};
  double elapsed = 0;
  for (auto _ : state) {
    const double begin = seconds();
    linear(compute, workspace, {&job, 1}, {.int8 = c.int8});
    elapsed += seconds() - begin;
  }
  const double gflops = 2.0 * static_cast<double>(c.m * c.n * c.k * state.iterations()) / elapsed / 1e9;
  state.counters["GFLOPS"] = gflops;
  state.counters["of_peak"] = gflops / peak;
  state.counters["weights_GBps"] = static_cast<double>(bytes * state.iterations()) / elapsed / 1e9;
}

}  // namespace
}  // namespace tetrad

int main(int argc, char** argv) {
  benchmark::Initialize(&argc, argv);
  for (const std::string& target : tetrad::available_simd_targets()) {
    const double peak = tetrad::peak_gflops(target);
    fmt::print("{}: {:.1f} GFLOP/s peak on one thread\n", target, peak);
    for (const tetrad::Case& c : tetrad::kCases)
      benchmark::RegisterBenchmark(
          fmt::format("{}/{}/{}x{}x{}", target, c.name, c.m, c.n, c.k).c_str(),
          [&c, target, peak](benchmark::State& state) { tetrad::run_case(state, c, target, peak); })
          ->Unit(benchmark::kMicrosecond);
    tetrad::register_attention_benchmarks(target, peak);
  }
  benchmark::RunSpecifiedBenchmarks();
}
