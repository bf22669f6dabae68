// A few rows of x with rows of E4M3 codes, whose values come from a table made once a block of weights (for kFp8Row
// once, and are multiplied with the row's scale then). Arithmetic and bytes are linear_simd.h's.
// Included behind a table: fp8_table_vbmi.h or fp8_table_avx2.h.
constexpr std::int64_t kFp8Block = 128, kMaxFp8Blocks = 128;
constexpr unsigned kFp8Values = unsigned{kFp8Step} / 16;
struct Fp8Tables {
  Fp8Table of[kMaxFp8Blocks];
};

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
      for (unsigned j = 0; j < kN; ++j) __builtin_prefetch(codes + kN * (w.cols + k) + kFp8Step * j, 0, 2);
#pragma GCC unroll 4
      for (unsigned j = 0; j < kN; ++j) {
        F32x16 values[kFp8Values];
        fp8_values(r, codes + j * w.cols + k, values);
#pragma GCC unroll 4
        for (unsigned v = 0; v < kFp8Values; ++v) {
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
    for (; n + kFp8FewN <= end; n += kFp8FewN) fp8_rows_of_x<kRow, kFp8FewN>(w, tables, row, args, n);
  else
    for (; n + kFp8ManyN <= end; n += kFp8ManyN) fp8_rows_of_x<kRow, kFp8ManyN>(w, tables, row, args, n);
  for (; n < end; ++n) fp8_rows_of_x<kRow, 1>(w, tables, row, args, n);
}

// The tables of a row of blocks, [row, returned end) of it.
inline std::int64_t make_fp8_tables(const RawWeight& w, std::int64_t row, Fp8Tables& tables) {
  const std::int64_t block = row / kFp8Block;
  for (std::int64_t i = 0; i < w.scale_cols; ++i) {
    float scale;
    __builtin_memcpy(&scale, w.scales + 4 * (block * w.scale_cols + i), 4);
    make_fp8_table(scale, tables.of[i]);
  }
  return (block + 1) * kFp8Block;
}

template <bool kRow>
inline void fp8_format(const RawWeight& w, std::int64_t row, const MultiplyArgs& args) {
  Fp8Tables tables;
  if (kRow) {
    make_fp8_table(1.0F, tables.of[0]);
    return fp8_rows<kRow>(w, tables, row, args, 0, args.n);
  }
  for (std::int64_t n = 0; n < args.n;) {
    const std::int64_t left = make_fp8_tables(w, row + n, tables) - row, end = left < args.n ? left : args.n;
    fp8_rows<kRow>(w, tables, row, args, n, end);
    n = end;
  }
}

// decode_rows of kernel_table.h, where decodes_fp8_rows() says so.
inline void decode_fp8_rows(const RawWeight& w, std::int64_t row, std::int64_t count, float* out, std::int64_t stride) {
  Fp8Tables tables;
  std::int64_t end = row;  // of the rows that tables are for
  for (std::int64_t i = 0; i < count; ++i, out += stride) {
    if (row + i >= end) end = make_fp8_tables(w, row + i, tables);
    const std::byte* codes = w.data + (row + i) * w.cols;
    for (std::int64_t k = 0; k < w.cols; k += kFp8Step) {
      F32x16 values[kFp8Values];
      fp8_values(fp8_registers(tables.of[k / kFp8Block]), codes + k, values);
      for (unsigned v = 0; v < kFp8Values; ++v) store(out + k + 16 * v, values[v]);
    }
    for (std::int64_t k = w.cols; k < stride; ++k) out[k] = 0.0F;
  }
}

// Whether fp8_format<false> takes it.
TETRAD_SIMD_INLINE bool fp8_in_blocks(const RawWeight& w) {
  return w.format == WeightFormat::kFp8Block && w.block_rows == kFp8Block && w.block_cols == kFp8Block &&
         w.cols % kFp8Step == 0 && w.scale_cols <= kMaxFp8Blocks;
}

// Enough rows to make tables for, whose scales are finite: a NaN's sign comes from the scale then, not from the code.
constexpr std::int64_t kLeastFp8Rows = 8;
inline bool decodes_fp8_rows(const RawWeight& w, std::int64_t row, std::int64_t count) {
  if (count < kLeastFp8Rows || !fp8_in_blocks(w)) return false;
  const std::int64_t last = (row + count - 1) / kFp8Block;
  for (std::int64_t i = row / kFp8Block * w.scale_cols; i < (last + 1) * w.scale_cols; ++i) {
    float scale;
    __builtin_memcpy(&scale, w.scales + 4 * i, 4);
    if (!(scale - scale == 0.0F)) return false;
  }
  return true;
}
