// E2M1, the 4-bit float of NVFP4: bit 3 = sign, then 0, 0.5, 1, 1.5, 2, 3, 4, 6. Two codes a byte, the even column in
// bits 0-3. Source: OCP Microscaling formats 1.0; rounding as NVIDIA Model Optimizer 0.47 rounds.
#pragma once

#include <array>
#include <cstdint>

namespace tetrad {

constexpr std::array<float, 16> kE2m1Values = {0.0F,  0.5F,  1.0F,  1.5F,  2.0F,  3.0F,  4.0F,  6.0F,
                                               -0.0F, -0.5F, -1.0F, -1.5F, -2.0F, -3.0F, -4.0F, -6.0F};
constexpr float kE2m1Max = 6.0F;

// Nearest value, ties to the even code, saturating at 6. The sign bit is (value < 0): -0.0 gives code 0, a negative
// value that rounds to zero gives code 8. NaN gives code 7; callers never pass it (the quantizers drop non-finite
// weights before).
constexpr std::uint8_t e2m1_from_float(float value) {
  const float a = value < 0 ? -value : value;
  std::uint8_t code = 7;
  if (a <= 0.25F)
    code = 0;
  else if (a < 0.75F)
    code = 1;
  else if (a <= 1.25F)
    code = 2;
  else if (a < 1.75F)
    code = 3;
  else if (a <= 2.5F)
    code = 4;
  else if (a < 3.5F)
    code = 5;
  else if (a <= 5.0F)
    code = 6;
  return static_cast<std::uint8_t>(code | (value < 0 ? 8U : 0U));
}

}  // namespace tetrad
