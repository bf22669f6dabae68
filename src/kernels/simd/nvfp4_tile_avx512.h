// NVFP4 tiles for AVX-512 with VNNI. Meaning: nvfp4_tile_simd.h.
constexpr unsigned kNtM16 = 4, kNtM8 = 8, kNtVectors = 2, kNtLanes = 16, kNtPanel = 2;
struct NtWords {
  __m512i v;
};
TETRAD_SIMD_INLINE NtWords nt_load(const std::int32_t* p) { return {_mm512_loadu_si512(p)}; }
TETRAD_SIMD_INLINE NtWords nt_set1(std::int32_t x) { return {_mm512_set1_epi32(x)}; }
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

// Dwords of 8 codes to dwords of the even columns and of the odd ones.
TETRAD_SIMD_INLINE void nt8_decode(const float* dwords, std::int32_t* out, std::int64_t stride) {
  const __m512i raw = _mm512_loadu_si512(dwords);
  _mm512_storeu_si512(out, nv_even(raw));
  _mm512_storeu_si512(out + stride, nv_odd(raw));
}

struct NtDot16 {
  TETRAD_SIMD_INLINE static Part dot(const NtWords* w, const NtWords* x) {
    __m512i sum = _mm512_madd_epi16(w[0].v, x[0].v);
#pragma GCC unroll 7
    for (int p = 1; p < 8; ++p) sum = _mm512_dpwssd_epi32(sum, w[p].v, x[p].v);
    return {_mm512_cvtepi32_ps(sum)};
  }
};
struct NtDot8 {  // behind x's dwords is -12 * sum of q in the block
  TETRAD_SIMD_INLINE static Part dot(const NtWords* w, const NtWords* x) {
    __m512i sum = _mm512_dpbusd_epi32(x[4].v, w[0].v, x[0].v);
    sum = _mm512_dpbusd_epi32(sum, w[1].v, x[1].v);
    sum = _mm512_dpbusd_epi32(sum, w[2].v, x[2].v);
    sum = _mm512_dpbusd_epi32(sum, w[3].v, x[3].v);
    return {_mm512_cvtepi32_ps(sum)};
  }
};

// A block of w is in registers while kM rows of x pass.
// sums[kM][kN] of one lane of all groups.
template <class Form>
inline void nt_lane(const std::int32_t* x, const std::int32_t* w, std::int64_t groups, float* sums) {
  constexpr unsigned kM = Form::kM, kN = kNtVectors * kNtLanes, kWords = Form::kWords, kX = Form::kXValues - 1;
  Part acc[kM][kNtVectors];
#pragma GCC unroll 8
  for (unsigned i = 0; i < kM; ++i)
#pragma GCC unroll 8
    for (unsigned j = 0; j < kNtVectors; ++j) acc[i][j] = part_zero();
  for (std::int64_t g = 0; g < groups; ++g, x += (kX + 1) * kM, w += (kWords + 1) * kN) {
    NtWords words[kNtVectors][kWords];
    Part scale[kNtVectors];
#pragma GCC unroll 8
    for (unsigned j = 0; j < kNtVectors; ++j) {
#pragma GCC unroll 8
      for (unsigned p = 0; p < kWords; ++p) words[j][p] = nt_load(w + p * kN + j * kNtLanes);
      scale[j] = part_load(reinterpret_cast<const float*>(w + kWords * kN + j * kNtLanes));
    }
#pragma GCC unroll 8
    for (unsigned i = 0; i < kM; ++i) {
      NtWords xk[kX];
#pragma GCC unroll 8
      for (unsigned p = 0; p < kX; ++p) xk[p] = nt_set1(x[p * kM + i]);
      const Part x_scale = part_set1(reinterpret_cast<const float*>(x)[kX * kM + i]);
#pragma GCC unroll 8
      for (unsigned j = 0; j < kNtVectors; ++j)
        acc[i][j] = part_fma(Form::dot(words[j], xk), part_mul(scale[j], x_scale), acc[i][j]);
    }
  }
#pragma GCC unroll 8
  for (unsigned i = 0; i < kM; ++i)
#pragma GCC unroll 8
    for (unsigned j = 0; j < kNtVectors; ++j) part_store(sums + i * kN + j * kNtLanes, acc[i][j]);
}
