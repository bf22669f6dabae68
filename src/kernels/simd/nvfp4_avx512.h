// NVFP4 products for AVX-512 with VNNI. Meaning: nvfp4_simd.h.
TETRAD_SIMD_INLINE __m512i nv_load(const std::byte* p) { return _mm512_loadu_si512(p); }

// Codes plus 12, so that they are unsigned: columns 2b of dword d (even) and 2b + 1 (odd) in byte b of dword d.
struct NvCodes {
  __m512i even, odd;
};
TETRAD_SIMD_INLINE NvCodes nv_codes(const std::byte* p) {
  __m512i raw = nv_load(p);
  __asm__("" : "+v"(raw));  // one load, not one for each use: most cross a cache line
  const __m512i mask = _mm512_set1_epi8(0x0F);
  const __m512i table =
      _mm512_broadcast_i32x4(_mm_setr_epi8(12, 13, 14, 15, 16, 18, 20, 24, 12, 11, 10, 9, 8, 6, 4, 0));
  return {_mm512_shuffle_epi8(table, _mm512_and_si512(raw, mask)),
          _mm512_shuffle_epi8(table, _mm512_and_si512(_mm512_srli_epi16(raw, 4), mask))};
}

TETRAD_SIMD_INLINE F32x16 nv_scales(const std::byte* p) {
  const __m128i codes = _mm_cvtepi8_epi16(_mm_loadl_epi64(reinterpret_cast<const __m128i_u*>(p)));
  const __m128i half = _mm_and_si128(_mm_slli_epi16(codes, 7), _mm_set1_epi16(static_cast<short>(0xBFFF)));
  const __m128i magnitude = _mm_and_si128(half, _mm_set1_epi16(0x3FFF));
  const __m128i nan = _mm_cmpeq_epi16(magnitude, _mm_set1_epi16(0x3F80));
  const __m256 eight = _mm256_cvtph_ps(_mm_or_si128(half, _mm_and_si128(nan, _mm_set1_epi16(0x7C00))));
  const __m512i twice = _mm512_setr_epi32(0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7);
  return {_mm512_permutexvar_ps(twice, _mm512_castps256_ps512(eight))};
}

struct NvPlanes {
  __m512i high_even, high_odd, low_even, low_odd, offset;
  __m512 scale;
};
TETRAD_SIMD_INLINE NvPlanes nv_planes(const std::byte* x) {
  return {nv_load(x),       nv_load(x + 64),  nv_load(x + 128),
          nv_load(x + 192), nv_load(x + 256), _mm512_loadu_ps(reinterpret_cast<const float*>(x + 320))};
}
TETRAD_SIMD_INLINE F32x16 nv_add_dot(const NvCodes& w, F32x16 w_scale, const NvPlanes& x, F32x16 sum) {
  const __m512i high =
      _mm512_dpbusd_epi32(_mm512_dpbusd_epi32(_mm512_setzero_si512(), w.even, x.high_even), w.odd, x.high_odd);
  const __m512i low = _mm512_dpbusd_epi32(_mm512_dpbusd_epi32(x.offset, w.even, x.low_even), w.odd, x.low_odd);
  const __m512 dot = _mm512_cvtepi32_ps(_mm512_add_epi32(_mm512_slli_epi32(high, 8), low));
  return {_mm512_fmadd_ps(dot, _mm512_mul_ps(w_scale.v, x.scale), sum.v)};
}

// Integers of 16 columns as 8 pairs of 16 bits.
TETRAD_SIMD_INLINE void nv_pairs(F32x16 q, std::int32_t* out) {
  _mm256_storeu_si256(reinterpret_cast<__m256i_u*>(out), _mm512_cvtepi32_epi16(_mm512_cvtps_epi32(q.v)));
}

// Values of 16 columns, integers up to 32639 in size, of block `block`, to their places in planes, with -12 times the
// sums of the block's dwords.
TETRAD_SIMD_INLINE void nv_store_planes(F32x16 values, int block, std::byte* out) {
  const __m512i q = _mm512_cvtps_epi32(values.v);
  const __m512i high = _mm512_srai_epi32(_mm512_add_epi32(q, _mm512_set1_epi32(128)), 8);
  const __m512i low = _mm512_sub_epi32(q, _mm512_slli_epi32(high, 8));
  const __m128i parity = _mm_setr_epi8(0, 2, 4, 6, 8, 10, 12, 14, 1, 3, 5, 7, 9, 11, 13, 15);
  const __m128i high_bytes = _mm_shuffle_epi8(_mm512_cvtepi32_epi8(high), parity);
  const __m128i low_bytes = _mm_shuffle_epi8(_mm512_cvtepi32_epi8(low), parity);
  std::byte* at = out + 8 * block;
  _mm_storel_epi64(reinterpret_cast<__m128i_u*>(at), high_bytes);
  _mm_storel_epi64(reinterpret_cast<__m128i_u*>(at + 64), _mm_unpackhi_epi64(high_bytes, high_bytes));
  _mm_storel_epi64(reinterpret_cast<__m128i_u*>(at + 128), low_bytes);
  _mm_storel_epi64(reinterpret_cast<__m128i_u*>(at + 192), _mm_unpackhi_epi64(low_bytes, low_bytes));
  const __m256i pairs = _mm256_hadd_epi32(_mm512_castsi512_si256(q), _mm512_extracti64x4_epi64(q, 1));
  const __m128i fours = _mm_add_epi32(_mm256_castsi256_si128(pairs), _mm256_extracti128_si256(pairs, 1));
  const __m128i sums = _mm_mullo_epi32(_mm_hadd_epi32(fours, fours), _mm_set1_epi32(-12));
  _mm_storel_epi64(reinterpret_cast<__m128i_u*>(at + 256), sums);
}
