// For this folder's tests: random numbers, and how close results have to be.
#pragma once

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <span>
#include <string>
#include <vector>

#include "base/rng.h"

namespace tetrad {

inline constexpr double kEpsilon = 0x1p-24;  // half an F32 ulp, relative

inline std::vector<float> normal_values(std::size_t n, std::uint64_t seed, float scale = 1.0F) {
  Rng rng(seed);
  std::vector<float> values(n);
  for (float& v : values) v = static_cast<float>(rng.uniform() + rng.uniform() + rng.uniform() - 1.5) * 2.0F * scale;
  return values;
}

inline void expect_same_bytes(std::span<const float> a, std::span<const float> b, const std::string& what) {
  ASSERT_EQ(a.size(), b.size());
  for (std::size_t i = 0; i < a.size(); ++i)
    ASSERT_EQ(std::bit_cast<std::uint32_t>(a[i]), std::bit_cast<std::uint32_t>(b[i]))
        << what << " at " << i << ": " << a[i] << " " << b[i];
}

// |got - exact| <= epsilon * bound for each element.
inline void expect_close(std::span<const float> got, std::span<const double> exact, double bound,
                         const std::string& what) {
  ASSERT_EQ(got.size(), exact.size());
  for (std::size_t i = 0; i < got.size(); ++i)
    ASSERT_LE(std::abs(static_cast<double>(got[i]) - exact[i]), bound * kEpsilon)
        << what << " at " << i << ": " << got[i] << " " << exact[i];
}

}  // namespace tetrad
