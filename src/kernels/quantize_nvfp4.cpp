#include "kernels/quantize_nvfp4.h"

#include <cmath>

namespace tetrad {
namespace {

void range(const float* values, std::int64_t n, float* amax, std::int64_t* nonfinite) {
  for (std::int64_t i = 0; i < n; ++i) {
    if (!std::isfinite(values[i]))
      ++*nonfinite;
    else if (std::fabs(values[i]) > *amax)
      *amax = std::fabs(values[i]);
  }
}
void quantize_row(QuantizeRow& row) {
  for (std::int64_t i = 0; i < row.cols; ++i) row.nonfinite += std::isfinite(row.values[i]) ? 0 : 1;
  row.error = nvfp4_quantize(row.values, 1, row.cols, row.algorithm, row.amax, row.codes, row.scales, row.tensor_scale);
}

}  // namespace

const QuantizeKernels* quantize_kernels(const std::string&) {
  static constexpr QuantizeKernels kKernels = {range, quantize_row};
  return &kKernels;
}

}  // namespace tetrad
