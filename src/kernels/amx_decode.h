// Stored weights to BF16 for AMX: 128 columns of a row at a time, a unit, as a row of each of four tiles. What a unit
// holds is exact but for scales that are one for a whole row or matrix; amx_factor() says what those come to.
// A unit is 128 columns one behind another, but kNvfp4's: there two units make a group of 256 columns, tile t of unit u
// has block j = 4 (u mod 2) + t of the group's first half in the lower halves of its pairs, and the second half's block
// j in the upper ones, so that each half of a pair meets one scale (amx_linear.h). Pair p is column 4 (p mod 4) + p / 4
// of both blocks.
//   kBF16, kFp8Block   the value itself, which is BF16 by definition
//   kNvfp4             2^-112 e2m1(code) * e4m3(scale): 2 and 4 significant bits, so 6 of BF16's 8
//   kInt8Row, kFp8Row  the code's value
constexpr std::int64_t kUnitColumns = 128, kUnitTiles = 4, kTileRows = 16, kTileBytes = 1024, kTileColumns = 32;

// NVFP4's codes are multiplied by their scales in F16, which is exact. Shifted by the three bits that F16 has more of
// fraction, such a product is BF16 with another exponent: 2^-112 times its value. Inputs make up for a part of it, the
// row's factor for the rest: products stay normal for inputs from 2^-76 to 2^37.
constexpr float kNvfp4XScale = 0x1p90F, kNvfp4Factor = 0x1p22F;
struct alignas(64) F16Codes {
  std::uint16_t of[32];  // twice, for a permutation looks at 5 bits
};
constexpr F16Codes make_f16_codes() {
  F16Codes codes{};
  for (unsigned i = 0; i < 32; ++i) codes.of[i] = f16_from_float(kE2m1Values[i % 16] * 256.0F);
  return codes;
}
constexpr F16Codes kF16Codes = make_f16_codes();

constexpr std::int64_t nvfp4_pair_column(std::int64_t p) { return 4 * (p % 4) + p / 4; }

// NaN where a scale is: out is a row of the unit's first tile.
[[gnu::noinline, gnu::cold]] inline void nvfp4_unit_nan(const std::byte* scales, std::byte* out) {
  for (int half = 0; half < 2; ++half)
    for (int t = 0; t < int{kUnitTiles}; ++t) {
      if ((scales[8 * half + t] & std::byte{0x7F}) != std::byte{0x7F}) continue;
      for (int p = 0; p < 16; ++p) {
        constexpr std::uint16_t kNan = 0x7FC0;
        __builtin_memcpy(out + kTileBytes * t + 4 * p + 2 * half, &kNan, 2);
      }
    }
}

// Kept in registers: what the compiler knows to be constant it makes anew for each row.
struct Nvfp4Constants {
  __m512i shifts, table, bits;
  __m128i scale_bits, magnitude;
};
TETRAD_SIMD_INLINE Nvfp4Constants nvfp4_constants() {
  // Quarter c of a register takes nibble c of each word.
  __m512i shifts = _mm512_set_epi64(0x000C000C000C000C, 0x000C000C000C000C, 0x0008000800080008, 0x0008000800080008,
                                    0x0004000400040004, 0x0004000400040004, 0, 0);
  __m512i table = _mm512_load_si512(kF16Codes.of), bits = _mm512_set1_epi16(static_cast<short>(0x8FFF));
  __m128i scale_bits = _mm_set1_epi16(static_cast<short>(0xBFFF)), magnitude = _mm_set1_epi16(0x7F);
  __asm__("" : "+v"(shifts), "+v"(table), "+v"(bits), "+v"(scale_bits), "+v"(magnitude));
  return {shifts, table, bits, scale_bits, magnitude};
}

// 32 bytes of codes and 4 scales of each half of the group. Returns whether a scale is NaN: then nvfp4_unit_nan is
// needed, whose call in a loop would cost all that registers hold.
TETRAD_SIMD_INLINE __mmask8 nvfp4_unit(const Nvfp4Constants& c, const std::byte* codes, const std::byte* scales,
                                       std::byte* out) {
  const __m256i a = _mm256_loadu_si256(reinterpret_cast<const __m256i_u*>(codes));
  const __m256i b = _mm256_loadu_si256(reinterpret_cast<const __m256i_u*>(codes + 64));
  alignas(64) __m256i zipped[2] = {_mm256_unpacklo_epi16(a, b), _mm256_unpackhi_epi16(a, b)};
  std::int32_t scale_a, scale_b;
  __builtin_memcpy(&scale_a, scales, 4);
  __builtin_memcpy(&scale_b, scales + 8, 4);
  // E4M3's bits are F16's of 2^-8 times the value.
  const __m128i wide = _mm_cvtepi8_epi16(_mm_unpacklo_epi8(_mm_cvtsi32_si128(scale_a), _mm_cvtsi32_si128(scale_b)));
  alignas(16) __m128i pairs = _mm_and_si128(_mm_slli_epi16(wide, 7), c.scale_bits);
  const __mmask8 nan = _mm_cmpeq_epi16_mask(_mm_and_si128(wide, c.magnitude), c.magnitude);
  __asm__("" : "+m"(zipped), "+m"(pairs));  // loads that broadcast cost no port that arithmetic needs
#pragma GCC unroll 4
  for (int t = 0; t < int{kUnitTiles}; ++t) {
    const auto* quarter = reinterpret_cast<const __m128i*>(&zipped[t % 2]) + t / 2;
    const __m512i index = _mm512_srlv_epi16(_mm512_broadcast_i32x4(_mm_load_si128(quarter)), c.shifts);
    const auto code = (__m512h)_mm512_permutexvar_epi16(index, c.table);
    std::int32_t scale;
    __builtin_memcpy(&scale, reinterpret_cast<const std::byte*>(&pairs) + 4 * t, 4);
    const auto value = (__m512i)_mm512_mul_ph(code, (__m512h)_mm512_set1_epi32(scale));
    _mm512_storeu_si512(out + kTileBytes * t, _mm512_and_si512(_mm512_srai_epi16(value, 3), c.bits));
  }
  return nan;
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

// BF16 of codes of a byte by table: the two bytes of 128 magnitudes are two registers each, the sign is the code's. 64
// E4M3 codes take eight instructions, where multiplying and rounding 32 of them takes 14; a table is made in 20.
struct ByteTable {
  __m512i low[2], high[2];
};
struct alignas(64) Magnitudes {
  float e4m3[128], int8[128];
  std::uint8_t even_bytes[64];
};
constexpr Magnitudes make_magnitudes() {
  Magnitudes made{};
  for (unsigned i = 0; i < 128; ++i) made.e4m3[i] = e4m3_to_float(static_cast<std::uint8_t>(i));
  for (unsigned i = 0; i < 128; ++i) made.int8[i] = static_cast<float>(i);
  for (unsigned i = 0; i < 64; ++i) made.even_bytes[i] = static_cast<std::uint8_t>(2 * i);
  return made;
}
constexpr Magnitudes kMagnitudes = make_magnitudes();

// Of 128 values times scale, NaN included.
TETRAD_SIMD_INLINE ByteTable byte_table(const float* values, float scale) {
  const __m512i even = _mm512_load_si512(kMagnitudes.even_bytes), odd = _mm512_add_epi8(even, _mm512_set1_epi8(1));
  const F32x16 s = set1(scale);
  ByteTable table;
#pragma GCC unroll 2
  for (int h = 0; h < 2; ++h, values += 64) {
    const __m512i a = bf16_pair(load(values) * s, load(values + 16) * s);
    const __m512i b = bf16_pair(load(values + 32) * s, load(values + 48) * s);
    table.low[h] = _mm512_permutex2var_epi8(a, even, b);
    table.high[h] = _mm512_permutex2var_epi8(a, odd, b);
  }
  return table;
}
struct ByteConstants {
  __m512i order, sign;
};
TETRAD_SIMD_INLINE ByteConstants byte_constants() {
  __m512i order = _mm512_set_epi64(7, 3, 6, 2, 5, 1, 4, 0), sign = _mm512_set1_epi8(static_cast<char>(0x80));
  __asm__("" : "+v"(order), "+v"(sign));  // kept in registers, as above
  return {order, sign};
}
// A unit of a row; kInt8: integers, none of which is -128.
template <bool kInt8>
TETRAD_SIMD_INLINE void byte_unit(const ByteConstants& c, const ByteTable& table, const std::byte* codes,
                                  std::byte* out) {
#pragma GCC unroll 2
  for (int half = 0; half < 2; ++half, codes += 64, out += 2 * kTileBytes) {
    const __m512i code = _mm512_permutexvar_epi64(c.order, _mm512_loadu_si512(codes));  // for the unpacking below
    const __m512i index = kInt8 ? _mm512_abs_epi8(code) : code;  // of which the lookup takes seven bits
    const __m512i low = _mm512_permutex2var_epi8(table.low[0], index, table.low[1]);
    const __m512i magnitude = _mm512_permutex2var_epi8(table.high[0], index, table.high[1]);
    const __m512i high = _mm512_ternarylogic_epi64(magnitude, code, c.sign, 0x78);  // magnitude ^ (code & sign)
    _mm512_storeu_si512(out, _mm512_unpacklo_epi8(low, high));
    _mm512_storeu_si512(out + kTileBytes, _mm512_unpackhi_epi8(low, high));
  }
}

// A unit that lies in the row as a whole: its codes, BF16 or kFp8Block's; of those, scales of the row of blocks.
template <WeightFormat kFormat>
TETRAD_SIMD_INLINE void whole_unit(const RawWeight& w, const std::byte* codes, const std::byte* scales,
                                   std::int64_t column, std::byte* out) {
#pragma GCC unroll 4
  for (std::int64_t t = 0; t < kUnitTiles; ++t) {
    const std::byte* p = codes + kTileColumns * t;
    __m512i values = _mm512_setzero_si512();
    if constexpr (kFormat == WeightFormat::kBF16) values = _mm512_loadu_si512(p + kTileColumns * t);
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

// Rows [row, row + count) of a unit as rows of its tiles, the first at out; columns behind the last are zero.
TETRAD_SIMD_INLINE void decode_nvfp4_unit(const RawWeight& w, std::int64_t row, std::int64_t count, std::int64_t unit,
                                          std::byte* out) {
  const Nvfp4Constants constants = nvfp4_constants();
  const std::int64_t group = unit / 2, half = unit % 2, code_stride = w.cols / 2, scale_stride = w.scale_cols;
  const std::int64_t cols = w.cols;
  const std::byte* codes = w.data + row * code_stride + 128 * group;
  const std::byte* scales = w.scales + row * scale_stride + 16 * group;
  if ((group + 1) * kNvfp4Columns > cols) {
    for (std::int64_t i = 0; i < count; ++i) {
      std::byte tail_codes[128], tail_scales[16];
      nv_tail(cols, codes + i * code_stride, scales + i * scale_stride, tail_codes, tail_scales);
      const __mmask8 nan = nvfp4_unit(constants, tail_codes + 32 * half, tail_scales + 4 * half, out + 64 * i);
      if (nan != 0) nvfp4_unit_nan(tail_scales + 4 * half, out + 64 * i);
    }
    return;
  }
  codes += 32 * half;
  scales += 4 * half;
  __mmask8 nan = 0;
  for (std::int64_t i = 0; i < count; ++i)
    nan |= nvfp4_unit(constants, codes + i * code_stride, scales + i * scale_stride, out + 64 * i);
  if (nan != 0)
    for (std::int64_t i = 0; i < count; ++i) nvfp4_unit_nan(scales + i * scale_stride, out + 64 * i);
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

// Rows of one table: of kInt8Row and kFp8Row, whose scales come at the end, or of a block.
template <bool kInt8>
TETRAD_SIMD_INLINE void decode_byte_unit(const RawWeight& w, std::int64_t row, std::int64_t count, std::int64_t unit,
                                         const ByteTable& table, std::byte* out) {
  const ByteConstants constants = byte_constants();
  const std::byte* codes = w.data + row * w.cols + unit * kUnitColumns;
  const std::int64_t left = w.cols - unit * kUnitColumns;
  for (std::int64_t i = 0; i < count; ++i, codes += w.cols, out += 64) {
    if (left >= kUnitColumns) {
      byte_unit<kInt8>(constants, table, codes, out);
      continue;
    }
    alignas(64) std::byte padded[unsigned{kUnitColumns}] = {};
    __builtin_memcpy(padded, codes, static_cast<std::size_t>(left));
    byte_unit<kInt8>(constants, table, padded, out);
  }
}

template <WeightFormat kFormat>
TETRAD_SIMD_INLINE void decode_unit(const RawWeight& w, std::int64_t row, std::int64_t count, std::int64_t unit,
                                    std::byte* out) {
  constexpr std::int64_t kBlock = kUnitColumns;  // as released checkpoints have them
  if constexpr (kFormat == WeightFormat::kNvfp4) {
    decode_nvfp4_unit(w, row, count, unit, out);
  } else if constexpr (kFormat == WeightFormat::kInt8Row) {
    decode_byte_unit<true>(w, row, count, unit, byte_table(kMagnitudes.int8, 1.0F), out);
  } else if constexpr (kFormat == WeightFormat::kFp8Row) {
    decode_byte_unit<false>(w, row, count, unit, byte_table(kMagnitudes.e4m3, 1.0F), out);
  } else if (kFormat == WeightFormat::kFp8Block && w.block_rows == kBlock && w.block_cols == kBlock &&
             row / kBlock == (row + count - 1) / kBlock) {
    float scale;
    __builtin_memcpy(&scale, w.scales + 4 * (row / kBlock * w.scale_cols + unit), 4);
    decode_byte_unit<false>(w, row, count, unit, byte_table(kMagnitudes.e4m3, scale), out);
  } else {
    for (std::int64_t i = 0; i < count; ++i, out += 64) decode_row_unit<kFormat>(w, row + i, unit, out);
  }
}

// What the sums of rows [row, row + count <= 16) are to be multiplied with.
inline F32x16 amx_factor(const RawWeight& w, std::int64_t row, std::int64_t count) {
  if (w.format == WeightFormat::kNvfp4) return set1(w.tensor_scale * kNvfp4Factor);
  if (w.format != WeightFormat::kInt8Row && w.format != WeightFormat::kFp8Row) return set1(1.0F);
  alignas(64) float scales[16] = {};
  __builtin_memcpy(scales, w.scales + 4 * row, static_cast<std::size_t>(4 * count));
  return load(scales);
}
