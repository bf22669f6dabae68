// F32x16: sixteen floats, with the same meaning and the same bits on every target (AVX-512: one register, AVX2: two,
// scalar: an array). Included by foreach_target.h inside each target's namespace, hence no include guard of the file
// but one per target.
//   load/store (unaligned), set1, zero, iota; + - *; div, sqrt, fma(a, b, c) = a * b + c rounded once; min(a, b) = a <
//   b ? a : b and max(a, b) = a > b ? a : b (so the second operand when either is NaN); abs, neg, copysign_of;
//   round_nearest (ties to even); Mask16: less, less_equal, equal, is_nan; select(mask, a, b) = mask ? a : b;
//   mask_and/or/not; mask_bits (bit j = lane j) from_bf16, from_f16, from_e4m3 (memory, 16 elements), from_e2m1 (8
//   bytes, low nibble first), to_bf16 (RNE, NaN quieted), round_bf16; pair_low, pair_high: the BF16 numbers in the
//   lower and the upper half of each lane; from_bf16_apart: 16 * kApart BF16 numbers as kApart vectors in the target's
//   cheapest order, join_apart: such vectors in the numbers' order; from_int8, to_int8 (whole numbers of at most 127,
//   RNE), to_e4m3 (|a| <= 448, RNE), from_e4m3_256th (2^-8 times the value, for codes that are not NaN: those are F16
//   with other exponents, three instructions instead of eleven); exp2_int(n): 2^n for integral n in [-126, 127] Part,
//   part_*: one register (kParts of them make 16 lanes); from_f32: 16 floats at any address hsum, hmax: over the lanes
//   in one fixed tree (j with j+8, j+4, j+2, j+1); load_partial(p, n)/store_partial: n < 16 lanes, the rest 0
// clang-format off: the order of the includes matters
#if TETRAD_SIMD_TARGET == TETRAD_SIMD_AVX512 && !defined(TETRAD_VEC16_AVX512)
#define TETRAD_VEC16_AVX512
#include "kernels/simd/vec16_avx512.h"
#include "kernels/simd/vec16_math.h"
#elif TETRAD_SIMD_TARGET == TETRAD_SIMD_AVX2 && !defined(TETRAD_VEC16_AVX2)
#define TETRAD_VEC16_AVX2
#include "kernels/simd/vec16_avx2.h"
#include "kernels/simd/vec16_math.h"
#elif TETRAD_SIMD_TARGET == TETRAD_SIMD_SCALAR && !defined(TETRAD_VEC16_SCALAR)
#define TETRAD_VEC16_SCALAR
#include "kernels/simd/vec16_scalar.h"
#include "kernels/simd/vec16_math.h"
#endif
