#include "kernels/quantize_nvfp4.h"

#define TETRAD_SIMD_FILE "kernels/quantize_simd.h"
#include "kernels/simd/foreach_target.h"

namespace tetrad {
namespace ref {
namespace {

void range(const float* values, std::int64_t n, float* amax, std::int64_t* nonfinite) {
  for (std::int64_t i = 0; i < n; ++i) {
    const float magnitude = __builtin_fabsf(values[i]);
    if (!(magnitude < __builtin_inff()))
      ++*nonfinite;
    else if (magnitude > *amax)
      *amax = magnitude;
  }
}

void quantize_row(QuantizeRow& row) {
  float largest = 0;
  range(row.values, row.cols, &largest, &row.nonfinite);
  float tensor_scale = 0;  // the same as row.tensor_scale
  row.error = nvfp4_quantize(row.values, 1, row.cols, row.algorithm, row.amax, row.codes, row.scales, tensor_scale);
}

}  // namespace
}  // namespace ref

const QuantizeKernels* quantize_kernels(const std::string& simd) {
  static constexpr QuantizeKernels kAvx512 = {avx512::range, avx512::quantize_row};
  static constexpr QuantizeKernels kAvx2 = {avx2::range, avx2::quantize_row};
  static constexpr QuantizeKernels kScalar = {scalar::range, scalar::quantize_row};
  static constexpr QuantizeKernels kRef = {ref::range, ref::quantize_row};
  if (simd == "avx512" || simd == "amx") return &kAvx512;
  if (simd == "avx2") return &kAvx2;
  if (simd == "scalar") return &kScalar;
  if (simd == "ref") return &kRef;
  return nullptr;
}

}  // namespace tetrad
