// E4M3 codes to BF16 where AVX-512 has VBMI, by a table of 128 magnitudes: 64 codes take some 14 instructions, where
// converting, scaling and rounding 16 of them takes 20. For fp8_rows.h.
constexpr std::int64_t kFp8Step = 64;            // codes that are taken at a time
constexpr unsigned kFp8FewN = 4, kFp8ManyN = 3;  // rows of w at a time for one or two rows of x, and for more

struct alignas(64) Fp8Table {
  std::byte low[128], high[128];  // the bytes of a magnitude's BF16
};
struct alignas(64) Fp8Constants {
  float magnitudes[128];
  std::uint8_t upper_bytes[64];  // of 32 dwords, the lower ones, then the higher ones
  std::uint8_t order[64];        // byte 16 q + 8 h + 2 t + p: code 32 h + 16 p + 4 q + t (what unpacking makes of it)
};
constexpr Fp8Constants make_fp8_constants() {
  Fp8Constants made{};
  for (unsigned i = 0; i < 128; ++i) made.magnitudes[i] = e4m3_to_float(static_cast<std::uint8_t>(i));
  for (unsigned i = 0; i < 64; ++i) {
    made.upper_bytes[i] = static_cast<std::uint8_t>(i % 32 * 4 + (i < 32 ? 2 : 3));
    made.order[i] = static_cast<std::uint8_t>(i % 16 / 8 * 32 + i % 2 * 16 + i / 16 * 4 + i % 8 / 2);
  }
  return made;
}
constexpr Fp8Constants kFp8Constants = make_fp8_constants();

inline void make_fp8_table(float scale, Fp8Table& out) {
  const __m512i bytes = _mm512_load_si512(kFp8Constants.upper_bytes);
  const F32x16 s = set1(scale);
  for (int i = 0; i < 128; i += 32) {
    const __m512i a = bf16_bits(load(kFp8Constants.magnitudes + i) * s);
    const __m512i b = bf16_bits(load(kFp8Constants.magnitudes + i + 16) * s);
    const __m512i both = _mm512_permutex2var_epi8(a, bytes, b);
    _mm256_store_si256(reinterpret_cast<__m256i*>(out.low + i), _mm512_castsi512_si256(both));
    _mm256_store_si256(reinterpret_cast<__m256i*>(out.high + i), _mm512_extracti64x4_epi64(both, 1));
  }
}

struct Fp8Registers {
  __m512i low[2], high[2], order, sign;
};
TETRAD_SIMD_INLINE Fp8Registers fp8_registers(const Fp8Table& table) {
  Fp8Registers r;
  r.low[0] = _mm512_load_si512(table.low);
  r.low[1] = _mm512_load_si512(table.low + 64);
  r.high[0] = _mm512_load_si512(table.high);
  r.high[1] = _mm512_load_si512(table.high + 64);
  r.order = _mm512_load_si512(kFp8Constants.order);
  r.sign = _mm512_set1_epi8(static_cast<char>(0x80));
  return r;
}

// 64 codes as four registers of values, in their order.
TETRAD_SIMD_INLINE void fp8_values(const Fp8Registers& r, const std::byte* codes, F32x16* out) {
  const __m512i code = _mm512_permutexvar_epi8(r.order, _mm512_loadu_si512(codes));
  const __m512i low = _mm512_permutex2var_epi8(r.low[0], code, r.low[1]);
  const __m512i magnitude = _mm512_permutex2var_epi8(r.high[0], code, r.high[1]);
  const __m512i high = _mm512_ternarylogic_epi64(magnitude, code, r.sign, 0x78);  // magnitude ^ (code & sign)
  const F32x16 first = {_mm512_castsi512_ps(_mm512_unpacklo_epi8(low, high))};
  const F32x16 second = {_mm512_castsi512_ps(_mm512_unpackhi_epi8(low, high))};
  out[0] = pair_low(first);
  out[1] = pair_high(first);
  out[2] = pair_low(second);
  out[3] = pair_high(second);
}
