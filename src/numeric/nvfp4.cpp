#include "numeric/nvfp4.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "base/check.h"
#include "numeric/e2m1.h"
#include "numeric/e4m3.h"

namespace tetrad {
namespace {

constexpr std::uint8_t kOne = 0x38;  // 1.0 in E4M3

float block_amax(const float* w) {
  float amax = 0;
  for (int i = 0; i < kNvfp4Block; ++i) amax = std::max(amax, std::fabs(w[i]));
  return amax;
}

std::uint8_t clamped_e4m3(float s) { return e4m3_from_float(std::clamp(s, kE4m3MinSubnormal, kE4m3Max)); }

std::uint8_t max_scale(const float* w, float tensor_scale) {
  const float b = block_amax(w);
  if (b == 0) return kOne;
  return clamped_e4m3(b / (6.0F * tensor_scale));
}

std::uint8_t mse_scale(const float* w, float tensor_scale) {
  std::uint8_t best = 1;
  float least = nvfp4_loss(w, best, tensor_scale);
  for (std::uint8_t scale = 2; scale <= 126; ++scale) {
    const float loss = nvfp4_loss(w, scale, tensor_scale);
    if (loss < least) {
      least = loss;
      best = scale;
    }
  }
  return best;
}

std::uint8_t four_over_six_scale(const float* w, float amax, float tensor_scale) {
  if (amax == 0) return kOne;
  const float b = block_amax(w);
  if (b == 0) return clamped_e4m3(256.0F / (amax / 6.0F));  // 1 in place of (b m) / 6
  // b and amax by 2^-exponent in two steps, as 2^149 is no F32.
  const int exponent = std::ilogb(amax), half = exponent / 2;
  const float first = std::ldexp(1.0F, -half), second = std::ldexp(1.0F, half - exponent);
  const auto candidate = [&](float multiplier) {
    const float s = b * first * second * multiplier / 6.0F;
    return clamped_e4m3(s * 256.0F / (amax * first * second / 6.0F));
  };
  const std::uint8_t six = candidate(1.0F), four = candidate(1.5F);
  return nvfp4_loss(w, four, tensor_scale) < nvfp4_loss(w, six, tensor_scale) ? four : six;
}

double add_halves(double* lanes) {
  for (int width = 8; width > 0; width /= 2)
    for (int j = 0; j < width; ++j) lanes[j] += lanes[j + width];
  return lanes[0];
}

}  // namespace

float nvfp4_tensor_scale(Algorithm algorithm, float amax) {
  TETRAD_CHECK(amax >= 0 && std::isfinite(amax));
  if (amax == 0) return 1.0F;
  const float divisor = algorithm == Algorithm::kFourOverSix ? 1536.0F : 2688.0F;
  const float scale = amax / divisor;
  if (scale == 0) return std::numeric_limits<float>::denorm_min();
  return std::isfinite(divisor * scale) ? scale : std::nextafter(scale, 0.0F);
}

std::uint8_t nvfp4_block_scale(Algorithm algorithm, const float* w, float amax, float tensor_scale) {
  switch (algorithm) {
    case Algorithm::kMax:
      return max_scale(w, tensor_scale);
    case Algorithm::kMse:
      return mse_scale(w, tensor_scale);
    case Algorithm::kFourOverSix:
      return four_over_six_scale(w, amax, tensor_scale);
  }
  return kOne;
}

float nvfp4_loss(const float* w, std::uint8_t scale, float tensor_scale) {
  const float c = e4m3_to_float(scale), reciprocal = 1.0F / c;
  float sums[4] = {};
  for (int i = 0; i < kNvfp4Block; ++i) {
    const float u = std::fabs(w[i]) / tensor_scale;
    const float q = kE2m1Values[e2m1_from_float(u * reciprocal)];
    const float e = u - q * c;
    sums[i % 4] += e * e;
  }
  return (sums[0] + sums[1]) + (sums[2] + sums[3]);
}

void nvfp4_encode_block(const float* w, std::uint8_t scale, float tensor_scale, std::uint8_t* codes) {
  const float d = e4m3_to_float(scale) * tensor_scale;
  const auto code = [&](int i) { return d == 0 ? std::uint8_t{0} : e2m1_from_float(w[i] / d); };
  for (int i = 0; i < kNvfp4Block; i += 2) codes[i / 2] = static_cast<std::uint8_t>(code(i) | code(i + 1) << 4);
}

void nvfp4_decode_block(const std::uint8_t* codes, std::uint8_t scale, float tensor_scale, float* w) {
  const float d = e4m3_to_float(scale) * tensor_scale;
  for (int i = 0; i < kNvfp4Block; ++i) w[i] = kE2m1Values[codes[i / 2] >> (4 * (i & 1)) & 0xF] * d;
}

Nvfp4Error nvfp4_quantize(const float* w, std::int64_t rows, std::int64_t cols, Algorithm algorithm, float amax,
                          std::uint8_t* codes, std::uint8_t* scales, float& tensor_scale) {
  TETRAD_CHECK(cols % kNvfp4Block == 0);
  tensor_scale = nvfp4_tensor_scale(algorithm, amax);
  Nvfp4Error error;
  for (std::int64_t row = 0; row < rows; ++row) {
    double errors[kNvfp4Block] = {}, norms[kNvfp4Block] = {};
    for (std::int64_t col = 0; col < cols; col += kNvfp4Block) {
      float block[kNvfp4Block], decoded[kNvfp4Block];
      for (int i = 0; i < kNvfp4Block; ++i) {
        const float value = w[row * cols + col + i];
        block[i] = std::isfinite(value) ? value : 0.0F;
      }
      const std::uint8_t scale = nvfp4_block_scale(algorithm, block, amax, tensor_scale);
      std::uint8_t* const out = codes + (row * cols + col) / 2;
      scales[(row * cols + col) / kNvfp4Block] = scale;
      nvfp4_encode_block(block, scale, tensor_scale, out);
      nvfp4_decode_block(out, scale, tensor_scale, decoded);
      for (int i = 0; i < kNvfp4Block; ++i) {
        const double e = static_cast<double>(block[i] - decoded[i]), v = static_cast<double>(block[i]);
        errors[i] += e * e;
        norms[i] += v * v;
      }
    }
    error.squared_error += add_halves(errors);
    error.squared_norm += add_halves(norms);
  }
  return error;
}

}  // namespace tetrad
