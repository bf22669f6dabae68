// NVFP4 tiles for AVX2. Meaning: nvfp4_tile_simd.h.
//
// 3 rows of x by 3 vectors of w, whose integer sums are 9 of the 16 registers for the length of a block; F32 sums wait
// in memory. With a block of w in registers instead, each product needed a load of its own, and the two loads of a
// cycle, not the arithmetic, were the limit (Zen 3, 256 rows: 0.72 .. 0.91 of the F32 peak, now 0.83 .. 1.18). One tile
// a panel: it takes 166 KiB at 3072 columns, and x passes through the same L2 of 512.
constexpr unsigned kNtM16 = 3, kNtM8 = 3, kNtVectors = 3, kNtLanes = 8, kNtPanel = 1;
struct NtWords {
  __m256i v;
};
TETRAD_SIMD_INLINE NtWords nt_load(const std::int32_t* p) {
  return {_mm256_loadu_si256(reinterpret_cast<const __m256i_u*>(p))};
}
TETRAD_SIMD_INLINE NtWords nt_set1(std::int32_t x) { return {_mm256_set1_epi32(x)}; }

// Columns (0, 4), (2, 6), (1, 5), (3, 7) are pairs: so a byte becomes a 16-bit integer where it is.
TETRAD_SIMD_INLINE void nt_decode(const float* dwords, std::int32_t* out, std::int64_t stride) {
  const __m256i raw = _mm256_castps_si256(_mm256_loadu_ps(dwords)), mask = _mm256_set1_epi8(0x0F);
  const __m256i table =
      _mm256_broadcastsi128_si256(_mm_setr_epi8(0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12));
  const __m256i bytes[2] = {_mm256_shuffle_epi8(table, _mm256_and_si256(raw, mask)),
                            _mm256_shuffle_epi8(table, _mm256_and_si256(_mm256_srli_epi16(raw, 4), mask))};
#pragma GCC unroll 2
  for (int odd = 0; odd < 2; ++odd) {
    const __m256i low = _mm256_srai_epi16(_mm256_slli_epi16(bytes[odd], 8), 8), high = _mm256_srai_epi16(bytes[odd], 8);
    _mm256_storeu_si256(reinterpret_cast<__m256i_u*>(out + 2 * odd * stride), low);
    _mm256_storeu_si256(reinterpret_cast<__m256i_u*>(out + (2 * odd + 1) * stride), high);
  }
}
// The scales of 8 blocks of 8 rows, block b's to out + 2 b * stride.
TETRAD_SIMD_INLINE void nt_scales(const std::byte* const* rows, float* out, std::int64_t stride) {
  std::uint64_t raw[8];
  for (int i = 0; i < 8; ++i) __builtin_memcpy(raw + i, rows[i], 8);
  for (int b = 0; b < 8; ++b) {
    std::uint8_t column[8];
    for (int i = 0; i < 8; ++i) column[i] = static_cast<std::uint8_t>(raw[i] >> (8 * b));
    _mm256_storeu_ps(out + 2 * b * stride, nv_e4m3(_mm_loadl_epi64(reinterpret_cast<const __m128i_u*>(column))));
  }
}

// Dwords of 8 codes to dwords of the even columns and of the odd ones.
TETRAD_SIMD_INLINE void nt8_decode(const float* dwords, std::int32_t* out, std::int64_t stride) {
  const __m256i raw = _mm256_castps_si256(_mm256_loadu_ps(dwords));
  _mm256_storeu_si256(reinterpret_cast<__m256i_u*>(out), nv_even(raw));
  _mm256_storeu_si256(reinterpret_cast<__m256i_u*>(out + stride), nv_odd(raw));
}

// A block's sum, grown by a dword of each row, then as F32.
struct NtDot16 {  // pairs of 16 bits
  TETRAD_SIMD_INLINE static __m256i product(NtWords w, NtWords x) { return _mm256_madd_epi16(w.v, x.v); }
  TETRAD_SIMD_INLINE static __m256i add(__m256i sum, __m256i product) { return _mm256_add_epi32(sum, product); }
  TETRAD_SIMD_INLINE static Part value(__m256i sum, const std::int32_t*) { return {_mm256_cvtepi32_ps(sum)}; }
};
struct NtDot8 {  // bytes, in 16 bits: at most 24 * 127 * 8; behind x's dwords is -12 * sum of q in the block
  TETRAD_SIMD_INLINE static __m256i product(NtWords w, NtWords x) { return _mm256_maddubs_epi16(w.v, x.v); }
  TETRAD_SIMD_INLINE static __m256i add(__m256i sum, __m256i product) { return _mm256_add_epi16(sum, product); }
  TETRAD_SIMD_INLINE static Part value(__m256i sum, const std::int32_t* offset) {
    const __m256i pairs = _mm256_madd_epi16(sum, _mm256_set1_epi16(1));
    return {_mm256_cvtepi32_ps(_mm256_add_epi32(pairs, _mm256_set1_epi32(*offset)))};
  }
};

// sums[kM][kNtN] of one lane of all groups.
template <class Form>
inline void nt_lane(const std::int32_t* x, const std::int32_t* w, std::int64_t groups, float* sums) {
  constexpr unsigned kM = Form::kM, kN = kNtVectors * kNtLanes, kWords = Form::kWords, kX = Form::kXValues - 1;
  for (unsigned i = 0; i < kM * kN; i += kNtLanes) part_store(sums + i, part_zero());
  for (std::int64_t g = 0; g < groups; ++g, x += (kX + 1) * kM, w += (kWords + 1) * kN) {
    __m256i dot[kM][kNtVectors];
#pragma GCC unroll 8
    for (unsigned p = 0; p < kWords; ++p) {
      NtWords words[kNtVectors];
#pragma GCC unroll 4
      for (unsigned j = 0; j < kNtVectors; ++j) {
        words[j] = nt_load(w + p * kN + j * kNtLanes);
        __asm__("" : "+x"(words[j].v));  // one load, not one for each use
      }
#pragma GCC unroll 4
      for (unsigned i = 0; i < kM; ++i) {
        const NtWords xk = nt_set1(x[p * kM + i]);
#pragma GCC unroll 4
        for (unsigned j = 0; j < kNtVectors; ++j) {
          const __m256i product = Form::product(words[j], xk);
          dot[i][j] = p == 0 ? product : Form::add(dot[i][j], product);
          __asm__("" : "+x"(dot[i][j]));  // else GCC adds in an order of its own and keeps 72 products in memory
        }
      }
    }
    Part scale[kNtVectors];
#pragma GCC unroll 4
    for (unsigned j = 0; j < kNtVectors; ++j)
      scale[j] = part_load(reinterpret_cast<const float*>(w + kWords * kN + j * kNtLanes));
#pragma GCC unroll 4
    for (unsigned i = 0; i < kM; ++i) {
      const Part x_scale = part_set1(reinterpret_cast<const float*>(x)[kX * kM + i]);
#pragma GCC unroll 4
      for (unsigned j = 0; j < kNtVectors; ++j) {
        float* sum = sums + i * kN + j * kNtLanes;
        const Part value = Form::value(dot[i][j], x + kWords * kM + i);
        part_store(sum, part_fma(value, part_mul(scale[j], x_scale), part_load(sum)));
      }
    }
  }
}
