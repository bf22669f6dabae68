// The oracle: every kernel's meaning as naive loops in double precision. Tests compare the kernels with these, and
// TETRAD_BACKEND=ref runs whole models on them: about forty times slower, for those who doubt a result.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "kernels/kernel_table.h"

namespace tetrad::ref {

std::vector<float> decode(const WeightView& weight);  // [rows, cols], exact
// y[m, rows] of x[m, cols], and for each result the sum of |x| |w|, which bounds the rounding error.
struct Product {
  std::vector<double> value, norm;
};
Product linear(std::span<const float> x, std::int64_t m, const WeightView& weight);
std::vector<double> rms_norm(std::span<const float> x, std::span<const float> weight, double eps);
std::vector<double> rotate(std::span<const float> x, std::span<const float> cos, std::span<const float> sin);
std::vector<double> swiglu(std::span<const float> gate, std::span<const float> up);
// Causal attention as AttendArgs describes it: [rows, head_dim] in row order.
std::vector<double> attend(const AttendArgs& args);
struct RowCodes {
  float scale = 0;
  std::vector<std::byte> codes;  // empty when the scale is NaN
};
RowCodes quantize_row(std::span<const float> x, WeightFormat format);
std::vector<float> fake_quantize(std::span<const float> x, float input_scale);

float weight_at(const RawWeight& weight, std::int64_t row, std::int64_t col);

// The oracle as a table: arithmetic in double within one operation, results rounded to F32, with `bf16` to BF16 where
// the other targets' are, except inside attention.
const KernelTable& kernel_table();

}  // namespace tetrad::ref
