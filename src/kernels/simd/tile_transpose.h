// As many rows as a register has lanes, of 16 columns, row i at from + i * stride bytes; column j's values go to to + j
// * to_stride. Not for the scalar target.
#if TETRAD_SIMD_TARGET == TETRAD_SIMD_AVX512
TETRAD_SIMD_INLINE void tile_transpose(const std::byte* from, std::int64_t stride, float* to, std::int64_t to_stride) {
  __m512 a[16], b[16];
#pragma GCC unroll 16
  for (int i = 0; i < 16; ++i) a[i] = _mm512_loadu_ps(static_cast<const void*>(from + i * stride));
#pragma GCC unroll 8
  for (int i = 0; i < 16; i += 2) {  // pairs of rows
    b[i] = _mm512_unpacklo_ps(a[i], a[i + 1]);
    b[i + 1] = _mm512_unpackhi_ps(a[i], a[i + 1]);
  }
#pragma GCC unroll 4
  for (int i = 0; i < 16; i += 4) {  // columns q, q + 4, q + 8, q + 12 of four rows in a[i + q]
    a[i] = _mm512_castpd_ps(_mm512_unpacklo_pd(_mm512_castps_pd(b[i]), _mm512_castps_pd(b[i + 2])));
    a[i + 1] = _mm512_castpd_ps(_mm512_unpackhi_pd(_mm512_castps_pd(b[i]), _mm512_castps_pd(b[i + 2])));
    a[i + 2] = _mm512_castpd_ps(_mm512_unpacklo_pd(_mm512_castps_pd(b[i + 1]), _mm512_castps_pd(b[i + 3])));
    a[i + 3] = _mm512_castpd_ps(_mm512_unpackhi_pd(_mm512_castps_pd(b[i + 1]), _mm512_castps_pd(b[i + 3])));
  }
#pragma GCC unroll 4
  for (int q = 0; q < 4; ++q) {
    const __m512 even_low = _mm512_shuffle_f32x4(a[q], a[4 + q], 0x88),
                 odd_low = _mm512_shuffle_f32x4(a[q], a[4 + q], 0xDD);
    const __m512 even_high = _mm512_shuffle_f32x4(a[8 + q], a[12 + q], 0x88),
                 odd_high = _mm512_shuffle_f32x4(a[8 + q], a[12 + q], 0xDD);
    _mm512_storeu_ps(to + q * to_stride, _mm512_shuffle_f32x4(even_low, even_high, 0x88));
    _mm512_storeu_ps(to + (q + 4) * to_stride, _mm512_shuffle_f32x4(odd_low, odd_high, 0x88));
    _mm512_storeu_ps(to + (q + 8) * to_stride, _mm512_shuffle_f32x4(even_low, even_high, 0xDD));
    _mm512_storeu_ps(to + (q + 12) * to_stride, _mm512_shuffle_f32x4(odd_low, odd_high, 0xDD));
  }
}
#elif TETRAD_SIMD_TARGET == TETRAD_SIMD_AVX2
TETRAD_SIMD_INLINE void tile_transpose(const std::byte* from, std::int64_t stride, float* to, std::int64_t to_stride) {
  for (int half = 0; half < 2; ++half, from += 32, to += 8 * to_stride) {
    __m256 a[8], b[8];
#pragma GCC unroll 8
    for (int i = 0; i < 8; ++i)
      a[i] = _mm256_castsi256_ps(_mm256_loadu_si256(reinterpret_cast<const __m256i_u*>(from + i * stride)));
#pragma GCC unroll 4
    for (int i = 0; i < 8; i += 2) {
      b[i] = _mm256_unpacklo_ps(a[i], a[i + 1]);
      b[i + 1] = _mm256_unpackhi_ps(a[i], a[i + 1]);
    }
#pragma GCC unroll 2
    for (int i = 0; i < 8; i += 4) {  // columns q and q + 4 of four rows in a[i + q]
      a[i] = _mm256_shuffle_ps(b[i], b[i + 2], 0x44);
      a[i + 1] = _mm256_shuffle_ps(b[i], b[i + 2], 0xEE);
      a[i + 2] = _mm256_shuffle_ps(b[i + 1], b[i + 3], 0x44);
      a[i + 3] = _mm256_shuffle_ps(b[i + 1], b[i + 3], 0xEE);
    }
#pragma GCC unroll 4
    for (int q = 0; q < 4; ++q) {
      _mm256_storeu_ps(to + q * to_stride, _mm256_permute2f128_ps(a[q], a[4 + q], 0x20));
      _mm256_storeu_ps(to + (q + 4) * to_stride, _mm256_permute2f128_ps(a[q], a[4 + q], 0x31));
    }
  }
}
#endif

#if TETRAD_SIMD_TARGET != TETRAD_SIMD_SCALAR
// hsum's tree over 16 sums that lie `stride` floats apart, for a register of results.
TETRAD_SIMD_INLINE Part tile_tree(const float* sums, std::int64_t stride) {
  Part c[8];
#pragma GCC unroll 8
  for (int j = 0; j < 8; ++j) c[j] = part_add(part_load(sums + j * stride), part_load(sums + (j + 8) * stride));
#pragma GCC unroll 4
  for (int j = 0; j < 4; ++j) c[j] = part_add(c[j], c[j + 4]);
  return part_add(part_add(c[0], c[2]), part_add(c[1], c[3]));
}
#endif
