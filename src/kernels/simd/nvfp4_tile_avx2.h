// NVFP4 tiles for AVX2. Meaning: nvfp4_tile_simd.h.
// One vector of w: with two the operands don't fit 16 registers (0.75 of the F32 peak from L1 instead of 0.96, Zen 3).
constexpr unsigned kNtM16 = 3, kNtM8 = 4, kNtVectors = 1, kNtLanes = 8, kNtPanel = 4;
struct NtWords {
  __m256i v;
};
TETRAD_SIMD_INLINE NtWords nt_load(const std::int32_t* p) {
  return {_mm256_loadu_si256(reinterpret_cast<const __m256i_u*>(p))};
}
TETRAD_SIMD_INLINE NtWords nt_set1(std::int32_t x) { return {_mm256_set1_epi32(x)}; }
TETRAD_SIMD_INLINE Part nt_dot(const NtWords* w, const NtWords* x) {
  __m256i a = _mm256_madd_epi16(w[0].v, x[0].v), b = _mm256_madd_epi16(w[1].v, x[1].v);
#pragma GCC unroll 3
  for (int p = 2; p < 8; p += 2) {
    a = _mm256_add_epi32(a, _mm256_madd_epi16(w[p].v, x[p].v));
    b = _mm256_add_epi32(b, _mm256_madd_epi16(w[p + 1].v, x[p + 1].v));
  }
  return {_mm256_cvtepi32_ps(_mm256_add_epi32(a, b))};
}
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

// Nv8: x has its columns' sum behind its dwords. At most 24 * 127 * 8 in a 16-bit lane.
TETRAD_SIMD_INLINE Part nt8_dot(const NtWords* w, const NtWords* x) {
  const __m256i a = _mm256_add_epi16(_mm256_maddubs_epi16(w[0].v, x[0].v), _mm256_maddubs_epi16(w[1].v, x[1].v));
  const __m256i b = _mm256_add_epi16(_mm256_maddubs_epi16(w[2].v, x[2].v), _mm256_maddubs_epi16(w[3].v, x[3].v));
  const __m256i pairs = _mm256_madd_epi16(_mm256_add_epi16(a, b), _mm256_set1_epi16(1));
  return {_mm256_cvtepi32_ps(_mm256_add_epi32(pairs, x[4].v))};
}
// Dwords of 8 codes to dwords of the even columns and of the odd ones.
TETRAD_SIMD_INLINE void nt8_decode(const float* dwords, std::int32_t* out, std::int64_t stride) {
  const __m256i raw = _mm256_castps_si256(_mm256_loadu_ps(dwords));
  _mm256_storeu_si256(reinterpret_cast<__m256i_u*>(out), nv_even(raw));
  _mm256_storeu_si256(reinterpret_cast<__m256i_u*>(out + stride), nv_odd(raw));
}
