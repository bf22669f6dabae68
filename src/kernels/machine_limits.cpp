// clang-format off: the file to compile must be named first
#define TETRAD_SIMD_FILE "kernels/simd/peak.h"
#include "kernels/simd/foreach_target.h"
// clang-format on

#include "kernels/machine_limits.h"

#include <time.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <fstream>
#include <vector>

#include "base/check.h"
#include "kernels/kernel_table.h"

namespace tetrad {
namespace {

constexpr std::size_t kReadBytes = std::size_t{512} << 20, kPieceBytes = std::size_t{1} << 20;

double thread_seconds() {
  timespec now{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
}

double wall_seconds() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

enum class Peak { kF32, kInt8, kMatrix };

// Runs the loop and returns its operations.
std::int64_t run_peak(const std::string& simd, Peak peak, std::int64_t rounds, float* out) {
  const bool f32 = peak == Peak::kF32;
  if (simd == "avx512" || simd == "amx") {
    (f32 ? avx512::peak_fma : avx512::peak_int8)(rounds, out);
    return (f32 ? avx512::kPeakFlopsPerRound : avx512::kPeakInt8OpsPerRound) * rounds;
  }
  if (simd == "avx2") {
    (f32 ? avx2::peak_fma : avx2::peak_int8)(rounds, out);
    return (f32 ? avx2::kPeakFlopsPerRound : avx2::kPeakInt8OpsPerRound) * rounds;
  }
  (f32 ? scalar::peak_fma : scalar::peak_int8)(rounds, out);
  return (f32 ? scalar::kPeakFlopsPerRound : scalar::kPeakInt8OpsPerRound) * rounds;
}

constexpr std::int64_t kMatrixRounds = 500'000;  // 10 ms
std::int64_t rounds_of(const std::string& simd) { return simd == "scalar" || simd == "ref" ? 100'000 : 3'000'000; }

std::uint64_t sum_of(const std::uint64_t* words, std::size_t count) {
  std::uint64_t sums[8] = {};
  for (std::size_t i = 0; i + 8 <= count; i += 8)
    for (std::size_t j = 0; j < 8; ++j) sums[j] += words[i + j];
  std::uint64_t sum = 0;
  for (const std::uint64_t one : sums) sum += one;
  return sum;
}

std::string cpu_name() {
  std::ifstream file("/proc/cpuinfo");
  for (std::string line; std::getline(file, line);)
    if (line.starts_with("model name")) return line.substr(std::min(line.find(':') + 2, line.size()));
  return "unknown";
}

}  // namespace

double peak_gflops(const std::string& simd) {
  std::vector<float> out(512, 1e-3F);
  double best = 0;
  for (int run = 0; run < 5; ++run) {
    const double begin = thread_seconds();
    const std::int64_t flops = run_peak(simd, Peak::kF32, rounds_of(simd), out.data());
    best = std::max(best, static_cast<double>(flops) / (thread_seconds() - begin) / 1e9);
  }
  return best;
}

namespace {

// Billions of operations a second of all threads together, best of five runs.
double pool_rate(const Compute& compute, Peak peak) {
  double best = 0;
  for (int run = 0; run < 5; ++run) {
    std::atomic<std::int64_t> operations{0};
    const double begin = wall_seconds();
    compute.pool().run(compute.pool().size(), [&](std::size_t, std::size_t) {
      std::vector<float> out(512, 1e-3F);
      operations += peak == Peak::kMatrix ? compute.kernels().matrix.peak(kMatrixRounds)
                                          : run_peak(compute.simd(), peak, rounds_of(compute.simd()), out.data());
    });
    best = std::max(best, static_cast<double>(operations) / (wall_seconds() - begin) / 1e9);
  }
  return best;
}

}  // namespace

ReadMeter::ReadMeter(const Compute& compute) : pool_(compute.pool()) {
  auto* words = reinterpret_cast<std::uint64_t*>(memory_.grow(kReadBytes / sizeof(float)));
  std::fill_n(words, kReadBytes / 8, 1);  // else all pages are one of zeros
}

void ReadMeter::measure() {
  const auto* words = reinterpret_cast<const std::uint64_t*>(memory_.data());
  std::atomic<std::uint64_t> sum{0};
  for (int run = 0; run < 3; ++run) {
    const double begin = wall_seconds();
    pool_.run(kReadBytes / kPieceBytes, [&](std::size_t piece, std::size_t) {
      sum += sum_of(words + piece * (kPieceBytes / 8), kPieceBytes / 8);
    });
    const double seconds = wall_seconds() - begin;
    TETRAD_CHECK(sum > 0);  // the compiler can't leave it out
    rates_.push_back(static_cast<double>(kReadBytes) / seconds / 1e9);
  }
}

MachineLimits measure_machine(const Compute& compute) {
  MachineLimits limits;
  limits.cpu = cpu_name();
  limits.peak_gflops = pool_rate(compute, Peak::kF32);
  limits.peak_int8_gops = pool_rate(compute, Peak::kInt8);
  if (compute.kernels().matrix.peak != nullptr) limits.peak_bf16_gflops = pool_rate(compute, Peak::kMatrix);
  return limits;
}

}  // namespace tetrad
