// clang-format off: the file to compile must be named first
#define TETRAD_SIMD_FILE "kernels/simd/vec16_test_body.h"
#include "kernels/simd/foreach_target.h"
// clang-format on

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <string>
#include <vector>

#include "base/rng.h"
#include "kernels/compute.h"

namespace tetrad {
namespace {

constexpr std::size_t kOutputs = 36 * 16;
using Group = std::array<float, 16>;

std::array<float, kOutputs> run_on(const std::string& target, const Group& a, const Group& b, const Group& c,
                                   const std::byte* raw) {
  std::array<float, kOutputs> out;
  out.fill(0.0F);
  if (target == "avx512")
    avx512::run_vec16(a.data(), b.data(), c.data(), raw, out.data());
  else if (target == "avx2")
    avx2::run_vec16(a.data(), b.data(), c.data(), raw, out.data());
  else
    scalar::run_vec16(a.data(), b.data(), c.data(), raw, out.data());
  return out;
}

// Any bits, with ordinary numbers more often: NaN, infinities and subnormals included.
float any_float(std::uint64_t bits, bool ordinary) {
  if (ordinary) return static_cast<float>(static_cast<double>(bits & 0xFFFFFFU) / 0x1p20 - 8.0);
  return std::bit_cast<float>(static_cast<std::uint32_t>(bits));
}

TEST(Vec16, EveryTargetGivesTheSameBits) {
  Rng rng(7);
  for (int round = 0; round < 2000; ++round) {
    Group a, b, c;
    std::array<std::byte, 32> raw;
    for (std::size_t j = 0; j < 16; ++j) {
      a[j] = any_float(rng.next(), round % 4 != 0);
      b[j] = any_float(rng.next(), round % 4 != 1);
      c[j] = any_float(rng.next(), round % 4 != 2);
    }
    for (std::byte& byte : raw) byte = static_cast<std::byte>(rng.next());
    const auto expected = run_on("scalar", a, b, c, raw.data());
    for (const std::string& target : available_simd_targets()) {
      const auto got = run_on(target, a, b, c, raw.data());
      for (std::size_t i = 0; i < kOutputs; ++i) {
        if (std::isnan(expected[i]) && std::isnan(got[i]))
          continue;  // which NaN comes out of two is the compiler's choice
        ASSERT_EQ(std::bit_cast<std::uint32_t>(expected[i]), std::bit_cast<std::uint32_t>(got[i]))
            << target << " operation " << i / 16 << " lane " << i % 16 << " round " << round << " x " << a[i % 16];
      }
    }
  }
}

TEST(Vec16, ExpIsWithinTwoUlp) {
  double worst = 0;
  for (float x = -103.5F; x < 88.7F; x += 0.00713F) {
    Group a;
    a.fill(x);
    std::array<std::byte, 32> raw{};
    const float got = run_on("scalar", a, a, a, raw.data())[std::size_t{23} * 16];
    const double exact = std::exp(static_cast<double>(x));
    const double ulp = std::max(0x1p-149, std::ldexp(1.0, std::ilogb(exact) - 23));
    worst = std::max(worst, std::abs(static_cast<double>(got) - exact) / ulp);
  }
  EXPECT_LE(worst, 2.0);
  RecordProperty("worst_ulp", std::to_string(worst));
}

TEST(Vec16, DecodesEveryCode) {
  Group a{};
  for (unsigned base = 0; base < 65536; base += 16) {
    std::array<std::byte, 32> raw;
    for (unsigned j = 0; j < 16; ++j) {
      raw[2 * j] = static_cast<std::byte>(base + j);
      raw[2 * j + 1] = static_cast<std::byte>((base + j) >> 8);
    }
    for (const std::string& target : available_simd_targets()) {
      const auto got = run_on(target, a, a, a, raw.data());
      for (unsigned j = 0; j < 16; ++j) {
        const auto code = static_cast<std::uint16_t>(base + j);
        ASSERT_EQ(std::bit_cast<std::uint32_t>(bf16_to_float(code)), std::bit_cast<std::uint32_t>(got[16 * 16 + j]))
            << target << code;
        ASSERT_EQ(std::bit_cast<std::uint32_t>(f16_to_float(code)), std::bit_cast<std::uint32_t>(got[17 * 16 + j]))
            << target << code;
        const auto byte = static_cast<std::uint8_t>(raw[j]);
        ASSERT_EQ(std::bit_cast<std::uint32_t>(e4m3_to_float(byte)), std::bit_cast<std::uint32_t>(got[18 * 16 + j]))
            << target << byte;
        ASSERT_EQ(static_cast<float>(static_cast<std::int8_t>(byte)), got[31 * 16 + j]) << target << byte;
        if ((byte & 0x7FU) != 0x7FU) {
          ASSERT_EQ(std::bit_cast<std::uint32_t>(e4m3_to_float(byte) * 0x1p-8F),
                    std::bit_cast<std::uint32_t>(got[32 * 16 + j]))
              << target << byte;
        }
        const unsigned nibble = static_cast<unsigned>(raw[j / 2]) >> (4 * (j % 2)) & 15U;
        ASSERT_EQ(std::bit_cast<std::uint32_t>(kE2m1Values[nibble]), std::bit_cast<std::uint32_t>(got[19 * 16 + j]))
            << target << nibble;
      }
    }
  }
}

}  // namespace
}  // namespace tetrad
