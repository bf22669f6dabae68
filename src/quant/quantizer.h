// Weights to NVFP4: one matrix in any stored form becomes E2M1 codes, E4M3 block scales and one F32 tensor scale, byte
// for byte as numeric/nvfp4.h defines them (that file is the oracle; this one is fast). Used by conversion/.
//
// Order of work for one matrix: weight_range() gives amax, quantize_matrix() takes it. The amax is the caller's because
// gate and up of an expert share the larger of theirs. Both run over the whole pool; the *_serial forms run on the
// calling thread alone, for callers that have one matrix a worker. All forms give the same bytes and the same sums.
// Weights are decoded row by row from the view: scratch is one row of F32 a thread. Thread-safe.
//
// Non-finite weights count as 0: they are reported, never written.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "base/error.h"
#include "kernels/compute.h"
#include "numeric/nvfp4.h"
#include "tensor/weight_view.h"

namespace tetrad {

// numeric/nvfp4.h: enum class Algorithm { kMax, kMse, kFourOverSix }. Names: "max", "mse", "four-over-six".
Result<Algorithm> algorithm_from_name(std::string_view name);  // a usage error that lists the choices
std::string_view algorithm_name(Algorithm algorithm);

// What quantization did to a matrix W (as the quantizer saw it: non-finite weights as 0): |W - What|^2 and |W|^2.
// Weights far outside [1e-150, 1e150] can't occur (F32), so the sums neither overflow nor vanish.
struct QuantizationError {
  double squared_error = 0, squared_norm = 0;
  std::int64_t nonfinite_weights = 0;
  double relative() const;  // |W - What| / |W|; 0 for W = 0
};

// The largest finite |w| as the quantizer will see it (FP8: after dequantizing to BF16), and the number of non-finite
// weights.
struct WeightRange {
  float amax = 0;
  std::int64_t nonfinite = 0;
};
WeightRange weight_range(const Compute& compute, const WeightView& weight);
WeightRange weight_range_serial(const Compute& compute, const WeightView& weight);

// An error, naming `where`, unless rows and cols are positive, cols is a multiple of 16 and the view's spans have the
// sizes that its format asks for. The functions below require it.
Status check_quantizable(const WeightView& weight, const std::string& where);

// codes: [rows, cols / 2], even column in the low nibble; scales: E4M3 [rows, cols / 16]. amax: at least the weight's
// own.
QuantizationError quantize_matrix(const Compute& compute, const WeightView& weight, Algorithm algorithm, float amax,
                                  std::span<std::uint8_t> codes, std::span<std::uint8_t> scales, float& tensor_scale);
QuantizationError quantize_matrix_serial(const Compute& compute, const WeightView& weight, Algorithm algorithm,
                                         float amax, std::span<std::uint8_t> codes, std::span<std::uint8_t> scales,
                                         float& tensor_scale);

}  // namespace tetrad
