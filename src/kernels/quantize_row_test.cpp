// Rows of weights as 8-bit codes: every target against the oracle byte for byte, and what the codes mean against the
// row.
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "base/rng.h"
#include "kernels/compute.h"
#include "kernels/ref/reference.h"

namespace tetrad {
namespace {

constexpr WeightFormat kRowFormats[] = {WeightFormat::kInt8Row, WeightFormat::kFp8Row};

std::vector<float> normal_row(std::size_t n, float scale) {
  Rng rng(n);
  std::vector<float> x(n);
  for (float& v : x) v = static_cast<float>(rng.uniform() + rng.uniform() + rng.uniform() - 1.5) * scale;
  return x;
}

// The oracle's codes, once every target gave them and left alone what lies behind.
ref::RowCodes codes_of(const std::vector<float>& x, WeightFormat format) {
  ref::RowCodes expected = ref::quantize_row(x, format);
  for (const std::string& target : available_simd_targets()) {
    std::vector<std::byte> got(x.size() + 16, std::byte{0xA5});
    const float scale =
        kernel_table(target)->quantize_row(x.data(), static_cast<std::int64_t>(x.size()), format, got.data());
    EXPECT_EQ(std::isnan(expected.scale), std::isnan(scale)) << target;
    if (std::isnan(expected.scale)) continue;
    EXPECT_EQ(expected.scale, scale) << target;
    for (std::size_t i = 0; i < got.size(); ++i)
      EXPECT_EQ(i < x.size() ? expected.codes[i] : std::byte{0xA5}, got[i])
          << target << " at " << i << " of " << x.size();
  }
  return expected;
}

float value_of(std::byte code, float scale, WeightFormat format) {
  WeightView view;
  view.format = format;
  view.rows = view.cols = 1;
  view.data = {&code, 1};
  view.scales = std::as_bytes(std::span(&scale, 1));
  return ref::decode(view)[0];
}

TEST(QuantizeRow, IsTheSameOnEveryTargetAndNear) {
  for (const WeightFormat format : kRowFormats)
    for (const std::size_t n : {1U, 3U, 16U, 21U, 133U, 3072U})
      for (const float scale : {1.0F, 0.02F, 1e-30F, 1e38F}) {
        const std::vector<float> x = normal_row(n, scale);
        const ref::RowCodes row = codes_of(x, format);
        for (std::size_t i = 0; i < n; ++i) {
          // Half a step: of 1/127 of the largest; of E4M3's three bits, or its subnormals.
          const float half = format == WeightFormat::kInt8Row
                                 ? 0.5001F * row.scale
                                 : std::max(std::abs(x[i]) / 16, row.scale * 0x1p-10F) * 1.0001F;
          ASSERT_LE(std::abs(value_of(row.codes[i], row.scale, format) - x[i]), half) << x[i];
        }
      }
}

TEST(QuantizeRow, TiesGoToEven) {
  const std::vector<float> x = {127.0F, 0.5F, 1.5F, 2.5F, -0.5F, -1.5F, -126.5F, -127.0F, 0.0F};
  const ref::RowCodes row = codes_of(x, WeightFormat::kInt8Row);
  const std::vector<int> expected = {127, 0, 2, 2, 0, -2, -126, -127, 0};
  EXPECT_EQ(row.scale, 1.0F);
  for (std::size_t i = 0; i < x.size(); ++i) EXPECT_EQ(static_cast<std::int8_t>(row.codes[i]), expected[i]);
}

TEST(QuantizeRow, ZerosAndTinyRowsBecomeZeros) {
  for (const WeightFormat format : kRowFormats)
    for (const float value : {0.0F, -0.0F, 1e-45F, -1e-38F, 1.4e-36F}) {
      const ref::RowCodes row = codes_of(std::vector<float>(37, value), format);
      EXPECT_EQ(row.scale, 0.0F);
      for (const std::byte code : row.codes) EXPECT_EQ(code, std::byte{0});
    }
  EXPECT_GT(codes_of(std::vector<float>(37, 1.6e-36F), WeightFormat::kInt8Row).scale, 0.0F);  // 2^-126 * 127 is below
}

TEST(QuantizeRow, LargestNumbersFit) {
  constexpr float kMax = std::numeric_limits<float>::max();
  for (const WeightFormat format : kRowFormats) {
    const ref::RowCodes row = codes_of({kMax, -kMax, 0.0F, kMax / 2}, format);
    EXPECT_NEAR(value_of(row.codes[3], row.scale, format) / kMax, 0.5, 0.01);
  }
}

TEST(QuantizeRow, WhatIsNotFiniteHasNoScale) {
  for (const WeightFormat format : kRowFormats)
    for (const float bad : {std::numeric_limits<float>::infinity(), -std::numeric_limits<float>::infinity(),
                            std::numeric_limits<float>::quiet_NaN()})
      for (const std::size_t at : {0U, 17U, 36U}) {
        std::vector<float> x = normal_row(37, 1.0F);
        x[at] = bad;
        EXPECT_TRUE(std::isnan(codes_of(x, format).scale));
      }
}

}  // namespace
}  // namespace tetrad
