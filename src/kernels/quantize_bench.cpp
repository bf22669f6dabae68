// Weights a second of one thread: a row of 3072 (MiniMax-M2's width) decoded and quantized, many rows as a matrix has
// them.
#include <benchmark/benchmark.h>

#include <cmath>
#include <string>
#include <utility>
#include <vector>

#include "base/rng.h"
#include "kernels/compute.h"
#include "kernels/kernel_table.h"
#include "kernels/quantize_nvfp4.h"
#include "numeric/bf16.h"
#include "numeric/e4m3.h"

namespace tetrad {
namespace {

constexpr std::int64_t kRows = 256, kCols = 3072;

// N(0, 0.02): FP8 as released checkpoints store it (448 for the largest of a block), and BF16.
struct Matrix {
  std::vector<std::byte> data, scales;
  WeightView view;
};

Matrix make_matrix(WeightFormat format) {
  Matrix m;
  m.view.format = format;
  m.view.rows = kRows;
  m.view.cols = kCols;
  Rng rng(1);
  const bool fp8 = format == WeightFormat::kFp8Block;
  for (std::int64_t i = 0; i < kRows * kCols; ++i) {
    const double normal = std::sqrt(-2 * std::log(1 - rng.uniform())) * std::cos(6.283185307179586 * rng.uniform());
    const auto code =
        fp8 ? e4m3_from_float(static_cast<float>(100 * normal)) : bf16_from_float(static_cast<float>(0.02 * normal));
    m.data.push_back(static_cast<std::byte>(code & 0xFF));
    if (!fp8) m.data.push_back(static_cast<std::byte>(code >> 8));
  }
  const float scale = 2e-4F;
  const auto* const bytes = reinterpret_cast<const std::byte*>(&scale);
  for (std::int64_t i = 0; fp8 && i < kRows / 128 * (kCols / 128); ++i)
    m.scales.insert(m.scales.end(), bytes, bytes + 4);
  m.view.data = m.data;
  m.view.scales = m.scales;
  return m;
}

void run(benchmark::State& state, const std::string& simd, WeightFormat format, Algorithm algorithm) {
  const Matrix matrix = make_matrix(format);
  const KernelTable& table = *kernel_table(simd);
  const QuantizeKernels& kernels = *quantize_kernels(simd);
  const RawWeight weight = raw_weight(matrix.view);
  std::vector<float> values(kCols);
  std::vector<std::uint8_t> codes(kRows * kCols / 2), scales(kRows * kCols / 16);
  std::int64_t candidates = 0;
  for (auto _ : state) {
    float amax = 0;
    std::int64_t nonfinite = 0;
    for (std::int64_t i = 0; i < kRows; ++i) {
      table.decode_rows(weight, i, 1, values.data(), kCols);
      kernels.range(values.data(), kCols, &amax, &nonfinite);
    }
    QuantizeRow row;
    candidates = 0;
    for (std::int64_t i = 0; i < kRows; ++i) {
      table.decode_rows(weight, i, 1, values.data(), kCols);
      row = {values.data(),
             kCols,
             algorithm,
             amax,
             nvfp4_tensor_scale(algorithm, amax),
             &codes[static_cast<std::size_t>(i * kCols / 2)],
             &scales[static_cast<std::size_t>(i * kCols / 16)],
             {},
             0,
             0};
      kernels.quantize_row(row);
      candidates += row.candidates;
    }
    benchmark::DoNotOptimize(codes.data());
  }
  state.counters["weights/s"] =
      benchmark::Counter(static_cast<double>(kRows * kCols * state.iterations()), benchmark::Counter::kIsRate);
  if (candidates > 0) state.counters["scales tried"] = static_cast<double>(candidates) * 16 / (kRows * kCols);
}

// A row of BF16 as 8-bit codes, as --dense-weights makes them while a model is loaded.
void run_codes(benchmark::State& state, const std::string& simd, WeightFormat format) {
  const Matrix matrix = make_matrix(WeightFormat::kBF16);
  const KernelTable& table = *kernel_table(simd);
  std::vector<float> values(kCols);
  std::vector<std::byte> codes(kRows * kCols);
  for (auto _ : state) {
    for (std::int64_t i = 0; i < kRows; ++i) {
      table.decode_rows(raw_weight(matrix.view), i, 1, values.data(), kCols);
      benchmark::DoNotOptimize(table.quantize_row(values.data(), kCols, format, codes.data() + i * kCols));
    }
  }
  state.counters["weights/s"] =
      benchmark::Counter(static_cast<double>(kRows * kCols * state.iterations()), benchmark::Counter::kIsRate);
}

void add_benchmarks() {
  const std::pair<const char*, WeightFormat> formats[] = {{"fp8", WeightFormat::kFp8Block},
                                                          {"bf16", WeightFormat::kBF16}};
  const std::pair<const char*, Algorithm> algorithms[] = {
      {"max", Algorithm::kMax}, {"mse", Algorithm::kMse}, {"four-over-six", Algorithm::kFourOverSix}};
  for (const std::string& simd : available_simd_targets())
    for (const auto& [algorithm_name, algorithm] : algorithms)
      for (const auto& [format_name, format] : formats)
        benchmark::RegisterBenchmark((simd + "/" + algorithm_name + "/" + format_name).c_str(), run, simd, format,
                                     algorithm)
            ->Unit(benchmark::kMillisecond);
  for (const std::string& simd : available_simd_targets())
    for (const auto& [name, format] :
         {std::pair{"int8row", WeightFormat::kInt8Row}, std::pair{"fp8row", WeightFormat::kFp8Row}})
      benchmark::RegisterBenchmark((simd + "/" + name + "/quantize").c_str(), run_codes, simd, format)
          ->Unit(benchmark::kMillisecond);
}

}  // namespace
}  // namespace tetrad

// main() is in gemm_bench.cpp: one benchmark program a folder.
[[maybe_unused]] static const bool kAdded = (tetrad::add_benchmarks(), true);
