// What quantize_simd.h needs beyond vec16.h, for AVX-512.

// The nearest E2M1 value, ties to even; 0 <= r <= 6. Adding and taking away 2^22, 2^23 or 2^24, whose neighbours lie as
// far apart as E2M1's values do around r, rounds to one of those: 0.5 below 2, 1 below 4, 2 from there on.
TETRAD_SIMD_INLINE F32x16 round_e2m1(F32x16 r) {
  const __m512i binade = _mm512_and_si512(_mm512_max_epi32(_mm512_castps_si512(r.v), _mm512_set1_epi32(0x3F800000)),
                                          _mm512_set1_epi32(0x7F800000));
  const __m512 magic = _mm512_castsi512_ps(_mm512_add_epi32(binade, _mm512_set1_epi32(22 << 23)));
  return {_mm512_sub_ps(_mm512_add_ps(r.v, magic), magic)};
}

// u - q * c, where the product is exact, so that it may be fused.
TETRAD_SIMD_INLINE F32x16 minus_exact_product(F32x16 u, F32x16 q, F32x16 c) {
  return {_mm512_fnmadd_ps(q.v, c.v, u.v)};
}

// Sixteen values of E2M1 (without sign) as codes, two a byte, the even ones in the low halves; `negative` gives the
// signs.
TETRAD_SIMD_INLINE void store_e2m1(std::uint8_t* out, F32x16 q, Mask16 negative) {
  const __m128i twice = _mm512_cvtepi32_epi8(_mm512_cvtps_epi32(_mm512_add_ps(q.v, q.v)));  // 0 1 2 3 4 6 8 12
  const __m128i table = _mm_setr_epi8(0, 1, 2, 3, 4, 0, 5, 0, 6, 0, 0, 0, 7, 0, 0, 0);
  const __m128i magnitudes = _mm_shuffle_epi8(table, twice);
  const __m128i codes = _mm_mask_add_epi8(magnitudes, negative.bits, magnitudes, _mm_set1_epi8(8));
  const __m128i pairs = _mm_maddubs_epi16(codes, _mm_set1_epi16(0x1001));
  _mm_storel_epi64(reinterpret_cast<__m128i_u*>(out), _mm_cvtepi16_epi8(pairs));
}

TETRAD_SIMD_INLINE __m512 quarters(__m512 a, __m512 b, bool odd) {
  return odd ? _mm512_shuffle_f32x4(a, b, 0xDD) : _mm512_shuffle_f32x4(a, b, 0x88);
}
TETRAD_SIMD_INLINE void transpose(F32x16* m) {
  __m512 x[4][4];  // [group of four rows][column modulo 4]: quarter l holds column 4 l + k of these rows
  for (int g = 0; g < 4; ++g) {
    const __m512 *r0 = &m[4 * g].v, a = _mm512_unpacklo_ps(r0[0], r0[1]), b = _mm512_unpackhi_ps(r0[0], r0[1]);
    const __m512 c = _mm512_unpacklo_ps(r0[2], r0[3]), d = _mm512_unpackhi_ps(r0[2], r0[3]);
    x[g][0] = _mm512_castpd_ps(_mm512_unpacklo_pd(_mm512_castps_pd(a), _mm512_castps_pd(c)));
    x[g][1] = _mm512_castpd_ps(_mm512_unpackhi_pd(_mm512_castps_pd(a), _mm512_castps_pd(c)));
    x[g][2] = _mm512_castpd_ps(_mm512_unpacklo_pd(_mm512_castps_pd(b), _mm512_castps_pd(d)));
    x[g][3] = _mm512_castpd_ps(_mm512_unpackhi_pd(_mm512_castps_pd(b), _mm512_castps_pd(d)));
  }
  for (int k = 0; k < 4; ++k) {
    const __m512 even01 = quarters(x[0][k], x[1][k], false), odd01 = quarters(x[0][k], x[1][k], true);
    const __m512 even23 = quarters(x[2][k], x[3][k], false), odd23 = quarters(x[2][k], x[3][k], true);
    m[k].v = quarters(even01, even23, false);
    m[4 + k].v = quarters(odd01, odd23, false);
    m[8 + k].v = quarters(even01, even23, true);
    m[12 + k].v = quarters(odd01, odd23, true);
  }
}

struct F64x16 {
  __m512d lo, hi;
};
TETRAD_SIMD_INLINE F64x16 zero_f64() { return {_mm512_setzero_pd(), _mm512_setzero_pd()}; }
// Squares of floats are exact in double, so that fusing changes nothing.
TETRAD_SIMD_INLINE void add_squares(F64x16* sums, F32x16 a) {
  const __m512d lo = _mm512_cvtps_pd(_mm512_castps512_ps256(a.v)), hi = _mm512_cvtps_pd(_mm512_extractf32x8_ps(a.v, 1));
  sums->lo = _mm512_fmadd_pd(lo, lo, sums->lo);
  sums->hi = _mm512_fmadd_pd(hi, hi, sums->hi);
}
TETRAD_SIMD_INLINE double add_halves(F64x16 a) {
  const __m512d s8 = _mm512_add_pd(a.lo, a.hi);
  const __m256d s4 = _mm256_add_pd(_mm512_castpd512_pd256(s8), _mm512_extractf64x4_pd(s8, 1));
  const __m128d s2 = _mm_add_pd(_mm256_castpd256_pd128(s4), _mm256_extractf128_pd(s4, 1));
  return _mm_cvtsd_f64(_mm_add_sd(s2, _mm_unpackhi_pd(s2, s2)));
}
