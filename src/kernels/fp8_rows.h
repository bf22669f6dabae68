// A few rows of x with rows of E4M3 codes where AVX-512 has VBMI: codes become BF16 by a table of 128 magnitudes,
// made once a block of weights (for kFp8Row once, and multiplied with the row's scale then). 64 codes take some 14
// instructions, where converting, scaling and rounding 16 of them takes 20. Arithmetic and bytes are linear_simd.h's.
constexpr std::int64_t kFp8Block = 128, kMaxFp8Blocks = 128, kFp8Step = 64, kMaxFp8RowsOfX = 4;

struct alignas(64) Fp8Table {
  std::byte low[128], high[128];  // the bytes of a magnitude's BF16
};
struct alignas(64) Fp8Tables {
  Fp8Table of[kMaxFp8Blocks];
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

// kM rows of x with kN rows of w; kRow: of kFp8Row, for which there is one table.
template <bool kRow, unsigned kM, unsigned kN>
inline void fp8_block(const RawWeight& w, const Fp8Tables& tables, std::int64_t row, const MultiplyArgs& args,
                      std::int64_t m, std::int64_t n) {
  const std::byte* codes = w.data + (row + n) * w.cols;
  const float* x = args.x + m * args.x_stride;
  F32x16 acc[kM][kN], scale[kN];
  for (unsigned j = 0; j < kN; ++j) {
    float one = 1.0F;
    if (kRow) __builtin_memcpy(&one, w.scales + 4 * (row + n + j), 4);
    scale[j] = set1(one);
#pragma GCC unroll 4
    for (unsigned i = 0; i < kM; ++i) acc[i][j] = zero();
  }
  for (std::int64_t begin = 0; begin < w.cols; begin += kFp8Block) {
    const Fp8Registers r = fp8_registers(tables.of[kRow ? 0 : begin / kFp8Block]);
    const std::int64_t end = begin + kFp8Block < w.cols ? begin + kFp8Block : w.cols;
    for (std::int64_t k = begin; k < end; k += kFp8Step) {
      // The next rows, in the order of their addresses: linear_simd.h says why.
      for (unsigned j = 0; j < kN; ++j) __builtin_prefetch(codes + kN * (w.cols + k) + 64 * j, 0, 2);
#pragma GCC unroll 4
      for (unsigned j = 0; j < kN; ++j) {
        F32x16 values[4];
        fp8_values(r, codes + j * w.cols + k, values);
#pragma GCC unroll 4
        for (unsigned v = 0; v < 4; ++v) {
          if (kRow) values[v] = values[v] * scale[j];
#pragma GCC unroll 4
          for (unsigned i = 0; i < kM; ++i)
            acc[i][j] = fma(load(x + i * args.x_stride + k + 16 * v), values[v], acc[i][j]);
        }
      }
    }
  }
#pragma GCC unroll 4
  for (unsigned i = 0; i < kM; ++i)
#pragma GCC unroll 4
    for (unsigned j = 0; j < kN; ++j) {
      const float value = hsum(acc[i][j]);
      args.y[(m + i) * args.y_stride + n + j] = args.bf16 ? round_to_bf16(value) : value;
    }
}

// kN rows of w, which stay in L1 while all rows of x pass.
template <bool kRow, unsigned kN>
inline void fp8_rows_of_x(const RawWeight& w, const Fp8Tables& tables, std::int64_t row, const MultiplyArgs& args,
                          std::int64_t n) {
  std::int64_t m = 0;
  for (; m + 4 <= args.m; m += 4) fp8_block<kRow, 4, kN>(w, tables, row, args, m, n);
  const std::int64_t left = args.m - m;
  if (left == 1) fp8_block<kRow, 1, kN>(w, tables, row, args, m, n);
  if (left == 2) fp8_block<kRow, 2, kN>(w, tables, row, args, m, n);
  if (left == 3) fp8_block<kRow, 3, kN>(w, tables, row, args, m, n);
}

// Rows [n, end) of one block's.
template <bool kRow>
inline void fp8_rows(const RawWeight& w, const Fp8Tables& tables, std::int64_t row, const MultiplyArgs& args,
                     std::int64_t n, std::int64_t end) {
  if (args.m <= 2)
    for (; n + 4 <= end; n += 4) fp8_rows_of_x<kRow, 4>(w, tables, row, args, n);
  else
    for (; n + 3 <= end; n += 3) fp8_rows_of_x<kRow, 3>(w, tables, row, args, n);
  for (; n < end; ++n) fp8_rows_of_x<kRow, 1>(w, tables, row, args, n);
}

template <bool kRow>
inline void fp8_format(const RawWeight& w, std::int64_t row, const MultiplyArgs& args) {
  Fp8Tables tables;
  if (kRow) {
    make_fp8_table(1.0F, tables.of[0]);
    return fp8_rows<kRow>(w, tables, row, args, 0, args.n);
  }
  for (std::int64_t n = 0; n < args.n;) {
    const std::int64_t block = (row + n) / kFp8Block, left = (block + 1) * kFp8Block - row;
    const std::int64_t end = left < args.n ? left : args.n;
    for (std::int64_t i = 0; i < w.scale_cols; ++i) {
      float scale;
      __builtin_memcpy(&scale, w.scales + 4 * (block * w.scale_cols + i), 4);
      make_fp8_table(scale, tables.of[i]);
    }
    fp8_rows<kRow>(w, tables, row, args, n, end);
    n = end;
  }
}

void multiply_stored(const RawWeight& w, std::int64_t row, const MultiplyArgs& args) {
  const bool whole = w.cols % kFp8Step == 0;
  if (whole && w.format == WeightFormat::kFp8Block && w.block_rows == kFp8Block && w.block_cols == kFp8Block &&
      w.scale_cols <= kMaxFp8Blocks)
    return fp8_format<false>(w, row, args);
  // Four rows of x took 1.9 ms this way for 6144 x 3072, the other way 1.8.
  if (whole && w.format == WeightFormat::kFp8Row && args.m <= 2) return fp8_format<true>(w, row, args);
  avx512::multiply_stored(w, row, args);
}

void fill_fp8_rows(KernelTable& table) {
  table.multiply_stored = multiply_stored;
  table.max_direct_fp8_rows = 16;
}
