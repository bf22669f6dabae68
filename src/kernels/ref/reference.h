// The oracle: every kernel's meaning as naive loops in double precision. Tests compare the kernels with these; nothing
// else uses them.
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
std::vector<float> fake_quantize(std::span<const float> x, float input_scale);

}  // namespace tetrad::ref
