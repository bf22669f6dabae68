#include "kernels/quantize_nvfp4.h"

#define TETRAD_SIMD_FILE "kernels/quantize_simd.h"
#include "kernels/simd/foreach_target.h"

namespace tetrad {

const QuantizeKernels* quantize_kernels(const std::string& simd) {
  static constexpr QuantizeKernels kAvx512 = {avx512::range, avx512::quantize_row};
  static constexpr QuantizeKernels kAvx2 = {avx2::range, avx2::quantize_row};
  static constexpr QuantizeKernels kScalar = {scalar::range, scalar::quantize_row};
  if (simd == "avx512") return &kAvx512;
  if (simd == "avx2") return &kAvx2;
  if (simd == "scalar") return &kScalar;
  return nullptr;
}

}  // namespace tetrad
