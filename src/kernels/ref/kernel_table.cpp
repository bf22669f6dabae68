#include <algorithm>
#include <cmath>

#include "kernels/ref/reference.h"
#include "numeric/bf16.h"

namespace tetrad::ref {
namespace {

float rounded(double value, bool bf16) {
  const auto single = static_cast<float>(value);
  return bf16 ? round_to_bf16(single) : single;
}

std::span<const float> row(const float* p, std::int64_t n) { return {p, static_cast<std::size_t>(n)}; }

void decode_rows(const RawWeight& weight, std::int64_t first, std::int64_t count, float* out, std::int64_t stride) {
  for (std::int64_t r = 0; r < count; ++r) {
    for (std::int64_t c = 0; c < weight.cols; ++c) out[r * stride + c] = weight_at(weight, first + r, c);
    for (std::int64_t c = weight.cols; c < (weight.cols + 15) / 16 * 16; ++c) out[r * stride + c] = 0;
  }
}

void multiply(const MultiplyArgs& args) {
  for (std::int64_t i = 0; i < args.m; ++i)
    for (std::int64_t j = 0; j < args.n; ++j) {
      double sum = 0;
      for (std::int64_t k = 0; k < args.k; ++k)
        sum += static_cast<double>(args.x[i * args.x_stride + k]) * static_cast<double>(args.w[j * args.w_stride + k]);
      args.y[i * args.y_stride + j] = rounded(sum, args.bf16);
    }
}

void multiply_stored(const RawWeight& weight, std::int64_t first, const MultiplyArgs& args) {
  std::vector<float> w(static_cast<std::size_t>(args.n * weight.cols));
  decode_rows(weight, first, args.n, w.data(), weight.cols);
  MultiplyArgs plain = args;
  plain.w = w.data();
  plain.w_stride = plain.k = weight.cols;
  multiply(plain);
}

void attend_rows(const AttendArgs& args) {
  const std::vector<double> result = attend(args);
  for (std::int64_t r = 0; r < args.rows; ++r) {
    float* out = args.out + r / args.group * args.q_stride + r % args.group * args.head_dim;
    for (std::int64_t d = 0; d < args.head_dim; ++d)
      out[d] = rounded(result[static_cast<std::size_t>(r * args.head_dim + d)], args.bf16);
  }
}

// Rounded inside and outside, as the other targets do: weight * to_dtype(x / rms).
void rms_norm_row(const float* x, const float* weight, std::int64_t n, float eps, bool bf16, float* out) {
  const std::vector<float> ones(static_cast<std::size_t>(n), 1.0F);
  const auto normal = rms_norm(row(x, n), ones, static_cast<double>(eps));
  for (std::int64_t i = 0; i < n; ++i) {
    const double inner = normal[static_cast<std::size_t>(i)];
    out[i] = rounded(static_cast<double>(weight[i]) * (bf16 ? static_cast<double>(rounded(inner, true)) : inner), bf16);
  }
}

void rotate_row(float* x, const float* cos, const float* sin, std::int64_t half, bool bf16) {
  for (std::int64_t i = 0; i < half; ++i) {
    const double a = static_cast<double>(x[i]), b = static_cast<double>(x[half + i]);
    const double c = static_cast<double>(cos[i]), s = static_cast<double>(sin[i]);
    const auto sum = [bf16](double p, double q) {
      if (!bf16) return rounded(p + q, false);
      return rounded(static_cast<double>(rounded(p, true)) + static_cast<double>(rounded(q, true)), true);
    };
    x[i] = sum(a * c, -b * s);
    x[half + i] = sum(b * c, a * s);
  }
}

void swiglu_row(const float* gate, const float* up, std::int64_t n, bool bf16, float* out) {
  for (std::int64_t i = 0; i < n; ++i) {
    const double g = static_cast<double>(gate[i]);
    const double silu = g / (1.0 + std::exp(-g));
    out[i] = rounded((bf16 ? static_cast<double>(rounded(silu, true)) : silu) * static_cast<double>(up[i]), bf16);
  }
}

void add(float* a, const float* b, std::int64_t n, bool bf16) {
  for (std::int64_t i = 0; i < n; ++i) a[i] = rounded(static_cast<double>(a[i]) + static_cast<double>(b[i]), bf16);
}

void add_scaled(float* a, const float* b, float s, std::int64_t n, bool bf16) {
  for (std::int64_t i = 0; i < n; ++i) {
    const double product = static_cast<double>(b[i]) * static_cast<double>(s);
    a[i] = rounded(static_cast<double>(a[i]) + (bf16 ? static_cast<double>(rounded(product, true)) : product), bf16);
  }
}

float amax(const float* x, std::int64_t n) {
  float largest = 0;
  for (std::int64_t i = 0; i < n; ++i) {
    if (std::isnan(x[i])) return x[i];
    largest = std::max(largest, std::fabs(x[i]));
  }
  return largest;
}

void sigmoid_row(const float* x, std::int64_t n, float* out) {
  for (std::int64_t i = 0; i < n; ++i) out[i] = static_cast<float>(1.0 / (1.0 + std::exp(-static_cast<double>(x[i]))));
}

void exp_row(const float* x, std::int64_t n, float* out) {
  for (std::int64_t i = 0; i < n; ++i) out[i] = static_cast<float>(std::exp(static_cast<double>(x[i])));
}

float quantize_row_of(const float* x, std::int64_t n, WeightFormat format, std::byte* codes) {
  const RowCodes result = quantize_row(row(x, n), format);
  std::copy(result.codes.begin(), result.codes.end(), codes);
  return result.scale;
}

void fake_quantize_row(const float* x, std::int64_t n, float input_scale, float* out) {
  const std::vector<float> result = fake_quantize(row(x, n), input_scale);
  std::copy(result.begin(), result.end(), out);
}

}  // namespace

const KernelTable& kernel_table() {
  static constexpr KernelTable kTable = {.simd = "ref",
                                         .decode_rows = decode_rows,
                                         .multiply = multiply,
                                         .multiply_stored = multiply_stored,
                                         .nvfp4 = {},
                                         .nvfp4_int8 = {},
                                         .matrix = {},
                                         .attend = attend_rows,
                                         .rms_norm = rms_norm_row,
                                         .rotate = rotate_row,
                                         .swiglu = swiglu_row,
                                         .add = add,
                                         .add_scaled = add_scaled,
                                         .amax = amax,
                                         .quantize_row = quantize_row_of,
                                         .sigmoid = sigmoid_row,
                                         .exp = exp_row,
                                         .fake_quantize = fake_quantize_row};
  return kTable;
}

}  // namespace tetrad::ref
