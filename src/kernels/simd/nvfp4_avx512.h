// NVFP4 products for AVX-512 with VNNI. Meaning: nvfp4_simd.h.
constexpr unsigned kNvRegisters = 32;
constexpr int kNvFetchTo = 3;  // L1

TETRAD_SIMD_INLINE __m512i nv_load(const std::byte* p) { return _mm512_loadu_si512(p); }

// Codes plus 12, so that they are unsigned.
TETRAD_SIMD_INLINE __m512i nv_even(__m512i raw) {
  const __m512i table =
      _mm512_broadcast_i32x4(_mm_setr_epi8(12, 13, 14, 15, 16, 18, 20, 24, 12, 11, 10, 9, 8, 6, 4, 0));
  return _mm512_shuffle_epi8(table, _mm512_and_si512(raw, _mm512_set1_epi8(0x0F)));
}
TETRAD_SIMD_INLINE __m512i nv_odd(__m512i raw) { return nv_even(_mm512_srli_epi16(raw, 4)); }
struct NvCodes {
  __m512i x_even, x_odd, y_even, y_odd;
};
TETRAD_SIMD_INLINE NvCodes nv_codes(const std::byte* p) {
  __m512i first = nv_load(p), second = nv_load(p + 64);
  __asm__("" : "+v"(first), "+v"(second));  // one load, not one for each use: most cross a cache line
  const __m512i x = _mm512_mask_blend_epi32(0xAAAA, first, second);
  const __m512i y = _mm512_shuffle_epi32(_mm512_mask_blend_epi32(0xAAAA, second, first), _MM_PERM_CDAB);
  return {nv_even(x), nv_odd(x), nv_even(y), nv_odd(y)};
}

// 16 E4M3 codes as F32 times 2^-8.
TETRAD_SIMD_INLINE __m512 nv_e4m3(__m128i bytes) {
  const __m256i codes = _mm256_cvtepi8_epi16(bytes);
  const __m256i half = _mm256_and_si256(_mm256_slli_epi16(codes, 7), _mm256_set1_epi16(static_cast<short>(0xBFFF)));
  const __m256i magnitude = _mm256_and_si256(half, _mm256_set1_epi16(0x3FFF));
  const __m256i nan = _mm256_cmpeq_epi16(magnitude, _mm256_set1_epi16(0x3F80));
  return _mm512_cvtph_ps(_mm256_or_si256(half, _mm256_and_si256(nan, _mm256_set1_epi16(0x7C00))));
}
TETRAD_SIMD_INLINE F32x16 nv_scales(const std::byte* p) {
  const __m128i first = _mm_loadl_epi64(reinterpret_cast<const __m128i_u*>(p));
  const __m128i second = _mm_loadl_epi64(reinterpret_cast<const __m128i_u*>(p + 8));
  return {nv_e4m3(_mm_unpacklo_epi8(first, second))};
}

struct NvBytes {
  __m512i x_even, x_odd, y_even, y_odd;
};
TETRAD_SIMD_INLINE NvBytes nv_bytes(const std::byte* p) {
  return {nv_load(p), nv_load(p + 64), nv_load(p + 128), nv_load(p + 192)};
}
TETRAD_SIMD_INLINE __m512i nv_dot(__m512i sum, const NvCodes& w, const NvBytes& x) {
  sum = _mm512_dpbusd_epi32(sum, w.x_even, x.x_even);
  sum = _mm512_dpbusd_epi32(sum, w.x_odd, x.x_odd);
  sum = _mm512_dpbusd_epi32(sum, w.y_even, x.y_even);
  return _mm512_dpbusd_epi32(sum, w.y_odd, x.y_odd);
}
TETRAD_SIMD_INLINE F32x16 nv_add(__m512i dot, F32x16 w_scale, __m512 x_scale, F32x16 sum) {
  return {_mm512_fmadd_ps(_mm512_cvtepi32_ps(dot), _mm512_mul_ps(w_scale.v, x_scale), sum.v)};
}

struct NvPlanes16 {
  NvBytes high, low;
  __m512i offset;
  __m512 scale;
  TETRAD_SIMD_INLINE static NvPlanes16 load(const std::byte* p) {
    return {nv_bytes(p), nv_bytes(p + 256), nv_load(p + 512), _mm512_castsi512_ps(nv_load(p + 576))};
  }
};
TETRAD_SIMD_INLINE F32x16 nv_add_dot(const NvCodes& w, F32x16 w_scale, const NvPlanes16& x, F32x16 sum) {
  const __m512i high = _mm512_slli_epi32(nv_dot(_mm512_setzero_si512(), w, x.high), 8);
  return nv_add(_mm512_add_epi32(high, nv_dot(x.offset, w, x.low)), w_scale, x.scale, sum);
}
struct NvPlanes8 {
  NvBytes bytes;
  __m512i offset;
  __m512 scale;
  TETRAD_SIMD_INLINE static NvPlanes8 load(const std::byte* p) {
    return {nv_bytes(p), nv_load(p + 256), _mm512_castsi512_ps(nv_load(p + 320))};
  }
};
TETRAD_SIMD_INLINE F32x16 nv_add_dot(const NvCodes& w, F32x16 w_scale, const NvPlanes8& x, F32x16 sum) {
  return nv_add(nv_dot(x.offset, w, x.bytes), w_scale, x.scale, sum);
}

// A row of x with four of w, whose codes stay in registers: a load serves four products. Results as nv_add_dot's.
struct NvFour {
  NvCodes w[4];
  F32x16 scale[4];
};
TETRAD_SIMD_INLINE void nv_dot_four(const NvFour& w, const std::byte* x, __m512i* sums) {
  const __m512i x_even = nv_load(x), x_odd = nv_load(x + 64), y_even = nv_load(x + 128), y_odd = nv_load(x + 192);
#pragma GCC unroll 4
  for (int j = 0; j < 4; ++j) sums[j] = _mm512_dpbusd_epi32(sums[j], w.w[j].x_even, x_even);
#pragma GCC unroll 4
  for (int j = 0; j < 4; ++j) sums[j] = _mm512_dpbusd_epi32(sums[j], w.w[j].x_odd, x_odd);
#pragma GCC unroll 4
  for (int j = 0; j < 4; ++j) sums[j] = _mm512_dpbusd_epi32(sums[j], w.w[j].y_even, y_even);
#pragma GCC unroll 4
  for (int j = 0; j < 4; ++j) sums[j] = _mm512_dpbusd_epi32(sums[j], w.w[j].y_odd, y_odd);
}
// x: a group of planes, those of 16 bits or of 8; sums: of the row of x with each of the four.
TETRAD_SIMD_INLINE void nv_add_four(const NvFour& w, const std::byte* x, bool wide, F32x16* sums) {
  const std::byte* behind = x + (wide ? 512 : 256);
  const __m512i offset = nv_load(behind);
  const __m512 x_scale = _mm512_castsi512_ps(nv_load(behind + 64));
  __m512i dots[4];
  if (wide) {
#pragma GCC unroll 4
    for (int j = 0; j < 4; ++j) dots[j] = _mm512_setzero_si512();
    nv_dot_four(w, x, dots);
#pragma GCC unroll 4
    for (int j = 0; j < 4; ++j) dots[j] = _mm512_add_epi32(_mm512_slli_epi32(dots[j], 8), offset);
    nv_dot_four(w, x + 256, dots);
  } else {
#pragma GCC unroll 4
    for (int j = 0; j < 4; ++j) dots[j] = offset;
    nv_dot_four(w, x, dots);
  }
#pragma GCC unroll 4
  for (int j = 0; j < 4; ++j) sums[j] = nv_add(dots[j], w.scale[j], x_scale, sums[j]);
}

// Integers of 16 columns as 8 pairs of 16 bits, as nt_decode has them.
TETRAD_SIMD_INLINE void nv_pairs(F32x16 q, std::int32_t* out) {
  _mm256_storeu_si256(reinterpret_cast<__m256i_u*>(out), _mm512_cvtepi32_epi16(_mm512_cvtps_epi32(q.v)));
}
// As bytes, those of even and of odd columns of each half together.
TETRAD_SIMD_INLINE void nv_words(F32x16 q, std::int32_t* out) {
  const __m128i order = _mm_setr_epi8(0, 2, 4, 6, 1, 3, 5, 7, 8, 10, 12, 14, 9, 11, 13, 15);
  const __m128i bytes = _mm_shuffle_epi8(_mm512_cvtepi32_epi8(_mm512_cvtps_epi32(q.v)), order);
  _mm_storeu_si128(reinterpret_cast<__m128i_u*>(out), bytes);
}
