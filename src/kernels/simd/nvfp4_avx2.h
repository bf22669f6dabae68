// NVFP4 products for AVX2. Meaning: nvfp4_simd.h.
TETRAD_SIMD_INLINE __m256i nv_load(const std::byte* p) {
  return _mm256_loadu_si256(reinterpret_cast<const __m256i_u*>(p));
}

// Codes plus 12, so that they are unsigned: columns 2b of dword d (even) and 2b + 1 (odd) in byte b of dword d.
struct NvCodes {
  __m256i even[2], odd[2];
};
TETRAD_SIMD_INLINE NvCodes nv_codes(const std::byte* p) {
  const __m256i mask = _mm256_set1_epi8(0x0F);
  const __m256i table =
      _mm256_broadcastsi128_si256(_mm_setr_epi8(12, 13, 14, 15, 16, 18, 20, 24, 12, 11, 10, 9, 8, 6, 4, 0));
  NvCodes codes;
  for (int h = 0; h < 2; ++h) {
    const __m256i raw = nv_load(p + 32 * h);
    codes.even[h] = _mm256_shuffle_epi8(table, _mm256_and_si256(raw, mask));
    codes.odd[h] = _mm256_shuffle_epi8(table, _mm256_and_si256(_mm256_srli_epi16(raw, 4), mask));
  }
  return codes;
}

TETRAD_SIMD_INLINE F32x16 nv_scales(const std::byte* p) {
  const __m128i codes = _mm_cvtepi8_epi16(_mm_loadl_epi64(reinterpret_cast<const __m128i_u*>(p)));
  const __m128i half = _mm_and_si128(_mm_slli_epi16(codes, 7), _mm_set1_epi16(static_cast<short>(0xBFFF)));
  const __m128i magnitude = _mm_and_si128(half, _mm_set1_epi16(0x3FFF));
  const __m128i nan = _mm_cmpeq_epi16(magnitude, _mm_set1_epi16(0x3F80));
  const __m256 eight = _mm256_cvtph_ps(_mm_or_si128(half, _mm_and_si128(nan, _mm_set1_epi16(0x7C00))));
  return {_mm256_permutevar8x32_ps(eight, _mm256_setr_epi32(0, 0, 1, 1, 2, 2, 3, 3)),
          _mm256_permutevar8x32_ps(eight, _mm256_setr_epi32(4, 4, 5, 5, 6, 6, 7, 7))};
}

struct NvPlanes {
  const std::byte* at;  // 12 registers would be too many
};
TETRAD_SIMD_INLINE NvPlanes nv_planes(const std::byte* x) { return {x}; }
TETRAD_SIMD_INLINE __m256 nv_add_half(const NvCodes& w, __m256 w_scale, const std::byte* x, int h, __m256 sum) {
  const __m256i ones = _mm256_set1_epi16(1);
  const __m256i high =
      _mm256_add_epi16(_mm256_maddubs_epi16(w.even[h], nv_load(x)), _mm256_maddubs_epi16(w.odd[h], nv_load(x + 64)));
  const __m256i low = _mm256_add_epi16(_mm256_maddubs_epi16(w.even[h], nv_load(x + 128)),
                                       _mm256_maddubs_epi16(w.odd[h], nv_load(x + 192)));
  const __m256i high_sum = _mm256_slli_epi32(_mm256_madd_epi16(high, ones), 8);
  const __m256i low_sum = _mm256_add_epi32(_mm256_madd_epi16(low, ones), nv_load(x + 256));
  const __m256 x_scale = _mm256_loadu_ps(reinterpret_cast<const float*>(x + 320));
  return _mm256_fmadd_ps(_mm256_cvtepi32_ps(_mm256_add_epi32(high_sum, low_sum)), _mm256_mul_ps(w_scale, x_scale), sum);
}
TETRAD_SIMD_INLINE F32x16 nv_add_dot(const NvCodes& w, F32x16 w_scale, const NvPlanes& x, F32x16 sum) {
  return {nv_add_half(w, w_scale.lo, x.at, 0, sum.lo), nv_add_half(w, w_scale.hi, x.at + 32, 1, sum.hi)};
}

// Integers of 16 columns as 8 pairs of 16 bits, as nt_decode has them.
TETRAD_SIMD_INLINE void nv_pairs(F32x16 q, std::int32_t* out) {
  const __m256i packed = _mm256_packs_epi32(_mm256_cvtps_epi32(q.lo), _mm256_cvtps_epi32(q.hi));
  const __m256i pairs =
      _mm256_broadcastsi128_si256(_mm_setr_epi8(0, 1, 8, 9, 4, 5, 12, 13, 2, 3, 10, 11, 6, 7, 14, 15));
  const __m256i ordered = _mm256_shuffle_epi8(_mm256_permute4x64_epi64(packed, 0xD8), pairs);
  _mm256_storeu_si256(reinterpret_cast<__m256i_u*>(out), ordered);
}

// The low bytes of 16 lanes, those of even columns first.
TETRAD_SIMD_INLINE __m128i nv_bytes(__m256i lo, __m256i hi) {
  const __m256i byte = _mm256_set1_epi32(0xFF);
  const __m256i words = _mm256_packus_epi32(_mm256_and_si256(lo, byte), _mm256_and_si256(hi, byte));
  const __m256i ordered = _mm256_permute4x64_epi64(words, 0xD8);
  const __m128i bytes = _mm_packus_epi16(_mm256_castsi256_si128(ordered), _mm256_extracti128_si256(ordered, 1));
  return _mm_shuffle_epi8(bytes, _mm_setr_epi8(0, 2, 4, 6, 8, 10, 12, 14, 1, 3, 5, 7, 9, 11, 13, 15));
}

// Values of 16 columns, integers up to 32639 in size, of block `block`, to their places in planes, with -12 times the
// sums of the block's dwords.
TETRAD_SIMD_INLINE void nv_store_planes(F32x16 values, int block, std::byte* out) {
  const __m256i lo = _mm256_cvtps_epi32(values.lo), hi = _mm256_cvtps_epi32(values.hi), half = _mm256_set1_epi32(128);
  const __m128i low_bytes = nv_bytes(lo, hi);
  const __m128i high_bytes =
      nv_bytes(_mm256_srai_epi32(_mm256_add_epi32(lo, half), 8), _mm256_srai_epi32(_mm256_add_epi32(hi, half), 8));
  std::byte* at = out + 8 * block;
  _mm_storel_epi64(reinterpret_cast<__m128i_u*>(at), high_bytes);
  _mm_storel_epi64(reinterpret_cast<__m128i_u*>(at + 64), _mm_unpackhi_epi64(high_bytes, high_bytes));
  _mm_storel_epi64(reinterpret_cast<__m128i_u*>(at + 128), low_bytes);
  _mm_storel_epi64(reinterpret_cast<__m128i_u*>(at + 192), _mm_unpackhi_epi64(low_bytes, low_bytes));
  const __m256i pairs = _mm256_hadd_epi32(lo, hi);
  const __m128i fours = _mm_add_epi32(_mm256_castsi256_si128(pairs), _mm256_extracti128_si256(pairs, 1));
  const __m128i sums = _mm_mullo_epi32(_mm_hadd_epi32(fours, fours), _mm_set1_epi32(-12));
  _mm_storel_epi64(reinterpret_cast<__m128i_u*>(at + 256), sums);
}
