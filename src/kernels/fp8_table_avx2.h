// E4M3 codes in a block of one scale to BF16, for AVX2 and fp8_rows.h. Within BF16's normal numbers a rounded product
// of a code and a scale depends on the code's exponent by that much in its own: so a block needs eight rounded
// products, one for each fraction, and eight of E4M3's subnormals; shuffles look them up. 16 codes take 15
// instructions, where converting, scaling and rounding them takes 40.
constexpr std::int64_t kFp8Step = 32;            // codes that are taken at a time
constexpr unsigned kFp8FewN = 1, kFp8ManyN = 1;  // rows of w at a time for one or two rows of x, and for more

struct alignas(16) Fp8Table {
  std::uint8_t normal[16], subnormal[16];  // the BF16s' lower bytes, then the upper ones; normal: with exponent 0
  float scale;
  bool usable;  // all of the block's values are normal
};
struct alignas(64) Fp8Factors {
  float of[16];
};
constexpr Fp8Factors make_fp8_factors() {
  Fp8Factors factors{};
  for (unsigned i = 0; i < 8; ++i) {
    factors.of[i] = static_cast<float>(8 + i) * 0x1p-10F;
    factors.of[8 + i] = static_cast<float>(i) * 0x1p-9F;
  }
  return factors;
}
constexpr Fp8Factors kFp8Factors = make_fp8_factors();
struct alignas(32) Fp8Order {
  std::uint8_t of[32];
};
// Each code twice: word 2 j is code j, word 2 j + 1 code 8 + j.
constexpr Fp8Order make_fp8_order() {
  Fp8Order order{};
  for (unsigned i = 0; i < 32; ++i) order.of[i] = static_cast<std::uint8_t>(i / 4 + i % 4 / 2 * 8);
  return order;
}
constexpr Fp8Order kFp8Order = make_fp8_order();

inline void make_fp8_table(float scale, Fp8Table& out) {
  const float size = scale < 0 ? -scale : scale;
  out.scale = scale;
  out.usable = size >= 0x1p-100F && size <= 0x1p100F;
  float rounded[16];
  store(rounded, round_bf16(load(kFp8Factors.of) * set1(scale)));
  for (unsigned i = 0; i < 16; ++i) {
    std::uint32_t bits;
    __builtin_memcpy(&bits, rounded + i, 4);
    std::uint8_t* bytes = i < 8 ? out.normal + i : out.subnormal + i - 8;
    bytes[0] = static_cast<std::uint8_t>(bits >> 16);
    bytes[8] = static_cast<std::uint8_t>(bits >> 24);
  }
}

// Whether all of 32 codes are normal numbers.
TETRAD_SIMD_INLINE bool fp8_are_normal(const std::byte* codes) {
  const __m256i raw = _mm256_loadu_si256(reinterpret_cast<const __m256i_u*>(codes));
  const __m256i above = _mm256_sub_epi8(_mm256_and_si256(raw, _mm256_set1_epi8(0x7F)), _mm256_set1_epi8(8));
  const __m256i odd = _mm256_cmpeq_epi8(_mm256_max_epu8(above, _mm256_set1_epi8(0x77)), above);
  return _mm256_testz_si256(odd, odd) != 0;
}

// 16 codes as values.
template <bool kNormal>
TETRAD_SIMD_INLINE F32x16 fp8_values16(const Fp8Table& table, const std::byte* codes) {
  const __m256i raw = _mm256_broadcastsi128_si256(_mm_loadu_si128(reinterpret_cast<const __m128i_u*>(codes)));
  const __m256i code = _mm256_shuffle_epi8(raw, _mm256_load_si256(reinterpret_cast<const __m256i*>(kFp8Order.of)));
  const __m256i index = _mm256_or_si256(_mm256_and_si256(code, _mm256_set1_epi16(0x0707)), _mm256_set1_epi16(0x0800));
  const __m256i exponent = _mm256_and_si256(code, _mm256_set1_epi16(0x0078));
  const __m256i normal = _mm256_broadcastsi128_si256(_mm_load_si128(reinterpret_cast<const __m128i*>(table.normal)));
  __m256i value = _mm256_add_epi16(_mm256_shuffle_epi8(normal, index), _mm256_slli_epi16(exponent, 4));
  if (!kNormal) {
    const __m256i subnormal =
        _mm256_broadcastsi128_si256(_mm_load_si128(reinterpret_cast<const __m128i*>(table.subnormal)));
    const __m256i small = _mm256_cmpeq_epi16(exponent, _mm256_setzero_si256());
    value = _mm256_blendv_epi8(value, _mm256_shuffle_epi8(subnormal, index), small);
    const __m256i most = _mm256_set1_epi16(0x007F);
    const __m256i nan = _mm256_cmpeq_epi16(_mm256_and_si256(code, most), most);
    value = _mm256_blendv_epi8(value, _mm256_set1_epi16(0x7FC0), nan);
  }
  value = _mm256_xor_si256(value, _mm256_and_si256(code, _mm256_set1_epi16(static_cast<short>(0x8000))));
  const __m256i high = _mm256_and_si256(value, _mm256_set1_epi32(static_cast<int>(0xFFFF0000U)));
  return {_mm256_castsi256_ps(_mm256_slli_epi32(value, 16)), _mm256_castsi256_ps(high)};
}

struct Fp8Registers {
  const Fp8Table* table;
};
TETRAD_SIMD_INLINE Fp8Registers fp8_registers(const Fp8Table& table) { return {&table}; }

// 32 codes as two registers' worth of values.
TETRAD_SIMD_INLINE void fp8_values(const Fp8Registers& r, const std::byte* codes, F32x16* out) {
  if (!r.table->usable) [[unlikely]] {
    out[0] = round_bf16(from_e4m3(codes) * set1(r.table->scale));
    out[1] = round_bf16(from_e4m3(codes + 16) * set1(r.table->scale));
  } else if (fp8_are_normal(codes)) [[likely]] {
    out[0] = fp8_values16<true>(*r.table, codes);
    out[1] = fp8_values16<true>(*r.table, codes + 16);
  } else {
    out[0] = fp8_values16<false>(*r.table, codes);
    out[1] = fp8_values16<false>(*r.table, codes + 16);
  }
}
