// The quantizer's inner loops for one SIMD target: a row of F32 to NVFP4. Same bytes and same sums as numeric/nvfp4.h
// on every target. Used by quant/quantizer.cpp, which decodes the rows and shares them out.
#pragma once

#include <cstdint>
#include <string>

#include "numeric/nvfp4.h"

namespace tetrad {

// A row to quantize. Buffers are the caller's; they may be unaligned.
struct QuantizeRow {
  float* values =
      nullptr;            // [cols] and zeros up to the next multiple of kQuantizeRowMultiple; non-finite ones become 0
  std::int64_t cols = 0;  // a multiple of 16
  Algorithm algorithm = Algorithm::kMax;
  float amax = 0, tensor_scale = 1;  // nvfp4_tensor_scale(algorithm, amax)
  std::uint8_t* codes = nullptr;     // [cols / 2]
  std::uint8_t* scales = nullptr;    // [cols / 16]
  // Results.
  Nvfp4Error error;
  std::int64_t nonfinite = 0;
  std::int64_t candidates = 0;  // scales tried by kMse, times 16 blocks: for the benchmark
};
inline constexpr std::int64_t kQuantizeRowMultiple = 256;  // 16 blocks of 16: the search takes a block a lane

struct QuantizeKernels {
  // The largest finite |value| is folded into amax, the number of non-finite ones is added to nonfinite.
  void (*range)(const float* values, std::int64_t n, float* amax, std::int64_t* nonfinite) = nullptr;
  void (*quantize_row)(QuantizeRow& row) = nullptr;
};

// By the name that Compute::simd() has; nullptr when there is no such target. The caller made sure that the CPU can run
// it.
const QuantizeKernels* quantize_kernels(const std::string& simd);

}  // namespace tetrad
