// NVFP4 tiles for AVX-512 with VNNI. Meaning: nvfp4_tile_simd.h.
constexpr unsigned kNtM16 = 4, kNtM8 = 8, kNtVectors = 2, kNtLanes = 16, kNtPanel = 2;
struct NtWords {
  __m512i v;
};
TETRAD_SIMD_INLINE NtWords nt_load(const std::int32_t* p) { return {_mm512_loadu_si512(p)}; }
TETRAD_SIMD_INLINE NtWords nt_set1(std::int32_t x) { return {_mm512_set1_epi32(x)}; }
TETRAD_SIMD_INLINE Part nt_dot(const NtWords* w, const NtWords* x) {
  __m512i sum = _mm512_madd_epi16(w[0].v, x[0].v);
#pragma GCC unroll 7
  for (int p = 1; p < 8; ++p) sum = _mm512_dpwssd_epi32(sum, w[p].v, x[p].v);
  return {_mm512_cvtepi32_ps(sum)};
}
// Dwords of 8 codes, one of each lane's row, to 4 vectors of pairs, `stride` apart. vpermw reads 5 bits of an index:
// the table holds its 16 values twice, so the bit above a code may be anything.
TETRAD_SIMD_INLINE void nt_decode(const float* dwords, std::int32_t* out, std::int64_t stride) {
  const __m512i raw = _mm512_loadu_si512(dwords);
  const __m256i half = _mm256_setr_epi16(0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12);
  const __m512i table = _mm512_broadcast_i64x4(half);
  const __m512i low[4] = {raw, _mm512_srli_epi32(raw, 8), _mm512_srli_epi32(raw, 16), _mm512_srli_epi32(raw, 24)};
  const __m512i high[4] = {_mm512_slli_epi32(raw, 12), _mm512_slli_epi32(raw, 4), _mm512_srli_epi32(raw, 4),
                           _mm512_srli_epi32(raw, 12)};
#pragma GCC unroll 4
  for (int j = 0; j < 4; ++j) {
    const __m512i index = _mm512_mask_mov_epi16(low[j], 0xAAAAAAAAU, high[j]);
    _mm512_storeu_si512(out + j * stride, _mm512_permutexvar_epi16(index, table));
  }
}
// The scales of 8 blocks of 16 rows, block b's to out + 2 b * stride.
TETRAD_SIMD_INLINE void nt_scales(const std::byte* const* rows, float* out, std::int64_t stride) {
  std::uint64_t raw[16];
  for (int i = 0; i < 16; ++i) __builtin_memcpy(raw + i, rows[i], 8);
  const __m512i first = _mm512_loadu_si512(raw), second = _mm512_loadu_si512(raw + 8);
#pragma GCC unroll 8
  for (unsigned b = 0; b < 8; ++b) {
    const __m128i low = _mm512_cvtepi64_epi8(_mm512_srli_epi64(first, 8 * b));
    const __m128i high = _mm512_cvtepi64_epi8(_mm512_srli_epi64(second, 8 * b));
    _mm512_storeu_ps(out + 2 * b * stride, nv_e4m3(_mm_unpacklo_epi64(low, high)));
  }
}

// Nv8: x has its columns' sum behind its dwords.
TETRAD_SIMD_INLINE Part nt8_dot(const NtWords* w, const NtWords* x) {
  __m512i sum = _mm512_dpbusd_epi32(x[4].v, w[0].v, x[0].v);
  sum = _mm512_dpbusd_epi32(sum, w[1].v, x[1].v);
  sum = _mm512_dpbusd_epi32(sum, w[2].v, x[2].v);
  sum = _mm512_dpbusd_epi32(sum, w[3].v, x[3].v);
  return {_mm512_cvtepi32_ps(sum)};
}
// Dwords of 8 codes to dwords of the even columns and of the odd ones.
TETRAD_SIMD_INLINE void nt8_decode(const float* dwords, std::int32_t* out, std::int64_t stride) {
  const __m512i raw = _mm512_loadu_si512(dwords);
  _mm512_storeu_si512(out, nv_even(raw));
  _mm512_storeu_si512(out + stride, nv_odd(raw));
}
