// What quantize_simd.h needs beyond vec16.h, for AVX2; what each function means: quantize_avx512.h.

TETRAD_SIMD_INLINE __m256 round_e2m1_half(__m256 r) {
  const __m256i binade = _mm256_and_si256(_mm256_max_epi32(_mm256_castps_si256(r), _mm256_set1_epi32(0x3F800000)),
                                          _mm256_set1_epi32(0x7F800000));
  const __m256 magic = _mm256_castsi256_ps(_mm256_add_epi32(binade, _mm256_set1_epi32(22 << 23)));
  return _mm256_sub_ps(_mm256_add_ps(r, magic), magic);
}
TETRAD_SIMD_INLINE F32x16 round_e2m1(F32x16 r) { return {round_e2m1_half(r.lo), round_e2m1_half(r.hi)}; }

TETRAD_SIMD_INLINE F32x16 minus_exact_product(F32x16 u, F32x16 q, F32x16 c) {
  return {_mm256_fnmadd_ps(q.lo, c.lo, u.lo), _mm256_fnmadd_ps(q.hi, c.hi, u.hi)};
}

// Two times q, and 16 for a negative one.
TETRAD_SIMD_INLINE __m256i e2m1_index(__m256 q, __m256 negative) {
  const __m256i twice = _mm256_cvtps_epi32(_mm256_add_ps(q, q));
  return _mm256_or_si256(twice, _mm256_and_si256(_mm256_castps_si256(negative), _mm256_set1_epi32(16)));
}
TETRAD_SIMD_INLINE void store_e2m1(std::uint8_t* out, F32x16 q, Mask16 negative) {
  const __m128i index = narrow_to_bytes(e2m1_index(q.lo, negative.lo), e2m1_index(q.hi, negative.hi));
  const __m128i table = _mm_setr_epi8(0, 1, 2, 3, 4, 0, 5, 0, 6, 0, 0, 0, 7, 0, 0, 0);
  const __m128i magnitudes = _mm_shuffle_epi8(table, _mm_and_si128(index, _mm_set1_epi8(15)));
  const __m128i signs = _mm_srli_epi16(_mm_and_si128(index, _mm_set1_epi8(16)), 1);
  const __m128i pairs = _mm_maddubs_epi16(_mm_or_si128(magnitudes, signs), _mm_set1_epi16(0x1001));
  _mm_storel_epi64(reinterpret_cast<__m128i_u*>(out), _mm_packus_epi16(pairs, pairs));
}

TETRAD_SIMD_INLINE void transpose8(__m256* m) {
  __m256 x[2][4];  // [group of four rows][column modulo 4]: half l holds column 4 l + k of these rows
  for (int g = 0; g < 2; ++g) {
    const __m256 *r0 = m + 4 * g, a = _mm256_unpacklo_ps(r0[0], r0[1]), b = _mm256_unpackhi_ps(r0[0], r0[1]);
    const __m256 c = _mm256_unpacklo_ps(r0[2], r0[3]), d = _mm256_unpackhi_ps(r0[2], r0[3]);
    x[g][0] = _mm256_castpd_ps(_mm256_unpacklo_pd(_mm256_castps_pd(a), _mm256_castps_pd(c)));
    x[g][1] = _mm256_castpd_ps(_mm256_unpackhi_pd(_mm256_castps_pd(a), _mm256_castps_pd(c)));
    x[g][2] = _mm256_castpd_ps(_mm256_unpacklo_pd(_mm256_castps_pd(b), _mm256_castps_pd(d)));
    x[g][3] = _mm256_castpd_ps(_mm256_unpackhi_pd(_mm256_castps_pd(b), _mm256_castps_pd(d)));
  }
  for (int k = 0; k < 4; ++k) {
    m[k] = _mm256_permute2f128_ps(x[0][k], x[1][k], 0x20);
    m[4 + k] = _mm256_permute2f128_ps(x[0][k], x[1][k], 0x31);
  }
}
TETRAD_SIMD_INLINE void transpose(F32x16* m) {
  __m256 part[4][8];  // upper left, upper right, lower left, lower right
  for (int i = 0; i < 8; ++i) {
    part[0][i] = m[i].lo;
    part[1][i] = m[i].hi;
    part[2][i] = m[8 + i].lo;
    part[3][i] = m[8 + i].hi;
  }
  for (int p = 0; p < 4; ++p) transpose8(part[p]);
  for (int i = 0; i < 8; ++i) {
    m[i] = {part[0][i], part[2][i]};
    m[8 + i] = {part[1][i], part[3][i]};
  }
}

struct F64x16 {
  __m256d part[4];
};
TETRAD_SIMD_INLINE F64x16 zero_f64() {
  return {{_mm256_setzero_pd(), _mm256_setzero_pd(), _mm256_setzero_pd(), _mm256_setzero_pd()}};
}
TETRAD_SIMD_INLINE void add_squares(F64x16* sums, F32x16 a) {
  const __m256d wide[4] = {
      _mm256_cvtps_pd(_mm256_castps256_ps128(a.lo)), _mm256_cvtps_pd(_mm256_extractf128_ps(a.lo, 1)),
      _mm256_cvtps_pd(_mm256_castps256_ps128(a.hi)), _mm256_cvtps_pd(_mm256_extractf128_ps(a.hi, 1))};
  for (int i = 0; i < 4; ++i) sums->part[i] = _mm256_fmadd_pd(wide[i], wide[i], sums->part[i]);
}
TETRAD_SIMD_INLINE double add_halves(F64x16 a) {
  const __m256d low = _mm256_add_pd(a.part[0], a.part[2]), high = _mm256_add_pd(a.part[1], a.part[3]);
  const __m256d s4 = _mm256_add_pd(low, high);
  const __m128d s2 = _mm_add_pd(_mm256_castpd256_pd128(s4), _mm256_extractf128_pd(s4, 1));
  return _mm_cvtsd_f64(_mm_add_sd(s2, _mm_unpackhi_pd(s2, s2)));
}
