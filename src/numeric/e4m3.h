// E4M3FN ("fn": finite, no infinities): 1 sign, 4 exponent (bias 7), 3 mantissa bits; largest 448 (0x7E), NaN 0x7F and
// 0xFF, subnormals k * 2^-9. As PyTorch's float8_e4m3fn, but for encoding: see e4m3_from_float. Source: OCP 8-bit
// floating point, 2023.
#pragma once

#include <bit>
#include <cstdint>

namespace tetrad {

constexpr float kE4m3Max = 448.0F;
constexpr float kE4m3MinSubnormal = 0x1p-9F;

constexpr float e4m3_to_float(std::uint8_t code) {
  const std::uint32_t sign = static_cast<std::uint32_t>(code & 0x80U) << 24;
  const std::uint32_t magnitude = code & 0x7FU;
  if (magnitude == 0x7F) return std::bit_cast<float>(sign | 0x7FC00000U);
  if (magnitude < 8) {
    const float value = static_cast<float>(magnitude) * kE4m3MinSubnormal;
    return sign != 0 ? -value : value;
  }
  return std::bit_cast<float>(sign | ((magnitude << 20) + (120U << 23)));
}

// Round to nearest even; saturating: anything above 448, infinity too, becomes 448. NaN stays NaN (0x7F with the sign).
constexpr std::uint8_t e4m3_from_float(float value) {
  const std::uint32_t bits = std::bit_cast<std::uint32_t>(value);
  const auto sign = static_cast<std::uint8_t>((bits >> 24) & 0x80U);
  const std::uint32_t magnitude = bits & 0x7FFFFFFFU;
  if (magnitude > 0x7F800000U) return sign | 0x7F;
  if (magnitude >= 0x43E00000U) return sign | 0x7E;  // >= 448
  if (magnitude < 0x3C800000U) {  // < 2^-6: adding 2^14 leaves multiples of 2^-9, rounded to nearest even
    const float shifted = std::bit_cast<float>(magnitude) + 0x1p14F;
    return sign |
           static_cast<std::uint8_t>(std::bit_cast<std::uint32_t>(shifted) - std::bit_cast<std::uint32_t>(0x1p14F));
  }
  const std::uint32_t odd = (magnitude >> 20) & 1U;
  const std::uint32_t rounded = (magnitude + 0x7FFFFU + odd) >> 20;
  const std::uint32_t code = rounded - (120U << 3);
  return sign | static_cast<std::uint8_t>(code > 0x7E ? 0x7E : code);
}

}  // namespace tetrad
