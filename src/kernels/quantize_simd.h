// The loops of quantize_nvfp4.h for one SIMD target; what they compute is defined by numeric/nvfp4.h. Included by
// foreach_target.h.
#if TETRAD_SIMD_TARGET == TETRAD_SIMD_AVX512
#include "kernels/simd/quantize_avx512.h"
#elif TETRAD_SIMD_TARGET == TETRAD_SIMD_AVX2
#include "kernels/simd/quantize_avx2.h"
#else
#include "kernels/simd/quantize_scalar.h"
#endif

TETRAD_SIMD_INLINE int count_bits(std::uint32_t bits) { return __builtin_popcount(bits); }
TETRAD_SIMD_INLINE bool any(Mask16 mask) { return mask_bits(mask) != 0; }
TETRAD_SIMD_INLINE Mask16 finite(F32x16 a) { return less(abs(a), set1(__builtin_inff())); }

// E4M3 codes, rounded to nearest even; 2^-9 <= s <= 448.
TETRAD_SIMD_INLINE void store_e4m3(std::uint8_t* out, F32x16 s) { to_e4m3(reinterpret_cast<std::byte*>(out), s); }

void range(const float* values, std::int64_t n, float* amax, std::int64_t* nonfinite) {
  F32x16 most = zero();
  for (std::int64_t i = 0; i < n; i += 16) {
    const F32x16 a = abs(n - i < 16 ? load_partial(values + i, static_cast<int>(n - i)) : load(values + i));
    const Mask16 good = less(a, set1(__builtin_inff()));
    most = max(select(good, a, zero()), most);
    *nonfinite += 16 - count_bits(mask_bits(good));
  }
  const float result = hmax(most);
  if (result > *amax) *amax = result;
}

// Sixteen blocks side by side: lane b of u[i] is |element i of block b| / tensor_scale.
struct Blocks {
  F32x16 u[16];
  F32x16 most;  // the largest of each block
};

TETRAD_SIMD_INLINE void load_blocks(const float* values, float tensor_scale, Blocks* blocks) {
  const F32x16 scale = set1(tensor_scale);
  for (int b = 0; b < 16; ++b) blocks->u[b] = div(abs(load(values + 16 * b)), scale);
  transpose(blocks->u);
  F32x16 most = blocks->u[0];
  for (int i = 1; i < 16; ++i) most = max(most, blocks->u[i]);
  blocks->most = most;
}

// The value of E4M3 code k (integral, 1 .. 126), a lane each.
TETRAD_SIMD_INLINE F32x16 e4m3_value(F32x16 k) {
  const F32x16 exponent = max(round_nearest(k * set1(0.125F) - set1(0.4375F)), set1(1.0F));
  return (k - (exponent - set1(1.0F)) * set1(8.0F)) * exp2_int(exponent - set1(10.0F));
}

struct Loss {
  F32x16 all;
  F32x16 low;  // the part of elements below c / 2
};
template <bool kLow>
TETRAD_SIMD_INLINE Loss loss_of(const Blocks& blocks, F32x16 c, F32x16 reciprocal) {
  F32x16 sums[4] = {zero(), zero(), zero(), zero()}, low = zero();
  for (int i = 0; i < 16; ++i) {
    const F32x16 u = blocks.u[i], r = u * reciprocal;
    const F32x16 e = minus_exact_product(u, round_e2m1(min(r, set1(6.0F))), c);
    const F32x16 square = e * e;
    sums[i % 4] = sums[i % 4] + square;
    if constexpr (kLow) low = low + select(less(r, set1(0.5F)), square, zero());
  }
  return {(sums[0] + sums[1]) + (sums[2] + sums[3]), low};
}

// The search for the scale of least loss tries the codes around (largest / 6) and stops where nothing can be gained any
// more:
//  - Downwards: a scale c clips the largest element by at least a - 6 c, and smaller scales clip it more. Once (a - 6
//  c)^2 exceeds the
//    least loss so far, c and all below are out.
//  - Upwards: an element u < c / 2 rounds to 0 or to c / 2; its error min(u, c / 2 - u) only grows with c (E2M1 has no
//  other value below
//    c / 2, and later not even that one in reach). Once the squares of these errors alone exceed the least loss, all
//    above c are out. So are they where every element rounds to 0 already: then larger scales have the same loss, to
//    the bit.
// The bounds are computed from the same rounded numbers as the losses, sums of non-negative terms with relative errors
// below 2^-19; a factor of 1 - 2^-16 makes up for that. Of equal losses the smallest code wins: "<=" on the way down,
// "<" on the way up. Sixteen blocks walk together until the last one is done.
struct Search {
  const Blocks* blocks;
  F32x16 best, code;  // the least loss so far and its code
  std::int64_t steps;
};
constexpr float kBoundMargin = 1.0F - 0x1p-16F;

TETRAD_SIMD_INLINE void search_down(Search* search, F32x16 start) {
  const F32x16 one = set1(1.0F);
  F32x16 k = start;
  Mask16 active = less(zero(), one);
  for (;;) {
    k = k - one;
    const F32x16 c = e4m3_value(max(k, one));
    const F32x16 clipped = max(search->blocks->most - set1(6.0F) * c, zero());
    const Mask16 open = less_equal(clipped * clipped * set1(kBoundMargin), search->best);
    active = mask_and(active, mask_and(open, less_equal(one, k)));
    if (!any(active)) return;
    ++search->steps;
    const F32x16 loss = loss_of<false>(*search->blocks, c, div(one, c)).all;
    const Mask16 better = mask_and(active, less_equal(loss, search->best));
    search->best = select(better, loss, search->best);
    search->code = select(better, k, search->code);
  }
}

// `low` and `reciprocal` belong to the start.
TETRAD_SIMD_INLINE void search_up(Search* search, F32x16 start, F32x16 low, F32x16 reciprocal) {
  const F32x16 one = set1(1.0F), last = set1(126.0F);
  F32x16 k = start;
  Mask16 active = less(zero(), one);
  for (;;) {
    const Mask16 open =
        mask_and(less(low * set1(kBoundMargin), search->best), less(set1(0.25F), search->blocks->most * reciprocal));
    active = mask_and(active, mask_and(open, less(k, last)));
    if (!any(active)) return;
    ++search->steps;
    k = min(k + one, last);
    const F32x16 c = e4m3_value(k);
    reciprocal = div(one, c);
    const Loss loss = loss_of<true>(*search->blocks, c, reciprocal);
    low = loss.low;
    const Mask16 better = mask_and(active, less(loss.all, search->best));
    search->best = select(better, loss.all, search->best);
    search->code = select(better, k, search->code);
  }
}

// Codes of sixteen lanes as bytes, from floats.
TETRAD_SIMD_INLINE void store_codes(std::uint8_t* out, F32x16 k) {
  float codes[16];
  store(codes, k);
  for (int j = 0; j < 16; ++j) out[j] = static_cast<std::uint8_t>(codes[j]);
}
TETRAD_SIMD_INLINE F32x16 load_codes(const std::uint8_t* codes) {
  float k[16];
  for (int j = 0; j < 16; ++j) k[j] = static_cast<float>(codes[j]);
  return load(k);
}

TETRAD_SIMD_INLINE F32x16 clamp_scale(F32x16 s) { return min(max(s, set1(kE4m3MinSubnormal)), set1(kE4m3Max)); }

TETRAD_SIMD_INLINE std::int64_t mse_scales(const float* values, float tensor_scale, std::uint8_t* scales) {
  Blocks blocks;
  load_blocks(values, tensor_scale, &blocks);
  store_e4m3(scales, clamp_scale(blocks.most * set1(1.0F / 6.0F)));
  const F32x16 start = load_codes(scales), c = e4m3_value(start), reciprocal = div(set1(1.0F), c);
  const Loss first = loss_of<true>(blocks, c, reciprocal);
  Search search = {&blocks, first.all, start, 1};
  search_down(&search, start);
  search_up(&search, start, first.low, reciprocal);
  store_codes(scales, search.code);
  return search.steps;
}

TETRAD_SIMD_INLINE F32x16 block_maxima(const float* values) {
  float most[16];
  for (int b = 0; b < 16; ++b) most[b] = hmax(abs(load(values + 16 * b)));
  return load(most);
}

TETRAD_SIMD_INLINE void max_scales(const float* values, float tensor_scale, std::uint8_t* scales) {
  const F32x16 most = block_maxima(values), s = div(most, set1(6.0F * tensor_scale));
  store_e4m3(scales, select(equal(most, zero()), set1(1.0F), clamp_scale(s)));
}

TETRAD_SIMD_INLINE F32x16 four_over_six_candidate(F32x16 most, float first, float second, float multiplier,
                                                  float amax) {
  const F32x16 s = div(most * set1(first) * set1(second) * set1(multiplier), set1(6.0F));
  const F32x16 result = div(s * set1(256.0F), set1(amax * first * second / 6.0F));
  const F32x16 of_zero = set1(amax == 0 ? 1.0F : 256.0F / (amax / 6.0F));
  return clamp_scale(select(equal(most, zero()), of_zero, result));
}

TETRAD_SIMD_INLINE void four_over_six_scales(const float* values, float amax, float tensor_scale,
                                             std::uint8_t* scales) {
  const F32x16 most = block_maxima(values);
  const int exponent = amax == 0 ? 0 : __builtin_ilogbf(amax), half = exponent / 2;
  const float first = __builtin_ldexpf(1.0F, -half), second = __builtin_ldexpf(1.0F, half - exponent);
  Blocks blocks;
  load_blocks(values, tensor_scale, &blocks);
  F32x16 code[2], loss[2];
  for (int i = 0; i < 2; ++i) {
    store_e4m3(scales, four_over_six_candidate(most, first, second, i == 0 ? 1.0F : 1.5F, amax));
    code[i] = load_codes(scales);
    const F32x16 c = e4m3_value(code[i]);
    loss[i] = loss_of<false>(blocks, c, div(set1(1.0F), c)).all;
  }
  store_codes(scales, select(less(loss[1], loss[0]), code[1], code[0]));
}

TETRAD_SIMD_INLINE void encode_block(const float* values, std::uint8_t scale, float tensor_scale, std::uint8_t* codes,
                                     F64x16* errors, F64x16* norms) {
  const float d = e4m3_to_float(scale) * tensor_scale;
  const F32x16 w = load(values), x = d == 0 ? zero() : div(w, set1(d));
  const F32x16 q = round_e2m1(min(abs(x), set1(6.0F)));
  store_e2m1(codes, q, less(x, zero()));
  add_squares(errors, abs(w) - q * set1(d));
  add_squares(norms, w);
}

TETRAD_SIMD_INLINE std::int64_t drop_nonfinite(float* values, std::int64_t n) {
  std::int64_t dropped = 0;
  for (std::int64_t i = 0; i < n; i += 16) {
    const F32x16 v = load(values + i);
    const Mask16 good = finite(v);
    const int bad = 16 - count_bits(mask_bits(good));
    if (bad == 0) continue;
    store(values + i, select(good, v, zero()));
    dropped += bad;
  }
  return dropped;
}

void quantize_row(QuantizeRow& row) {
  row.nonfinite = drop_nonfinite(row.values, row.cols);
  row.candidates = 0;
  F64x16 errors = zero_f64(), norms = zero_f64();
  for (std::int64_t col = 0; col < row.cols; col += kQuantizeRowMultiple) {
    const float* const values = row.values + col;
    std::uint8_t scales[16];
    if (row.algorithm == Algorithm::kMax)
      max_scales(values, row.tensor_scale, scales);
    else if (row.algorithm == Algorithm::kMse)
      row.candidates += 16 * mse_scales(values, row.tensor_scale, scales);
    else
      four_over_six_scales(values, row.amax, row.tensor_scale, scales);
    const std::int64_t left = (row.cols - col) / 16, blocks = left < 16 ? left : 16;
    for (std::int64_t b = 0; b < blocks; ++b) {
      row.scales[col / 16 + b] = scales[b];
      encode_block(values + 16 * b, scales[b], row.tensor_scale, row.codes + (col + 16 * b) / 2, &errors, &norms);
    }
  }
  row.error = {add_halves(errors), add_halves(norms)};
}
