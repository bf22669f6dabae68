// E2M1, E4M3FN, BF16 and F16 over every code, every BF16 value, and the neighbourhood of every rounding boundary; the
// judge is a search in double precision for the nearest value, ties to the even code.
#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <limits>
#include <vector>

#include "base/rng.h"
#include "numeric/bf16.h"
#include "numeric/e2m1.h"
#include "numeric/e4m3.h"

namespace tetrad {
namespace {

constexpr float kInf = std::numeric_limits<float>::infinity();
constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

// values: ascending, from 0; value i has code i. Above the last one `beyond` tells where rounding up would go
// (infinity's place).
std::uint32_t nearest(double magnitude, const std::vector<double>& values) {
  std::size_t above = 0;
  while (above < values.size() && values[above] < magnitude) ++above;
  if (above == values.size()) return static_cast<std::uint32_t>(above - 1);
  if (above == 0) return 0;
  const double up = values[above] - magnitude, down = magnitude - values[above - 1];
  if (up == down) return static_cast<std::uint32_t>(above % 2 == 0 ? above : above - 1);
  return static_cast<std::uint32_t>(up < down ? above : above - 1);
}

std::vector<float> all_bf16() {
  std::vector<float> values;
  for (std::uint32_t bits = 0; bits < 0x10000; ++bits)
    values.push_back(bf16_to_float(static_cast<std::uint16_t>(bits)));
  return values;
}

// Midpoints between neighbours, what lies just beside them, and the values themselves.
std::vector<float> boundaries(const std::vector<double>& values) {
  std::vector<float> result;
  for (std::size_t i = 0; i < values.size(); ++i) {
    const auto here = static_cast<float>(values[i]);
    const auto middle = i + 1 < values.size() ? static_cast<float>((values[i] + values[i + 1]) / 2) : here * 1.25F;
    for (const float v : {here, middle})
      for (const float x : {v, std::nextafter(v, 0.0F), std::nextafter(v, kInf)}) {
        result.push_back(x);
        result.push_back(-x);
      }
  }
  return result;
}

TEST(E2m1, RoundsToNearestEven) {
  const std::vector<double> values = {0, 0.5, 1, 1.5, 2, 3, 4, 6};
  std::vector<float> inputs = boundaries(values);
  for (const float v : all_bf16())
    if (!std::isnan(v)) inputs.push_back(v);
  for (const float v : inputs) {
    const std::uint32_t expected = nearest(std::fabs(static_cast<double>(v)), values) | (v < 0 ? 8U : 0U);
    ASSERT_EQ(e2m1_from_float(v), expected) << v;
  }
  for (std::uint8_t code = 0; code < 16; ++code) EXPECT_EQ(e2m1_from_float(kE2m1Values[code]), code == 8 ? 0 : code);
  EXPECT_EQ(e2m1_from_float(-0.0F), 0);
  EXPECT_EQ(e2m1_from_float(-0.1F), 8);
  EXPECT_EQ(e2m1_from_float(kInf), 7);
  EXPECT_EQ(e2m1_from_float(-kInf), 15);
}

std::vector<double> e4m3_values() {
  std::vector<double> values;
  for (int code = 0; code < 127; ++code) {
    const int exponent = code >> 3, mantissa = code & 7;
    values.push_back(exponent == 0 ? std::ldexp(mantissa, -9) : std::ldexp(8 + mantissa, exponent - 10));
  }
  return values;
}

TEST(E4m3, DecodesEveryCode) {
  const std::vector<double> values = e4m3_values();
  for (std::uint32_t code = 0; code < 256; ++code) {
    const float decoded = e4m3_to_float(static_cast<std::uint8_t>(code));
    if ((code & 0x7F) == 0x7F) {
      EXPECT_TRUE(std::isnan(decoded));
      continue;
    }
    EXPECT_EQ(std::fabs(decoded), values[code & 0x7F]);
    EXPECT_EQ(std::signbit(decoded), code >= 0x80);
    EXPECT_EQ(e4m3_from_float(decoded), code);
  }
}

TEST(E4m3, RoundsToNearestEvenAndSaturates) {
  const std::vector<double> values = e4m3_values();
  std::vector<float> inputs = boundaries(values);
  for (const float v : all_bf16())
    if (!std::isnan(v)) inputs.push_back(v);
  Rng rng(1);
  for (int i = 0; i < 20000; ++i)
    inputs.push_back(static_cast<float>(std::exp2(rng.uniform() * 24 - 12) * (rng.uniform() < 0.5 ? -1 : 1)));
  for (const float v : inputs) {
    const std::uint32_t expected = nearest(std::fabs(static_cast<double>(v)), values) | (std::signbit(v) ? 0x80U : 0U);
    ASSERT_EQ(e4m3_from_float(v), expected) << v;
  }
  EXPECT_EQ(e4m3_from_float(449.0F), 0x7E);
  EXPECT_EQ(e4m3_from_float(kInf), 0x7E);
  EXPECT_EQ(e4m3_from_float(-kInf), 0xFE);
  EXPECT_EQ(e4m3_from_float(kNan), 0x7F);
  EXPECT_EQ(e4m3_from_float(-kNan), 0xFF);
  EXPECT_EQ(e4m3_from_float(std::numeric_limits<float>::denorm_min()), 0);
}

TEST(Bf16, DecodesAndEncodesEveryCode) {
  for (std::uint32_t code = 0; code < 0x10000; ++code) {
    const float value = bf16_to_float(static_cast<std::uint16_t>(code));
    if (std::isnan(value)) {
      EXPECT_EQ(bf16_from_float(value), code | 0x40);
      EXPECT_TRUE(std::isnan(bf16_to_float(bf16_from_float(value))));
    } else {
      EXPECT_EQ(bf16_from_float(value), code);
    }
  }
}

// Rounding is between a code and the next one; both are known, so the judge needs no search.
void expect_bf16(float v) {
  const std::uint32_t bits = std::bit_cast<std::uint32_t>(v);
  const auto low = static_cast<std::uint16_t>(bits >> 16);
  const auto high = static_cast<std::uint16_t>(low + 1);
  const double at = std::fabs(static_cast<double>(v)), down = std::fabs(static_cast<double>(bf16_to_float(low)));
  // The next value above the largest is 2^128: infinity's place.
  const double up = (high & 0x7F80) == 0x7F80 ? 0x1p128 : std::fabs(static_cast<double>(bf16_to_float(high)));
  const bool even_up = (low & 1) != 0;
  const bool goes_up = up - at < at - down || (up - at == at - down && even_up);
  ASSERT_EQ(bf16_from_float(v), goes_up ? high : low) << v;
}

TEST(Bf16, RoundsToNearestEven) {
  for (std::uint32_t code = 0; code < 0x10000; ++code) {
    if ((code & 0x7F80) == 0x7F80) continue;
    for (const std::uint32_t tail : {1U, 0x7FFFU, 0x8000U, 0x8001U, 0xFFFFU})
      expect_bf16(std::bit_cast<float>(code << 16 | tail));
  }
  EXPECT_EQ(bf16_from_float(std::numeric_limits<float>::max()), 0x7F80);
  EXPECT_EQ(bf16_from_float(kInf), 0x7F80);
  EXPECT_EQ(bf16_from_float(-kInf), 0xFF80);
  EXPECT_TRUE(
      std::isnan(round_to_bf16(std::bit_cast<float>(0x7F800001U))));  // a signalling NaN whose payload would be cut off
}

std::vector<double> f16_values() {
  std::vector<double> values;
  for (int code = 0; code < 0x7C00; ++code) {
    const int exponent = code >> 10, mantissa = code & 0x3FF;
    values.push_back(exponent == 0 ? std::ldexp(mantissa, -24) : std::ldexp(1024 + mantissa, exponent - 25));
  }
  return values;
}

TEST(F16, DecodesAndEncodesEveryCode) {
  const std::vector<double> values = f16_values();
  for (std::uint32_t code = 0; code < 0x10000; ++code) {
    const float value = f16_to_float(static_cast<std::uint16_t>(code));
    const std::uint32_t magnitude = code & 0x7FFF;
    if (magnitude > 0x7C00) {
      EXPECT_TRUE(std::isnan(value));
      EXPECT_EQ(f16_from_float(value), code | 0x200);
      continue;
    }
    EXPECT_EQ(std::fabs(static_cast<double>(value)),
              magnitude == 0x7C00 ? static_cast<double>(kInf) : values[magnitude]);
    EXPECT_EQ(f16_from_float(value), code);
  }
}

TEST(F16, RoundsToNearestEven) {
  const std::vector<double> values = f16_values();
  for (std::uint32_t code = 0; code + 1 < values.size(); ++code) {
    const auto low = static_cast<float>(values[code]), high = static_cast<float>(values[code + 1]);
    const float middle = low + (high - low) / 2;  // exact: F32 has 13 bits more
    const std::uint32_t even = code % 2 == 0 ? code : code + 1;
    ASSERT_EQ(f16_from_float(middle), even) << middle;
    ASSERT_EQ(f16_from_float(-middle), even | 0x8000U) << middle;
    ASSERT_EQ(f16_from_float(std::nextafter(middle, 0.0F)), code);
    ASSERT_EQ(f16_from_float(std::nextafter(middle, kInf)), code + 1);
  }
  EXPECT_EQ(f16_from_float(65519.99F), 0x7BFF);
  EXPECT_EQ(f16_from_float(65520.0F), 0x7C00);
  EXPECT_EQ(f16_from_float(-kInf), 0xFC00);
  EXPECT_EQ(f16_from_float(std::numeric_limits<float>::denorm_min()), 0);
}

TEST(F16, RoundsEveryBf16Value) {
  const std::vector<double> values = f16_values();
  for (const float v : all_bf16()) {
    if (std::isnan(v)) continue;
    const double magnitude = std::fabs(static_cast<double>(v));
    // std::lower_bound by hand would be the code under test again: step from a nearby guess.
    std::uint32_t expected = 0x7C00;
    if (magnitude < 65520) {
      const int exponent = magnitude == 0 ? -14 : std::max(-14, std::ilogb(magnitude));
      const double steps = std::ldexp(magnitude, 10 - exponent);  // multiples of the spacing
      const auto rounded = static_cast<std::uint32_t>(std::nearbyint(steps));
      expected = static_cast<std::uint32_t>(exponent + 14) * 1024 + rounded;
      ASSERT_EQ(expected >= values.size() ? 65536.0 : values[expected], std::ldexp(rounded, exponent - 10));
    }
    ASSERT_EQ(f16_from_float(v), expected | (std::signbit(v) ? 0x8000U : 0U)) << v;
  }
}

}  // namespace
}  // namespace tetrad
