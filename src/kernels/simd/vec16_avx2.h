// F32x16 for AVX2 + FMA + F16C: two registers. Meaning: vec16.h.
struct F32x16 {
  __m256 lo, hi;
};
struct Mask16 {
  __m256 lo, hi;
};

TETRAD_SIMD_INLINE F32x16 load(const float* p) { return {_mm256_loadu_ps(p), _mm256_loadu_ps(p + 8)}; }
TETRAD_SIMD_INLINE void store(float* p, F32x16 a) {
  _mm256_storeu_ps(p, a.lo);
  _mm256_storeu_ps(p + 8, a.hi);
}
TETRAD_SIMD_INLINE F32x16 set1(float a) { return {_mm256_set1_ps(a), _mm256_set1_ps(a)}; }
TETRAD_SIMD_INLINE F32x16 zero() { return {_mm256_setzero_ps(), _mm256_setzero_ps()}; }
TETRAD_SIMD_INLINE F32x16 iota() {
  return {_mm256_setr_ps(0, 1, 2, 3, 4, 5, 6, 7), _mm256_setr_ps(8, 9, 10, 11, 12, 13, 14, 15)};
}
// One load, not one for each use.
TETRAD_SIMD_INLINE void keep(F32x16& a) { __asm__("" : "+x"(a.lo), "+x"(a.hi)); }
TETRAD_SIMD_INLINE F32x16 load_partial(const float* p, int n) {
  float buffer[16] = {};
  for (int j = 0; j < n; ++j) buffer[j] = p[j];
  return load(buffer);
}
TETRAD_SIMD_INLINE void store_partial(float* p, F32x16 a, int n) {
  float buffer[16];
  store(buffer, a);
  for (int j = 0; j < n; ++j) p[j] = buffer[j];
}

// A register's worth of lanes: the matrix kernels run over them part by part.
struct Part {
  __m256 v;
};
constexpr int kParts = 2;
TETRAD_SIMD_INLINE Part part_zero() { return {_mm256_setzero_ps()}; }
TETRAD_SIMD_INLINE Part part_load(const float* p) { return {_mm256_loadu_ps(p)}; }
TETRAD_SIMD_INLINE Part part_set1(float a) { return {_mm256_set1_ps(a)}; }
TETRAD_SIMD_INLINE Part part_add(Part a, Part b) { return {_mm256_add_ps(a.v, b.v)}; }
TETRAD_SIMD_INLINE Part part_mul(Part a, Part b) { return {_mm256_mul_ps(a.v, b.v)}; }
TETRAD_SIMD_INLINE Part part_fma(Part a, Part b, Part c) { return {_mm256_fmadd_ps(a.v, b.v, c.v)}; }
TETRAD_SIMD_INLINE void part_store(float* p, Part a) { _mm256_storeu_ps(p, a.v); }

TETRAD_SIMD_INLINE F32x16 operator+(F32x16 a, F32x16 b) {
  return {_mm256_add_ps(a.lo, b.lo), _mm256_add_ps(a.hi, b.hi)};
}
TETRAD_SIMD_INLINE F32x16 operator-(F32x16 a, F32x16 b) {
  return {_mm256_sub_ps(a.lo, b.lo), _mm256_sub_ps(a.hi, b.hi)};
}
TETRAD_SIMD_INLINE F32x16 operator*(F32x16 a, F32x16 b) {
  return {_mm256_mul_ps(a.lo, b.lo), _mm256_mul_ps(a.hi, b.hi)};
}
TETRAD_SIMD_INLINE F32x16 div(F32x16 a, F32x16 b) { return {_mm256_div_ps(a.lo, b.lo), _mm256_div_ps(a.hi, b.hi)}; }
TETRAD_SIMD_INLINE F32x16 sqrt(F32x16 a) { return {_mm256_sqrt_ps(a.lo), _mm256_sqrt_ps(a.hi)}; }
TETRAD_SIMD_INLINE F32x16 fma(F32x16 a, F32x16 b, F32x16 c) {
  return {_mm256_fmadd_ps(a.lo, b.lo, c.lo), _mm256_fmadd_ps(a.hi, b.hi, c.hi)};
}
TETRAD_SIMD_INLINE F32x16 min(F32x16 a, F32x16 b) { return {_mm256_min_ps(a.lo, b.lo), _mm256_min_ps(a.hi, b.hi)}; }
TETRAD_SIMD_INLINE F32x16 max(F32x16 a, F32x16 b) { return {_mm256_max_ps(a.lo, b.lo), _mm256_max_ps(a.hi, b.hi)}; }
TETRAD_SIMD_INLINE F32x16 abs(F32x16 a) {
  const __m256 bit = _mm256_set1_ps(-0.0F);
  return {_mm256_andnot_ps(bit, a.lo), _mm256_andnot_ps(bit, a.hi)};
}
TETRAD_SIMD_INLINE F32x16 neg(F32x16 a) {
  const __m256 bit = _mm256_set1_ps(-0.0F);
  return {_mm256_xor_ps(bit, a.lo), _mm256_xor_ps(bit, a.hi)};
}
TETRAD_SIMD_INLINE F32x16 copysign_of(F32x16 magnitude, F32x16 sign) {
  const __m256 bit = _mm256_set1_ps(-0.0F);
  return {_mm256_or_ps(_mm256_andnot_ps(bit, magnitude.lo), _mm256_and_ps(bit, sign.lo)),
          _mm256_or_ps(_mm256_andnot_ps(bit, magnitude.hi), _mm256_and_ps(bit, sign.hi))};
}
TETRAD_SIMD_INLINE F32x16 round_nearest(F32x16 a) {
  return {_mm256_round_ps(a.lo, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC),
          _mm256_round_ps(a.hi, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC)};
}

TETRAD_SIMD_INLINE Mask16 less(F32x16 a, F32x16 b) {
  return {_mm256_cmp_ps(a.lo, b.lo, _CMP_LT_OQ), _mm256_cmp_ps(a.hi, b.hi, _CMP_LT_OQ)};
}
TETRAD_SIMD_INLINE Mask16 less_equal(F32x16 a, F32x16 b) {
  return {_mm256_cmp_ps(a.lo, b.lo, _CMP_LE_OQ), _mm256_cmp_ps(a.hi, b.hi, _CMP_LE_OQ)};
}
TETRAD_SIMD_INLINE Mask16 equal(F32x16 a, F32x16 b) {
  return {_mm256_cmp_ps(a.lo, b.lo, _CMP_EQ_OQ), _mm256_cmp_ps(a.hi, b.hi, _CMP_EQ_OQ)};
}
TETRAD_SIMD_INLINE Mask16 is_nan(F32x16 a) {
  return {_mm256_cmp_ps(a.lo, a.lo, _CMP_UNORD_Q), _mm256_cmp_ps(a.hi, a.hi, _CMP_UNORD_Q)};
}
TETRAD_SIMD_INLINE F32x16 select(Mask16 m, F32x16 a, F32x16 b) {
  return {_mm256_blendv_ps(b.lo, a.lo, m.lo), _mm256_blendv_ps(b.hi, a.hi, m.hi)};
}
TETRAD_SIMD_INLINE Mask16 mask_and(Mask16 a, Mask16 b) {
  return {_mm256_and_ps(a.lo, b.lo), _mm256_and_ps(a.hi, b.hi)};
}
TETRAD_SIMD_INLINE Mask16 mask_or(Mask16 a, Mask16 b) { return {_mm256_or_ps(a.lo, b.lo), _mm256_or_ps(a.hi, b.hi)}; }
TETRAD_SIMD_INLINE Mask16 mask_not(Mask16 a) {
  const __m256 ones = _mm256_castsi256_ps(_mm256_set1_epi32(-1));
  return {_mm256_xor_ps(a.lo, ones), _mm256_xor_ps(a.hi, ones)};
}
TETRAD_SIMD_INLINE std::uint32_t mask_bits(Mask16 a) {
  return static_cast<std::uint32_t>(_mm256_movemask_ps(a.lo)) | static_cast<std::uint32_t>(_mm256_movemask_ps(a.hi))
                                                                    << 8;
}

TETRAD_SIMD_INLINE __m256 bf16_half(const std::byte* p) {
  const __m128i raw = _mm_loadu_si128(reinterpret_cast<const __m128i_u*>(p));
  return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(raw), 16));
}
// Not by memcpy: GCC 12 has the value go through memory in four pieces, and each load waits for them (values in
// attention were read at a quarter of the speed).
TETRAD_SIMD_INLINE F32x16 from_f32(const std::byte* p) {
  return load(static_cast<const float*>(static_cast<const void*>(p)));
}
TETRAD_SIMD_INLINE F32x16 from_bf16(const std::byte* p) { return {bf16_half(p), bf16_half(p + 16)}; }
TETRAD_SIMD_INLINE __m256 pair_low_half(__m256 a) {
  return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_castps_si256(a), 16));
}
TETRAD_SIMD_INLINE __m256 pair_high_half(__m256 a) {
  return _mm256_and_ps(a, _mm256_castsi256_ps(_mm256_set1_epi32(static_cast<int>(0xFFFF0000U))));
}
TETRAD_SIMD_INLINE F32x16 pair_low(F32x16 a) { return {pair_low_half(a.lo), pair_low_half(a.hi)}; }
TETRAD_SIMD_INLINE F32x16 pair_high(F32x16 a) { return {pair_high_half(a.lo), pair_high_half(a.hi)}; }
constexpr unsigned kApart = 1;
TETRAD_SIMD_INLINE void from_bf16_apart(const std::byte* p, F32x16* out) {
  const __m256 raw = _mm256_castsi256_ps(_mm256_loadu_si256(reinterpret_cast<const __m256i_u*>(p)));
  out[0] = {pair_low_half(raw), pair_high_half(raw)};
}
TETRAD_SIMD_INLINE void join_apart(F32x16* a) {
  const __m256 low = _mm256_unpacklo_ps(a[0].lo, a[0].hi), high = _mm256_unpackhi_ps(a[0].lo, a[0].hi);
  a[0] = {_mm256_permute2f128_ps(low, high, 0x20), _mm256_permute2f128_ps(low, high, 0x31)};
}
TETRAD_SIMD_INLINE F32x16 from_f16(const std::byte* p) {
  return {_mm256_cvtph_ps(_mm_loadu_si128(reinterpret_cast<const __m128i_u*>(p))),
          _mm256_cvtph_ps(_mm_loadu_si128(reinterpret_cast<const __m128i_u*>(p + 16)))};
}
TETRAD_SIMD_INLINE __m256 e4m3_half(const std::byte* p) {
  const __m256i code = _mm256_cvtepu8_epi32(_mm_loadl_epi64(reinterpret_cast<const __m128i_u*>(p)));
  const __m256i magnitude = _mm256_and_si256(code, _mm256_set1_epi32(0x7F));
  const __m256i sign = _mm256_slli_epi32(_mm256_and_si256(code, _mm256_set1_epi32(0x80)), 24);
  __m256i bits = _mm256_add_epi32(_mm256_slli_epi32(magnitude, 20), _mm256_set1_epi32(120 << 23));
  const __m256 subnormal = _mm256_mul_ps(_mm256_cvtepi32_ps(magnitude), _mm256_set1_ps(0x1p-9F));
  bits = _mm256_blendv_epi8(bits, _mm256_castps_si256(subnormal), _mm256_cmpgt_epi32(_mm256_set1_epi32(8), magnitude));
  bits =
      _mm256_blendv_epi8(bits, _mm256_set1_epi32(0x7FC00000), _mm256_cmpeq_epi32(magnitude, _mm256_set1_epi32(0x7F)));
  return _mm256_castsi256_ps(_mm256_or_si256(bits, sign));
}
TETRAD_SIMD_INLINE F32x16 from_e4m3(const std::byte* p) { return {e4m3_half(p), e4m3_half(p + 8)}; }
TETRAD_SIMD_INLINE F32x16 from_e4m3_256th(const std::byte* p) {
  const __m256i wide = _mm256_cvtepi8_epi16(_mm_loadu_si128(reinterpret_cast<const __m128i_u*>(p)));
  const __m256i half = _mm256_and_si256(_mm256_slli_epi16(wide, 7), _mm256_set1_epi16(static_cast<short>(0xBFFF)));
  return {_mm256_cvtph_ps(_mm256_castsi256_si128(half)), _mm256_cvtph_ps(_mm256_extracti128_si256(half, 1))};
}
TETRAD_SIMD_INLINE __m256 int8_half(const std::byte* p) {
  return _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(_mm_loadl_epi64(reinterpret_cast<const __m128i_u*>(p))));
}
TETRAD_SIMD_INLINE F32x16 from_int8(const std::byte* p) { return {int8_half(p), int8_half(p + 8)}; }
TETRAD_SIMD_INLINE __m256 e2m1_half(__m128i codes) {
  const __m256i index = _mm256_cvtepu8_epi32(codes);
  const __m256 table = _mm256_setr_ps(0.0F, 0.5F, 1.0F, 1.5F, 2.0F, 3.0F, 4.0F, 6.0F);
  const __m256i sign = _mm256_slli_epi32(_mm256_srli_epi32(index, 3), 31);  // vpermps reads only the low three bits
  return _mm256_or_ps(_mm256_permutevar8x32_ps(table, index), _mm256_castsi256_ps(sign));
}
TETRAD_SIMD_INLINE F32x16 from_e2m1(const std::byte* p) {
  const __m128i packed = _mm_loadl_epi64(reinterpret_cast<const __m128i_u*>(p));
  const __m128i mask = _mm_set1_epi8(0x0F);
  const __m128i codes = _mm_unpacklo_epi8(_mm_and_si128(packed, mask), _mm_and_si128(_mm_srli_epi16(packed, 4), mask));
  return {e2m1_half(codes), e2m1_half(_mm_srli_si128(codes, 8))};
}
TETRAD_SIMD_INLINE __m256i
bf16_bits(__m256 a) {  // the rounded bits in the upper half of each lane, the lower half dirty
  const __m256i bits = _mm256_castps_si256(a);
  const __m256i odd = _mm256_and_si256(_mm256_srli_epi32(bits, 16), _mm256_set1_epi32(1));
  const __m256i rounded = _mm256_add_epi32(bits, _mm256_add_epi32(odd, _mm256_set1_epi32(0x7FFF)));
  const __m256i quiet = _mm256_or_si256(bits, _mm256_set1_epi32(0x400000));
  return _mm256_blendv_epi8(rounded, quiet, _mm256_castps_si256(_mm256_cmp_ps(a, a, _CMP_UNORD_Q)));
}
TETRAD_SIMD_INLINE F32x16 round_bf16(F32x16 a) {
  const __m256i high = _mm256_set1_epi32(static_cast<int>(0xFFFF0000U));
  return {_mm256_castsi256_ps(_mm256_and_si256(bf16_bits(a.lo), high)),
          _mm256_castsi256_ps(_mm256_and_si256(bf16_bits(a.hi), high))};
}
TETRAD_SIMD_INLINE void to_bf16(std::byte* p, F32x16 a) {
  const __m256i lo = _mm256_srli_epi32(bf16_bits(a.lo), 16);
  const __m256i hi = _mm256_srli_epi32(bf16_bits(a.hi), 16);
  const __m256i packed = _mm256_permute4x64_epi64(_mm256_packus_epi32(lo, hi), 0xD8);
  _mm256_storeu_si256(reinterpret_cast<__m256i_u*>(p), packed);
}
// Values up to 255 as bytes.
TETRAD_SIMD_INLINE __m128i narrow_to_bytes(__m256i lo, __m256i hi) {
  const __m256i words = _mm256_permute4x64_epi64(_mm256_packs_epi32(lo, hi), 0xD8);
  return _mm_packus_epi16(_mm256_castsi256_si128(words), _mm256_extracti128_si256(words, 1));
}
TETRAD_SIMD_INLINE void to_int8(std::byte* p, F32x16 a) {
  const __m256i byte = _mm256_set1_epi32(0xFF);
  const __m256i lo = _mm256_and_si256(_mm256_cvtps_epi32(a.lo), byte);
  const __m256i hi = _mm256_and_si256(_mm256_cvtps_epi32(a.hi), byte);
  _mm_storeu_si128(reinterpret_cast<__m128i_u*>(p), narrow_to_bytes(lo, hi));
}
TETRAD_SIMD_INLINE __m256i e4m3_codes(__m256 a) {
  const __m256 s = _mm256_andnot_ps(_mm256_set1_ps(-0.0F), a);
  const __m256i bits = _mm256_castps_si256(s);
  const __m256i odd = _mm256_and_si256(_mm256_srli_epi32(bits, 20), _mm256_set1_epi32(1));
  const __m256i rounded = _mm256_add_epi32(bits, _mm256_add_epi32(odd, _mm256_set1_epi32(0x7FFFF)));
  const __m256i normal = _mm256_sub_epi32(_mm256_srli_epi32(rounded, 20), _mm256_set1_epi32(120 << 3));
  const __m256 magic = _mm256_set1_ps(0x1p14F);
  const __m256i subnormal = _mm256_sub_epi32(_mm256_castps_si256(_mm256_add_ps(s, magic)), _mm256_castps_si256(magic));
  const __m256 small = _mm256_cmp_ps(s, _mm256_set1_ps(0x1p-6F), _CMP_LT_OQ);
  const __m256i sign = _mm256_and_si256(_mm256_srli_epi32(_mm256_castps_si256(a), 24), _mm256_set1_epi32(0x80));
  return _mm256_or_si256(_mm256_blendv_epi8(normal, subnormal, _mm256_castps_si256(small)), sign);
}
TETRAD_SIMD_INLINE void to_e4m3(std::byte* p, F32x16 a) {
  _mm_storeu_si128(reinterpret_cast<__m128i_u*>(p), narrow_to_bytes(e4m3_codes(a.lo), e4m3_codes(a.hi)));
}
TETRAD_SIMD_INLINE __m256 exp2_half(__m256 n) {
  const __m256i exponent = _mm256_add_epi32(_mm256_cvtps_epi32(n), _mm256_set1_epi32(127));
  return _mm256_castsi256_ps(_mm256_slli_epi32(exponent, 23));
}
TETRAD_SIMD_INLINE F32x16 exp2_int(F32x16 n) { return {exp2_half(n.lo), exp2_half(n.hi)}; }

TETRAD_SIMD_INLINE float hsum(F32x16 a) {
  const __m256 s8 = _mm256_add_ps(a.lo, a.hi);
  const __m128 s4 = _mm_add_ps(_mm256_castps256_ps128(s8), _mm256_extractf128_ps(s8, 1));
  const __m128 s2 = _mm_add_ps(s4, _mm_movehl_ps(s4, s4));
  return _mm_cvtss_f32(_mm_add_ss(s2, _mm_movehdup_ps(s2)));
}
TETRAD_SIMD_INLINE float hmax(F32x16 a) {
  const __m256 s8 = _mm256_max_ps(a.lo, a.hi);
  const __m128 s4 = _mm_max_ps(_mm256_castps256_ps128(s8), _mm256_extractf128_ps(s8, 1));
  const __m128 s2 = _mm_max_ps(s4, _mm_movehl_ps(s4, s4));
  return _mm_cvtss_f32(_mm_max_ss(s2, _mm_movehdup_ps(s2)));
}
