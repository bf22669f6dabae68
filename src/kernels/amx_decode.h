// Stored weights to BF16 for AMX: 128 columns of a row at a time, a unit, as a row of each of four tiles. What a unit
// holds is exact but for scales that are one for a whole row or matrix; amx_factor() says what those come to.
// A unit is 128 columns one behind another, but kNvfp4's: there two units make a group of 256 columns, tile t of unit u
// has block j = 4 (u mod 2) + t of the group's first half in the lower halves of its pairs, and the second half's block
// j in the upper ones, so that each half of a pair meets one scale (amx_linear.h). Pair p is column 4 (p mod 4) + p / 4
// of both blocks.
//   kBF16, kFp8Block   the value itself, which is BF16 by definition
//   kNvfp4             e2m1(code) * e4m3(scale): 2 and 4 significant bits, so 6 of BF16's 8
//   kInt8Row, kFp8Row  the code's value, FP8's divided by 256
constexpr std::int64_t kUnitColumns = 128, kUnitTiles = 4, kTileRows = 16, kTileBytes = 1024, kTileColumns = 32;

// All 16 products of a scale with codes, for each scale: one permutation decodes 32 columns. 8 KiB, of which scales
// that occur are in use.
struct alignas(64) Nvfp4Products {
  std::uint16_t of[256][16];
};
constexpr Nvfp4Products make_nvfp4_products() {
  Nvfp4Products products{};
  for (unsigned scale = 0; scale < 256; ++scale)
    for (unsigned code = 0; code < 16; ++code)
      products.of[scale][code] = bf16_from_float(kE2m1Values[code] * e4m3_to_float(static_cast<std::uint8_t>(scale)));
  return products;
}
constexpr Nvfp4Products kNvfp4Products = make_nvfp4_products();

constexpr std::int64_t nvfp4_pair_column(std::int64_t p) { return 4 * (p % 4) + p / 4; }

// 32 bytes of codes and 4 scales of each half of the group.
TETRAD_SIMD_INLINE void nvfp4_unit(const std::byte* codes, const std::byte* scales, std::byte* out) {
  // Quarter c of a register takes nibble c of each word; a permutation of 32 words looks at 5 bits of them: the code,
  // and which scale's table.
  const __m512i shifts = _mm512_set_epi64(0x000C000C000C000C, 0x000C000C000C000C, 0x0008000800080008,
                                          0x0008000800080008, 0x0004000400040004, 0x0004000400040004, 0, 0);
  const __m512i code_bits = _mm512_set1_epi16(0x0F), second = _mm512_set1_epi32(0x00100000);
  const __m256i a = _mm256_loadu_si256(reinterpret_cast<const __m256i_u*>(codes));
  const __m256i b = _mm256_loadu_si256(reinterpret_cast<const __m256i_u*>(codes + 64));
  alignas(64) __m256i zipped[2] = {_mm256_unpacklo_epi16(a, b), _mm256_unpackhi_epi16(a, b)};
  __asm__("" : "+m"(zipped));  // loads that broadcast cost no port that arithmetic needs
  std::uint32_t scale_a, scale_b;
  __builtin_memcpy(&scale_a, scales, 4);
  __builtin_memcpy(&scale_b, scales + 8, 4);
#pragma GCC unroll 4
  for (int t = 0; t < int{kUnitTiles}; ++t) {
    const auto* quarter = reinterpret_cast<const __m128i*>(&zipped[t % 2]) + t / 2;
    const __m512i nibbles = _mm512_srlv_epi16(_mm512_broadcast_i32x4(_mm_load_si128(quarter)), shifts);
    const __m512i index = _mm512_ternarylogic_epi64(nibbles, code_bits, second, 0xEA);  // a & b | c
    const auto* one = reinterpret_cast<const __m256i*>(kNvfp4Products.of[scale_a >> (8 * t) & 0xFF]);
    const auto* two = reinterpret_cast<const __m256i*>(kNvfp4Products.of[scale_b >> (8 * t) & 0xFF]);
    const __m512i table = _mm512_inserti64x4(_mm512_castsi256_si512(_mm256_load_si256(one)), _mm256_load_si256(two), 1);
    _mm512_storeu_si512(out + kTileBytes * t, _mm512_permutexvar_epi16(index, table));
  }
}

TETRAD_SIMD_INLINE __m512i bf16_pair(F32x16 low, F32x16 high) { return (__m512i)_mm512_cvtne2ps_pbh(high.v, low.v); }

// 32 columns, the scales of both halves.
TETRAD_SIMD_INLINE __m512i fp8_block_columns(const std::byte* p, float low, float high) {
  const __m256i codes = _mm256_loadu_si256(reinterpret_cast<const __m256i_u*>(p));
  const __m256i magnitude = _mm256_set1_epi8(0x7F);
  const std::uint32_t nan = _mm256_cmpeq_epi8_mask(_mm256_and_si256(codes, magnitude), magnitude);
  F32x16 a = from_e4m3_256th(p) * set1(low * 256.0F), b = from_e4m3_256th(p + 16) * set1(high * 256.0F);
  if (nan != 0) [[unlikely]] {
    const F32x16 quiet = set1(__builtin_nanf(""));
    a = select(Mask16{static_cast<__mmask16>(nan)}, quiet, a);
    b = select(Mask16{static_cast<__mmask16>(nan >> 16)}, quiet, b);
  }
  return bf16_pair(a, b);
}

// A unit that lies in the row as a whole: its codes; kFp8Block: scales of the row of blocks.
template <WeightFormat kFormat>
TETRAD_SIMD_INLINE void whole_unit(const RawWeight& w, const std::byte* codes, const std::byte* scales,
                                   std::int64_t column, std::byte* out) {
#pragma GCC unroll 4
  for (std::int64_t t = 0; t < kUnitTiles; ++t) {
    const std::byte* p = codes + kTileColumns * t;
    __m512i values = _mm512_setzero_si512();
    if constexpr (kFormat == WeightFormat::kBF16) values = _mm512_loadu_si512(p + kTileColumns * t);
    if constexpr (kFormat == WeightFormat::kInt8Row) values = bf16_pair(from_int8(p), from_int8(p + 16));
    if constexpr (kFormat == WeightFormat::kFp8Row) values = bf16_pair(from_e4m3_256th(p), from_e4m3_256th(p + 16));
    if constexpr (kFormat == WeightFormat::kFp8Block) {
      const std::int64_t at = column + kTileColumns * t, last = w.scale_cols - 1;  // a unit may end behind the row
      const std::int64_t first = at / w.block_cols, second = (at + 16) / w.block_cols;
      float low, high;
      __builtin_memcpy(&low, scales + 4 * (first < last ? first : last), 4);
      __builtin_memcpy(&high, scales + 4 * (second < last ? second : last), 4);
      values = fp8_block_columns(p, low, high);
    }
    _mm512_storeu_si512(out + kTileBytes * t, values);
  }
}

template <WeightFormat kFormat>
constexpr std::int64_t kUnitBytes = kFormat == WeightFormat::kBF16    ? 2 * kUnitColumns
                                    : kFormat == WeightFormat::kNvfp4 ? kUnitColumns / 2
                                                                      : kUnitColumns;

// Row `row` of a unit as a row of its tiles, the first at out; columns behind the last are zero.
TETRAD_SIMD_INLINE void decode_nvfp4_row(const RawWeight& w, std::int64_t row, std::int64_t unit, std::byte* out) {
  const std::int64_t group = unit / 2, half = unit % 2;
  const std::byte* codes = w.data + row * (w.cols / 2) + 128 * group;
  const std::byte* scales = w.scales + row * w.scale_cols + 16 * group;
  if ((group + 1) * kNvfp4Columns <= w.cols) return nvfp4_unit(codes + 32 * half, scales + 4 * half, out);
  std::byte tail_codes[128], tail_scales[16];
  nv_tail(w.cols, codes, scales, tail_codes, tail_scales);
  nvfp4_unit(tail_codes + 32 * half, tail_scales + 4 * half, out);
}

template <WeightFormat kFormat>
TETRAD_SIMD_INLINE void decode_row_unit(const RawWeight& w, std::int64_t row, std::int64_t unit, std::byte* out) {
  constexpr std::int64_t kBytes = kUnitBytes<kFormat>;
  const std::int64_t column = unit * kUnitColumns, left = w.cols - column;
  const std::byte* codes = w.data + row * (w.cols * kBytes / kUnitColumns) + unit * kBytes;
  const std::byte* scales =
      kFormat == WeightFormat::kFp8Block ? w.scales + row / w.block_rows * w.scale_cols * 4 : nullptr;
  if (left >= kUnitColumns) return whole_unit<kFormat>(w, codes, scales, column, out);
  alignas(64) std::byte padded[unsigned{kBytes}] = {};
  __builtin_memcpy(padded, codes, static_cast<std::size_t>(left * kBytes / kUnitColumns));
  whole_unit<kFormat>(w, padded, scales, column, out);
}

// Rows [row, row + count).
template <WeightFormat kFormat>
TETRAD_SIMD_INLINE void decode_unit(const RawWeight& w, std::int64_t row, std::int64_t count, std::int64_t unit,
                                    std::byte* out) {
  for (std::int64_t i = 0; i < count; ++i, out += 64) {
    if constexpr (kFormat == WeightFormat::kNvfp4)
      decode_nvfp4_row(w, row + i, unit, out);
    else
      decode_row_unit<kFormat>(w, row + i, unit, out);
  }
}

// What the sums of rows [row, row + count <= 16) are to be multiplied with.
inline F32x16 amx_factor(const RawWeight& w, std::int64_t row, std::int64_t count) {
  if (w.format == WeightFormat::kNvfp4) return set1(w.tensor_scale);
  if (w.format != WeightFormat::kInt8Row && w.format != WeightFormat::kFp8Row) return set1(1.0F);
  alignas(64) float scales[16] = {};
  __builtin_memcpy(scales, w.scales + 4 * row, static_cast<std::size_t>(4 * count));
  return w.format == WeightFormat::kInt8Row ? load(scales) : load(scales) * set1(256.0F);
}
