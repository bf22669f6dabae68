// A linear layer's weight in whatever form a checkpoint stores it, as checked views. checkpoint/ makes these, kernels/
// decodes and multiplies them. Shapes: a weight maps `cols` inputs to `rows` outputs, row-major. What each format means
// in F32 (and so what every kernel must compute):
//   kF32, kF16, kBF16  the value itself
//   kFp8Block          round_to_bf16(e4m3(code) * scale[r / block_rows, c / block_cols]); partial edge blocks are legal
//   kNvfp4             e2m1(code) * (e4m3(scale[r, c / 16]) * tensor_scale), the bracket rounded to F32, then the
//   product
//   kInt8Row, kFp8Row  int8(code) or e4m3(code), times scale[r]. Made at load (model/dense_weights.h), never stored:
//   codes are -127 to 127, or no NaN
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

namespace tetrad {

enum class WeightFormat : std::uint8_t { kF32, kF16, kBF16, kFp8Block, kNvfp4, kInt8Row, kFp8Row };

struct WeightView {
  WeightFormat format = WeightFormat::kF32;
  std::int64_t rows = 0, cols = 0;
  std::span<const std::byte>
      data;  // rows * cols elements; kNvfp4: rows * cols / 2 bytes, even column in the low nibble. May be unaligned
  std::span<const std::byte> scales;  // kFp8Block: F32 [ceil(rows / block_rows), ceil(cols / block_cols)], maybe
                                      // unaligned; kNvfp4: E4M3 [rows, cols / 16]; kInt8Row, kFp8Row: F32 [rows]
  std::int64_t block_rows = 128, block_cols = 128;  // kFp8Block only
  float tensor_scale = 1.0F;                        // kNvfp4 only: weight_scale_2
  std::optional<float> input_scale;  // kNvfp4 only: activation scale, amax / 2688; absent when the checkpoint has none

  std::size_t bytes() const { return data.size() + scales.size(); }
};

}  // namespace tetrad
