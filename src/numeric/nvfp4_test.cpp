// The codec's promises, by hand and in double precision. Model Optimizer's own results: quant/quantizer_test.cpp.
#include "numeric/nvfp4.h"

#include <gmock/gmock.h>

#include <array>
#include <cmath>
#include <limits>
#include <vector>

#include "base/rng.h"
#include "numeric/bf16.h"
#include "numeric/e2m1.h"
#include "numeric/e4m3.h"

namespace tetrad {
namespace {

constexpr std::array kAlgorithms = {Algorithm::kMax, Algorithm::kMse, Algorithm::kFourOverSix};

struct Quantized {
  std::vector<std::uint8_t> codes, scales;
  float tensor_scale = 0;
  Nvfp4Error error;
  std::vector<float> decoded() const {
    std::vector<float> w(codes.size() * 2);
    for (std::size_t b = 0; b < scales.size(); ++b)
      nvfp4_decode_block(&codes[b * 8], scales[b], tensor_scale, &w[b * 16]);
    return w;
  }
};

Quantized quantize(const std::vector<float>& w, Algorithm algorithm, std::int64_t rows = 1) {
  Quantized result;
  result.codes.resize(w.size() / 2);
  result.scales.resize(w.size() / 16);
  float amax = 0;
  for (const float v : w)
    if (std::isfinite(v)) amax = std::max(amax, std::fabs(v));
  result.error = nvfp4_quantize(w.data(), rows, static_cast<std::int64_t>(w.size()) / rows, algorithm, amax,
                                result.codes.data(), result.scales.data(), result.tensor_scale);
  return result;
}

std::vector<float> normal(std::size_t n, double sigma, std::uint64_t seed) {
  Rng rng(seed);
  std::vector<float> w(n);
  for (float& v : w) {
    const double r = std::sqrt(-2 * std::log(1 - rng.uniform()));
    v = round_to_bf16(static_cast<float>(sigma * r * std::cos(6.283185307179586 * rng.uniform())));
  }
  return w;
}

double squared_error(const std::vector<float>& w, std::size_t block, std::uint8_t scale, float tensor_scale) {
  double sum = 0;
  const float d = e4m3_to_float(scale) * tensor_scale;
  for (std::size_t i = 16 * block; i < 16 * block + 16; ++i) {
    const double e = static_cast<double>(w[i]) -
                     static_cast<double>(kE2m1Values[e2m1_from_float(w[i] / d)]) * static_cast<double>(d);
    sum += e * e;
  }
  return sum;
}

TEST(Nvfp4, MaxByHand) {
  std::vector<float> w(32, 0.0F);
  const std::array<float, 8> head = {6, -6, 5, 2.5F, 0.25F, -0.25F, -0.75F, 3.5F};
  std::copy(head.begin(), head.end(), w.begin());
  w[31] = 2688;
  const Quantized q = quantize(w, Algorithm::kMax);
  EXPECT_EQ(q.tensor_scale, 1.0F);
  EXPECT_THAT(q.scales, testing::ElementsAre(0x38, 0x7E));
  EXPECT_THAT(std::vector(q.codes.begin(), q.codes.begin() + 4), testing::ElementsAre(0xF7, 0x46, 0x80, 0x6A));
  EXPECT_EQ(q.codes.back(), 0x70);
}

TEST(Nvfp4, SearchFindsTheLeastErrorOfAllScales) {
  const std::vector<float> w = normal(16 * 64, 0.03, 7);
  const Quantized q = quantize(w, Algorithm::kMse), by_max = quantize(w, Algorithm::kMax);
  for (std::size_t b = 0; b < q.scales.size(); ++b) {
    double least = std::numeric_limits<double>::max();
    for (std::uint8_t c = 1; c <= 126; ++c) least = std::min(least, squared_error(w, b, c, q.tensor_scale));
    EXPECT_LE(squared_error(w, b, q.scales[b], q.tensor_scale), least * (1 + 1e-6)) << b;
  }
  EXPECT_LT(q.error.squared_error, 0.85 * by_max.error.squared_error);
}

TEST(Nvfp4, FourOverSixTakesTheBetterOfTwo) {
  std::vector<float> w(48, 0.0F);
  for (std::size_t i = 0; i < 16; ++i) w[i] = i % 2 == 0 ? 4.0F : 3.0F;   // 4 as the largest code: exact
  for (std::size_t i = 16; i < 32; ++i) w[i] = i % 2 == 0 ? 6.0F : 1.5F;  // 6 as the largest code: exact
  for (std::size_t i = 32; i < 48; ++i) w[i] = 1536;
  const Quantized q = quantize(w, Algorithm::kFourOverSix);
  EXPECT_EQ(q.tensor_scale, 1.0F);
  EXPECT_THAT(q.scales, testing::ElementsAre(0x38, 0x38, 0x78));
  EXPECT_EQ(q.error.squared_error, 0.0);
}

TEST(Nvfp4, ZeroMatricesAndBlocks) {
  for (const Algorithm algorithm : kAlgorithms) {
    std::vector<float> w(32, 0.0F);
    w[3] = -0.0F;
    const Quantized zero = quantize(w, algorithm);
    EXPECT_EQ(zero.tensor_scale, 1.0F);
    EXPECT_THAT(zero.codes, testing::Each(0));
    EXPECT_THAT(zero.scales, testing::Each(algorithm == Algorithm::kMse ? 0x01 : 0x38));
    w[20] = 0.5F;
    const Quantized one = quantize(w, algorithm);
    EXPECT_THAT(std::vector(one.codes.begin(), one.codes.begin() + 8), testing::Each(0));
    EXPECT_NE(one.scales[0] & 0x7F, 0x7F);
    EXPECT_EQ(one.error.squared_error, 0.0);
  }
}

TEST(Nvfp4, NonFiniteWeightsCountAsZero) {
  std::vector<float> w = normal(64, 1.0, 3), clean = w;
  w[5] = std::numeric_limits<float>::quiet_NaN();
  w[17] = std::numeric_limits<float>::infinity();
  w[40] = -std::numeric_limits<float>::infinity();
  clean[5] = clean[17] = clean[40] = 0.0F;
  for (const Algorithm algorithm : kAlgorithms) {
    const Quantized a = quantize(w, algorithm), b = quantize(clean, algorithm);
    EXPECT_EQ(a.codes, b.codes);
    EXPECT_EQ(a.scales, b.scales);
    EXPECT_EQ(a.error.squared_error, b.error.squared_error);
  }
}

// The same matrix at every power of two that leaves it a normal number gives the same codes and scales.
TEST(Nvfp4, MagnitudeDoesNotMatter) {
  const std::vector<float> w = normal(16 * 32, 1.0, 11);
  for (const Algorithm algorithm : kAlgorithms) {
    const Quantized expected = quantize(w, algorithm);
    for (const int exponent : {-100, -60, 60, 120}) {
      std::vector<float> scaled = w;
      for (float& v : scaled) v = std::ldexp(v, exponent);
      const Quantized q = quantize(scaled, algorithm);
      EXPECT_EQ(q.codes, expected.codes) << exponent;
      EXPECT_EQ(q.scales, expected.scales) << exponent;
    }
  }
}

TEST(Nvfp4, ExtremesStayFiniteAndClose) {
  const float tiniest = std::numeric_limits<float>::denorm_min();
  for (const float amax : {tiniest, 3 * tiniest, 1000 * tiniest, 5000 * tiniest, 1e-41F, 1e-38F, 3e38F,
                           std::numeric_limits<float>::max()}) {
    std::vector<float> w(64);
    for (std::size_t i = 0; i < w.size(); ++i)
      w[i] = amax * (static_cast<float>(i % 7) / 6.0F) * (i % 3 == 0 ? -1.0F : 1.0F);
    w[13] = amax;
    for (const Algorithm algorithm : kAlgorithms) {
      const Quantized q = quantize(w, algorithm);
      EXPECT_GT(q.tensor_scale, 0.0F);
      EXPECT_TRUE(std::isfinite(q.tensor_scale));
      for (const std::uint8_t scale : q.scales) EXPECT_TRUE(scale >= 1 && scale <= 126);
      for (const float v : q.decoded()) EXPECT_TRUE(std::isfinite(v));
      EXPECT_TRUE(std::isfinite(q.error.squared_error));
      if (amax > 1e-39F) {
        EXPECT_LT(q.error.squared_error, 0.02 * q.error.squared_norm) << amax;
      }
    }
  }
}

TEST(Nvfp4, ErrorIsThatOfTheDecodedMatrix) {
  const std::vector<float> w = normal(16 * 48, 0.1, 5);
  const Quantized q = quantize(w, Algorithm::kMse, 3);
  const std::vector<float> decoded = q.decoded();
  double error = 0, norm = 0;
  for (std::size_t i = 0; i < w.size(); ++i) {
    error += std::pow(static_cast<double>(w[i]) - static_cast<double>(decoded[i]), 2);
    norm += std::pow(static_cast<double>(w[i]), 2);
  }
  EXPECT_NEAR(q.error.squared_error, error, error * 1e-6);
  EXPECT_NEAR(q.error.squared_norm, norm, norm * 1e-12);
}

}  // namespace
}  // namespace tetrad
