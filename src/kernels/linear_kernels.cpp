#include "kernels/kernel_table.h"
#include "numeric/e4m3.h"

namespace tetrad {
namespace {

struct E4m3Values {
  float values[256];
  constexpr float operator[](std::uint8_t code) const { return values[code]; }
};
constexpr E4m3Values make_e4m3_values() {
  E4m3Values table{};
  for (unsigned code = 0; code < 256; ++code) table.values[code] = e4m3_to_float(static_cast<std::uint8_t>(code));
  return table;
}
constexpr E4m3Values kE4m3Values = make_e4m3_values();

}  // namespace
}  // namespace tetrad

#define TETRAD_SIMD_FILE "kernels/linear_simd.h"
#include "kernels/simd/foreach_target.h"
