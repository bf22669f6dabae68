// NVFP4: 16 weights of a row share one E4M3 scale, a tensor has one F32 scale; w = e2m1(code) * (e4m3(scale) *
// tensor_scale), the bracket rounded to F32 first. This is the plain, slow definition of how tetrad quantizes to it:
// the oracle that the kernels of kernels/quantize_nvfp4.h must equal bit for bit. Values are F32, each operation rounds
// to nearest even, no FMA.
//
// Tensor scale t: amax / 2688 (6 * 448); for kFourOverSix amax / 1536 (6 * 256), which leaves room for block scales
// above a block's own. amax = 0 gives 1. Where the quotient is 0 it is 2^-149; where the divisor times the quotient
// would overflow, the next smaller float.
//
// Block scales, with b = the block's largest |w| and u = |w| / t:
// - kMax: e4m3(b / (6 t)), at least 2^-9; a zero block has 1.
// - kMse: of all 126 positive scales the one of least loss, the smallest of equals; so a zero block has 2^-9.
// - kFourOverSix: e4m3(((b m) / 6 * 256) / (amax / 6)) with m = 1 or m = 1.5, whichever has less loss, m = 1 of equals;
//   b and amax are divided by a power of two before, so that nothing overflows. For a zero block 1 stands for (b m)
//   / 6.
//
// Loss of a scale c: with q = e2m1(u * (1 / c)) and e = u - q * c (the product is exact), squares e * e are added up in
// order in four accumulators (element i in number i % 4), these as (0 + 1) + (2 + 3). In units of t every value lies in
// [0, 2688], so no magnitude of weights makes squares overflow or vanish. (Model Optimizer squares the weights
// themselves, and picks nonsense for matrices of 1e37 or 1e-37.)
//
// Codes: e2m1(w / (e4m3(c) * t)); 0 where that product is 0 (subnormal tensor scales).
//
// Source: NVIDIA Model Optimizer 0.47.0. kMax gives its bytes. For kMse and kFourOverSix its order of operations
// differs, so that near ties may fall the other way: 9 and 3 of 36864 blocks of a matrix (its GPU kernel and its own
// sweep differ in 8), with squared errors less than 1e-6 apart. Its kFourOverSix also judges a candidate by one E4M3
// code and stores the next where the scale is a tie between the two (the search divides by a multiple of 448, the
// export multiplies by 256): 18 of 24576 blocks of a model, all with a larger error than here, where the code that is
// stored is the one that is judged. Where it writes NaN (zero matrices) tetrad doesn't.
#pragma once

#include <cstdint>

namespace tetrad {

enum class Algorithm : std::uint8_t { kMax, kMse, kFourOverSix };

constexpr std::int64_t kNvfp4Block = 16;

float nvfp4_tensor_scale(Algorithm algorithm, float amax);  // amax: finite, >= 0

// The functions on blocks take 16 finite weights.
std::uint8_t nvfp4_block_scale(Algorithm algorithm, const float* w, float amax, float tensor_scale);
float nvfp4_loss(const float* w, std::uint8_t scale, float tensor_scale);  // scale: 1 .. 126
void nvfp4_encode_block(const float* w, std::uint8_t scale, float tensor_scale, std::uint8_t* codes);  // 8 bytes
void nvfp4_decode_block(const std::uint8_t* codes, std::uint8_t scale, float tensor_scale, float* w);

// |W - What|^2 and |W|^2: (w - what) in F32, squares in double; in each row 16 accumulators (column i in number i % 16)
// added up by halves (j + 8 to j, then 4, 2, 1); rows in order.
struct Nvfp4Error {
  double squared_error = 0, squared_norm = 0;
};

// A whole matrix [rows, cols], cols a multiple of 16: codes [rows, cols / 2], scales [rows, cols / 16]. Non-finite
// weights count as 0.
Nvfp4Error nvfp4_quantize(const float* w, std::int64_t rows, std::int64_t cols, Algorithm algorithm, float amax,
                          std::uint8_t* codes, std::uint8_t* scales, float& tensor_scale);

}  // namespace tetrad
