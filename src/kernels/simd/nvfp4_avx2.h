// NVFP4 products for AVX2. Meaning: nvfp4_simd.h.
constexpr unsigned kNvRegisters = 16;
constexpr int kNvFetchTo = 2;  // L2

TETRAD_SIMD_INLINE __m256i nv_load(const std::byte* p) {
  return _mm256_loadu_si256(reinterpret_cast<const __m256i_u*>(p));
}

// Codes plus 12, so that they are unsigned.
TETRAD_SIMD_INLINE __m256i nv_even(__m256i raw) {
  const __m256i table =
      _mm256_broadcastsi128_si256(_mm_setr_epi8(12, 13, 14, 15, 16, 18, 20, 24, 12, 11, 10, 9, 8, 6, 4, 0));
  return _mm256_shuffle_epi8(table, _mm256_and_si256(raw, _mm256_set1_epi8(0x0F)));
}
TETRAD_SIMD_INLINE __m256i nv_odd(__m256i raw) { return nv_even(_mm256_srli_epi16(raw, 4)); }
struct NvCodes {
  __m256i x[2], y[2];  // of lanes 0 .. 7 and 8 .. 15; not decoded yet: 8 registers would be too many
};
TETRAD_SIMD_INLINE NvCodes nv_codes(const std::byte* p) {
  NvCodes codes;
  for (int h = 0; h < 2; ++h) {
    const __m256i first = nv_load(p + 32 * h), second = nv_load(p + 64 + 32 * h);
    codes.x[h] = _mm256_blend_epi32(first, second, 0xAA);
    codes.y[h] = _mm256_shuffle_epi32(_mm256_blend_epi32(second, first, 0xAA), 0xB1);
  }
  return codes;
}

// 16 E4M3 codes as F32 times 2^-8.
TETRAD_SIMD_INLINE F32x16 nv_e4m3_16(__m128i bytes) {
  const __m256i codes = _mm256_cvtepi8_epi16(bytes);
  const __m256i half = _mm256_and_si256(_mm256_slli_epi16(codes, 7), _mm256_set1_epi16(static_cast<short>(0xBFFF)));
  const __m256i nan = _mm256_cmpeq_epi16(_mm256_and_si256(half, _mm256_set1_epi16(0x3FFF)), _mm256_set1_epi16(0x3F80));
  const __m256i bits = _mm256_or_si256(half, _mm256_and_si256(nan, _mm256_set1_epi16(0x7C00)));
  return {_mm256_cvtph_ps(_mm256_castsi256_si128(bits)), _mm256_cvtph_ps(_mm256_extracti128_si256(bits, 1))};
}
TETRAD_SIMD_INLINE __m256 nv_e4m3(__m128i bytes) { return nv_e4m3_16(bytes).lo; }
TETRAD_SIMD_INLINE F32x16 nv_scales(const std::byte* p) {
  const __m128i all = _mm_loadu_si128(reinterpret_cast<const __m128i_u*>(p));
  return nv_e4m3_16(_mm_shuffle_epi8(all, _mm_setr_epi8(0, 8, 1, 9, 2, 10, 3, 11, 4, 12, 5, 13, 6, 14, 7, 15)));
}

// Of half `h` of the lanes, from memory: the operands would be too many for registers. At most 24 * 128 * 8 in a 16-bit
// lane.
TETRAD_SIMD_INLINE __m256i nv_dot(const NvCodes& w, const std::byte* x, int h, short unit = 1) {
  const __m256i first = _mm256_add_epi16(_mm256_maddubs_epi16(nv_even(w.x[h]), nv_load(x + 32 * h)),
                                         _mm256_maddubs_epi16(nv_odd(w.x[h]), nv_load(x + 64 + 32 * h)));
  const __m256i second = _mm256_add_epi16(_mm256_maddubs_epi16(nv_even(w.y[h]), nv_load(x + 128 + 32 * h)),
                                          _mm256_maddubs_epi16(nv_odd(w.y[h]), nv_load(x + 192 + 32 * h)));
  return _mm256_madd_epi16(_mm256_add_epi16(first, second), _mm256_set1_epi16(unit));
}
TETRAD_SIMD_INLINE __m256 nv_add(__m256i dot, __m256 w_scale, const std::byte* x_scale, __m256 sum) {
  const __m256 scale = _mm256_mul_ps(w_scale, _mm256_castsi256_ps(nv_load(x_scale)));
  return _mm256_fmadd_ps(_mm256_cvtepi32_ps(dot), scale, sum);
}

struct NvPlanes16 {
  const std::byte* at;
  TETRAD_SIMD_INLINE static NvPlanes16 load(const std::byte* p) { return {p}; }
};
TETRAD_SIMD_INLINE __m256i nv_dot16(const NvCodes& w, const std::byte* x, int h) {
  const __m256i low = _mm256_add_epi32(nv_dot(w, x + 256, h), nv_load(x + 512 + 32 * h));
  return _mm256_add_epi32(nv_dot(w, x, h, 256), low);
}
TETRAD_SIMD_INLINE F32x16 nv_add_dot(const NvCodes& w, F32x16 w_scale, const NvPlanes16& x, F32x16 sum) {
  return {nv_add(nv_dot16(w, x.at, 0), w_scale.lo, x.at + 576, sum.lo),
          nv_add(nv_dot16(w, x.at, 1), w_scale.hi, x.at + 608, sum.hi)};
}
struct NvPlanes8 {
  const std::byte* at;
  TETRAD_SIMD_INLINE static NvPlanes8 load(const std::byte* p) { return {p}; }
};
TETRAD_SIMD_INLINE F32x16 nv_add_dot(const NvCodes& w, F32x16 w_scale, const NvPlanes8& x, F32x16 sum) {
  const __m256i low = _mm256_add_epi32(nv_dot(w, x.at, 0), nv_load(x.at + 256));
  const __m256i high = _mm256_add_epi32(nv_dot(w, x.at, 1), nv_load(x.at + 288));
  return {nv_add(low, w_scale.lo, x.at + 320, sum.lo), nv_add(high, w_scale.hi, x.at + 352, sum.hi)};
}

// Integers of 16 columns as 8 pairs of 16 bits, as nt_decode has them.
TETRAD_SIMD_INLINE void nv_pairs(F32x16 q, std::int32_t* out) {
  const __m256i packed = _mm256_packs_epi32(_mm256_cvtps_epi32(q.lo), _mm256_cvtps_epi32(q.hi));
  const __m256i pairs =
      _mm256_broadcastsi128_si256(_mm_setr_epi8(0, 1, 8, 9, 4, 5, 12, 13, 2, 3, 10, 11, 6, 7, 14, 15));
  const __m256i ordered = _mm256_shuffle_epi8(_mm256_permute4x64_epi64(packed, 0xD8), pairs);
  _mm256_storeu_si256(reinterpret_cast<__m256i_u*>(out), ordered);
}
// As bytes, those of even and of odd columns of each half together.
TETRAD_SIMD_INLINE void nv_words(F32x16 q, std::int32_t* out) {
  const __m256i words = _mm256_packs_epi32(_mm256_cvtps_epi32(q.lo), _mm256_cvtps_epi32(q.hi));
  const __m256i ordered = _mm256_permute4x64_epi64(words, 0xD8);
  const __m128i bytes = _mm_packs_epi16(_mm256_castsi256_si128(ordered), _mm256_extracti128_si256(ordered, 1));
  const __m128i order = _mm_setr_epi8(0, 2, 4, 6, 1, 3, 5, 7, 8, 10, 12, 14, 9, 11, 13, 15);
  _mm_storeu_si128(reinterpret_cast<__m128i_u*>(out), _mm_shuffle_epi8(bytes, order));
}
