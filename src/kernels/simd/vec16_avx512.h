// F32x16 for AVX-512 (f, bw, vl, dq, vnni). Meaning: vec16.h.
struct F32x16 {
  __m512 v;
};
struct Mask16 {
  __mmask16 bits;
};

TETRAD_SIMD_INLINE F32x16 load(const float* p) { return {_mm512_loadu_ps(p)}; }
TETRAD_SIMD_INLINE void store(float* p, F32x16 a) { _mm512_storeu_ps(p, a.v); }
TETRAD_SIMD_INLINE F32x16 set1(float a) { return {_mm512_set1_ps(a)}; }
TETRAD_SIMD_INLINE F32x16 zero() { return {_mm512_setzero_ps()}; }
TETRAD_SIMD_INLINE F32x16 iota() { return {_mm512_setr_ps(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15)}; }
// One load, not one for each use.
TETRAD_SIMD_INLINE void keep(F32x16& a) { __asm__("" : "+v"(a.v)); }
TETRAD_SIMD_INLINE F32x16 load_partial(const float* p, int n) {
  return {_mm512_maskz_loadu_ps(static_cast<__mmask16>((1U << n) - 1U), p)};
}
TETRAD_SIMD_INLINE void store_partial(float* p, F32x16 a, int n) {
  _mm512_mask_storeu_ps(p, static_cast<__mmask16>((1U << n) - 1U), a.v);
}

// A register's worth of lanes: the matrix kernels run over them part by part.
struct Part {
  __m512 v;
};
constexpr int kParts = 1;
TETRAD_SIMD_INLINE Part part_zero() { return {_mm512_setzero_ps()}; }
TETRAD_SIMD_INLINE Part part_load(const float* p) { return {_mm512_loadu_ps(p)}; }
TETRAD_SIMD_INLINE Part part_set1(float a) { return {_mm512_set1_ps(a)}; }
TETRAD_SIMD_INLINE Part part_add(Part a, Part b) { return {_mm512_add_ps(a.v, b.v)}; }
TETRAD_SIMD_INLINE Part part_mul(Part a, Part b) { return {_mm512_mul_ps(a.v, b.v)}; }
TETRAD_SIMD_INLINE Part part_fma(Part a, Part b, Part c) { return {_mm512_fmadd_ps(a.v, b.v, c.v)}; }
TETRAD_SIMD_INLINE void part_store(float* p, Part a) { _mm512_storeu_ps(p, a.v); }

TETRAD_SIMD_INLINE F32x16 operator+(F32x16 a, F32x16 b) { return {_mm512_add_ps(a.v, b.v)}; }
TETRAD_SIMD_INLINE F32x16 operator-(F32x16 a, F32x16 b) { return {_mm512_sub_ps(a.v, b.v)}; }
TETRAD_SIMD_INLINE F32x16 operator*(F32x16 a, F32x16 b) { return {_mm512_mul_ps(a.v, b.v)}; }
TETRAD_SIMD_INLINE F32x16 div(F32x16 a, F32x16 b) { return {_mm512_div_ps(a.v, b.v)}; }
TETRAD_SIMD_INLINE F32x16 sqrt(F32x16 a) { return {_mm512_sqrt_ps(a.v)}; }
TETRAD_SIMD_INLINE F32x16 fma(F32x16 a, F32x16 b, F32x16 c) { return {_mm512_fmadd_ps(a.v, b.v, c.v)}; }
TETRAD_SIMD_INLINE F32x16 min(F32x16 a, F32x16 b) { return {_mm512_min_ps(a.v, b.v)}; }
TETRAD_SIMD_INLINE F32x16 max(F32x16 a, F32x16 b) { return {_mm512_max_ps(a.v, b.v)}; }
TETRAD_SIMD_INLINE F32x16 abs(F32x16 a) { return {_mm512_andnot_ps(_mm512_set1_ps(-0.0F), a.v)}; }
TETRAD_SIMD_INLINE F32x16 neg(F32x16 a) { return {_mm512_xor_ps(_mm512_set1_ps(-0.0F), a.v)}; }
TETRAD_SIMD_INLINE F32x16 copysign_of(F32x16 magnitude, F32x16 sign) {
  const __m512 bit = _mm512_set1_ps(-0.0F);
  return {_mm512_or_ps(_mm512_andnot_ps(bit, magnitude.v), _mm512_and_ps(bit, sign.v))};
}
TETRAD_SIMD_INLINE F32x16 round_nearest(F32x16 a) {
  return {_mm512_roundscale_ps(a.v, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC)};
}

TETRAD_SIMD_INLINE Mask16 less(F32x16 a, F32x16 b) { return {_mm512_cmp_ps_mask(a.v, b.v, _CMP_LT_OQ)}; }
TETRAD_SIMD_INLINE Mask16 less_equal(F32x16 a, F32x16 b) { return {_mm512_cmp_ps_mask(a.v, b.v, _CMP_LE_OQ)}; }
TETRAD_SIMD_INLINE Mask16 equal(F32x16 a, F32x16 b) { return {_mm512_cmp_ps_mask(a.v, b.v, _CMP_EQ_OQ)}; }
TETRAD_SIMD_INLINE Mask16 is_nan(F32x16 a) { return {_mm512_cmp_ps_mask(a.v, a.v, _CMP_UNORD_Q)}; }
TETRAD_SIMD_INLINE F32x16 select(Mask16 m, F32x16 a, F32x16 b) { return {_mm512_mask_blend_ps(m.bits, b.v, a.v)}; }
TETRAD_SIMD_INLINE Mask16 mask_and(Mask16 a, Mask16 b) { return {static_cast<__mmask16>(a.bits & b.bits)}; }
TETRAD_SIMD_INLINE Mask16 mask_or(Mask16 a, Mask16 b) { return {static_cast<__mmask16>(a.bits | b.bits)}; }
TETRAD_SIMD_INLINE Mask16 mask_not(Mask16 a) { return {static_cast<__mmask16>(~a.bits)}; }
TETRAD_SIMD_INLINE std::uint32_t mask_bits(Mask16 a) { return a.bits; }

TETRAD_SIMD_INLINE F32x16 from_f32(const std::byte* p) { return {_mm512_loadu_ps(static_cast<const void*>(p))}; }
TETRAD_SIMD_INLINE F32x16 from_bf16(const std::byte* p) {
  const __m256i raw = _mm256_loadu_si256(reinterpret_cast<const __m256i_u*>(p));
  return {_mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(raw), 16))};
}
TETRAD_SIMD_INLINE F32x16 pair_low(F32x16 a) {
  return {_mm512_castsi512_ps(_mm512_slli_epi32(_mm512_castps_si512(a.v), 16))};
}
TETRAD_SIMD_INLINE F32x16 pair_high(F32x16 a) {
  const __m512i mask = _mm512_set1_epi32(static_cast<int>(0xFFFF0000U));
  return {_mm512_castsi512_ps(_mm512_and_si512(_mm512_castps_si512(a.v), mask))};
}
constexpr unsigned kApart = 2;
TETRAD_SIMD_INLINE void from_bf16_apart(const std::byte* p, F32x16* out) {
  const F32x16 raw = from_f32(p);
  out[0] = pair_low(raw);
  out[1] = pair_high(raw);
}
TETRAD_SIMD_INLINE void join_apart(F32x16* a) {
  const __m512i first = _mm512_setr_epi32(0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
  const __m512i second = _mm512_setr_epi32(8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31);
  const F32x16 even = a[0], odd = a[1];
  a[0].v = _mm512_permutex2var_ps(even.v, first, odd.v);
  a[1].v = _mm512_permutex2var_ps(even.v, second, odd.v);
}
TETRAD_SIMD_INLINE F32x16 from_f16(const std::byte* p) {
  return {_mm512_cvtph_ps(_mm256_loadu_si256(reinterpret_cast<const __m256i_u*>(p)))};
}
TETRAD_SIMD_INLINE F32x16 from_e4m3(const std::byte* p) {
  const __m512i code = _mm512_cvtepu8_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i_u*>(p)));
  const __m512i magnitude = _mm512_and_si512(code, _mm512_set1_epi32(0x7F));
  const __m512i sign = _mm512_slli_epi32(_mm512_and_si512(code, _mm512_set1_epi32(0x80)), 24);
  __m512i bits = _mm512_add_epi32(_mm512_slli_epi32(magnitude, 20), _mm512_set1_epi32(120 << 23));
  const __mmask16 small = _mm512_cmplt_epi32_mask(magnitude, _mm512_set1_epi32(8));
  const __m512 subnormal = _mm512_mul_ps(_mm512_cvtepi32_ps(magnitude), _mm512_set1_ps(0x1p-9F));
  bits = _mm512_mask_mov_epi32(bits, small, _mm512_castps_si512(subnormal));
  const __mmask16 nan = _mm512_cmpeq_epi32_mask(magnitude, _mm512_set1_epi32(0x7F));
  bits = _mm512_mask_mov_epi32(bits, nan, _mm512_set1_epi32(0x7FC00000));
  return {_mm512_castsi512_ps(_mm512_or_si512(bits, sign))};
}
TETRAD_SIMD_INLINE F32x16 from_e4m3_256th(const std::byte* p) {
  const __m256i wide = _mm256_cvtepi8_epi16(_mm_loadu_si128(reinterpret_cast<const __m128i_u*>(p)));
  const __m256i half = _mm256_and_si256(_mm256_slli_epi16(wide, 7), _mm256_set1_epi16(static_cast<short>(0xBFFF)));
  return {_mm512_cvtph_ps(half)};
}
TETRAD_SIMD_INLINE F32x16 from_int8(const std::byte* p) {
  return {_mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i_u*>(p))))};
}
TETRAD_SIMD_INLINE F32x16 from_e2m1(const std::byte* p) {
  const __m128i packed = _mm_loadl_epi64(reinterpret_cast<const __m128i_u*>(p));
  const __m128i mask = _mm_set1_epi8(0x0F);
  const __m128i codes = _mm_unpacklo_epi8(_mm_and_si128(packed, mask), _mm_and_si128(_mm_srli_epi16(packed, 4), mask));
  const __m512 table = _mm512_setr_ps(0.0F, 0.5F, 1.0F, 1.5F, 2.0F, 3.0F, 4.0F, 6.0F, -0.0F, -0.5F, -1.0F, -1.5F, -2.0F,
                                      -3.0F, -4.0F, -6.0F);
  return {_mm512_permutexvar_ps(_mm512_cvtepu8_epi32(codes), table)};
}
TETRAD_SIMD_INLINE __m512i
bf16_bits(F32x16 a) {  // the rounded bits in the upper half of each lane, the lower half dirty
  const __m512i bits = _mm512_castps_si512(a.v);
  const __m512i odd = _mm512_and_si512(_mm512_srli_epi32(bits, 16), _mm512_set1_epi32(1));
  const __m512i rounded = _mm512_add_epi32(bits, _mm512_add_epi32(odd, _mm512_set1_epi32(0x7FFF)));
  return _mm512_mask_or_epi32(rounded, _mm512_cmp_ps_mask(a.v, a.v, _CMP_UNORD_Q), bits, _mm512_set1_epi32(0x400000));
}
TETRAD_SIMD_INLINE F32x16 round_bf16(F32x16 a) {
  const __m512i high = _mm512_set1_epi32(static_cast<int>(0xFFFF0000U));
  return {_mm512_castsi512_ps(_mm512_and_si512(bf16_bits(a), high))};
}
TETRAD_SIMD_INLINE void to_bf16(std::byte* p, F32x16 a) {
  const __m256i narrow = _mm512_cvtepi32_epi16(_mm512_srli_epi32(bf16_bits(a), 16));
  _mm256_storeu_si256(reinterpret_cast<__m256i_u*>(p), narrow);
}
TETRAD_SIMD_INLINE void to_int8(std::byte* p, F32x16 a) {
  _mm_storeu_si128(reinterpret_cast<__m128i_u*>(p), _mm512_cvtepi32_epi8(_mm512_cvtps_epi32(a.v)));
}
TETRAD_SIMD_INLINE void to_e4m3(std::byte* p, F32x16 a) {
  const __m512i bits = _mm512_castps_si512(abs(a).v);
  const __m512i odd = _mm512_and_si512(_mm512_srli_epi32(bits, 20), _mm512_set1_epi32(1));
  const __m512i rounded = _mm512_add_epi32(bits, _mm512_add_epi32(odd, _mm512_set1_epi32(0x7FFFF)));
  const __m512i normal = _mm512_sub_epi32(_mm512_srli_epi32(rounded, 20), _mm512_set1_epi32(120 << 3));
  const __m512 magic = _mm512_set1_ps(0x1p14F);
  const __m512i subnormal =
      _mm512_sub_epi32(_mm512_castps_si512(_mm512_add_ps(abs(a).v, magic)), _mm512_castps_si512(magic));
  const __mmask16 small = _mm512_cmp_ps_mask(abs(a).v, _mm512_set1_ps(0x1p-6F), _CMP_LT_OQ);
  const __m512i sign = _mm512_and_si512(_mm512_srli_epi32(_mm512_castps_si512(a.v), 24), _mm512_set1_epi32(0x80));
  const __m512i codes = _mm512_or_si512(_mm512_mask_mov_epi32(normal, small, subnormal), sign);
  _mm_storeu_si128(reinterpret_cast<__m128i_u*>(p), _mm512_cvtepi32_epi8(codes));
}
TETRAD_SIMD_INLINE F32x16 exp2_int(F32x16 n) {
  const __m512i exponent = _mm512_add_epi32(_mm512_cvtps_epi32(n.v), _mm512_set1_epi32(127));
  return {_mm512_castsi512_ps(_mm512_slli_epi32(exponent, 23))};
}

TETRAD_SIMD_INLINE float hsum(F32x16 a) {
  const __m256 s8 = _mm256_add_ps(_mm512_castps512_ps256(a.v), _mm512_extractf32x8_ps(a.v, 1));
  const __m128 s4 = _mm_add_ps(_mm256_castps256_ps128(s8), _mm256_extractf128_ps(s8, 1));
  const __m128 s2 = _mm_add_ps(s4, _mm_movehl_ps(s4, s4));
  return _mm_cvtss_f32(_mm_add_ss(s2, _mm_movehdup_ps(s2)));
}
TETRAD_SIMD_INLINE float hmax(F32x16 a) {
  const __m256 s8 = _mm256_max_ps(_mm512_castps512_ps256(a.v), _mm512_extractf32x8_ps(a.v, 1));
  const __m128 s4 = _mm_max_ps(_mm256_castps256_ps128(s8), _mm256_extractf128_ps(s8, 1));
  const __m128 s2 = _mm_max_ps(s4, _mm_movehl_ps(s4, s4));
  return _mm_cvtss_f32(_mm_max_ss(s2, _mm_movehdup_ps(s2)));
}
