// Matrix products. Each result is 16 running sums (lane j: k = j mod 16, ascending, FMA) and one fixed tree, whatever
// the block shape: that is why any batch size, thread count and target gives the same bytes, and why K is never cut.
#include "kernels/decode_simd.h"

// Block shapes: AVX-512 has 32 registers, 4 x 6 sums + 4 + 1 operands; AVX2 has 16, 4 x 3 + 3 + 1, lanes 0-7 and then
// 8-15 over all of k.
#if TETRAD_SIMD_TARGET == TETRAD_SIMD_AVX512
constexpr unsigned kBlockM = 4, kBlockN = 6;
#elif TETRAD_SIMD_TARGET == TETRAD_SIMD_AVX2
constexpr unsigned kBlockM = 4, kBlockN = 3;
#else
constexpr unsigned kBlockM = 2, kBlockN = 2;
#endif

TETRAD_SIMD_INLINE float finish(F32x16 sums, bool bf16) {
  const float value = hsum(sums);
  return bf16 ? round_to_bf16(value) : value;
}

// Columns taken at a time: the block's rows of x and w stay in a 32 KiB L1 (between AVX2's two passes, and x from block
// to block); the sums wait in `sums`, 16 floats a result, and go on in the same order. Without it AVX2 reached 41 % of
// peak at k = 3072 and AVX-512 70 %.
constexpr std::int64_t kBlockK = 768;
constexpr std::int64_t kStripRows = 96;  // rows of w whose sums wait: 24 KiB
// x is copied to where its loads don't cross cache lines and its rows don't fall into the same L1 sets (rows of 3072
// floats do).
constexpr std::int64_t kPackStride = kBlockK + 16;

template <unsigned kM, unsigned kN>
inline void multiply_block(const float* x, const float* w, std::int64_t w_stride, std::int64_t k, bool first,
                           float* sums) {
  for (int part = 0; part < kParts; ++part) {
    const int lane = part * (16 / kParts);
    Part acc[kM][kN];
#pragma GCC unroll 8
    for (unsigned i = 0; i < kM; ++i)
#pragma GCC unroll 8
      for (unsigned j = 0; j < kN; ++j) acc[i][j] = first ? part_zero() : part_load(sums + (i * kN + j) * 16 + lane);
    for (std::int64_t at = lane; at < k; at += 16) {
      Part wk[kN];
#pragma GCC unroll 8
      for (unsigned j = 0; j < kN; ++j) wk[j] = part_load(w + j * w_stride + at);
#pragma GCC unroll 8
      for (unsigned i = 0; i < kM; ++i) {
        const Part xk = part_load(x + i * kPackStride + at);
#pragma GCC unroll 8
        for (unsigned j = 0; j < kN; ++j) acc[i][j] = part_fma(xk, wk[j], acc[i][j]);
      }
    }
#pragma GCC unroll 8
    for (unsigned i = 0; i < kM; ++i)
#pragma GCC unroll 8
      for (unsigned j = 0; j < kN; ++j) part_store(sums + (i * kN + j) * 16 + lane, acc[i][j]);
  }
}

template <unsigned kM, unsigned kN>
inline void finish_block(const MultiplyArgs& args, float* y, const float* sums) {
  for (unsigned i = 0; i < kM; ++i)
    for (unsigned j = 0; j < kN; ++j) y[i * args.y_stride + j] = finish(load(sums + (i * kN + j) * 16), args.bf16);
}

// kM rows of x with rows [n, end) of w, end - n <= kStripRows.
template <unsigned kM>
inline void multiply_strip(const MultiplyArgs& args, std::int64_t m, std::int64_t n, std::int64_t end) {
  alignas(64) float sums[kM * unsigned{kStripRows} * 16];
  alignas(64) float pack[kM * unsigned{kPackStride}];
  const float* x = args.x + m * args.x_stride;
  float* y = args.y + m * args.y_stride;
  for (std::int64_t begin = 0; begin < args.k; begin += kBlockK) {
    const bool last = args.k - begin <= kBlockK;
    const std::int64_t k = last ? args.k - begin : kBlockK;
    for (unsigned i = 0; i < kM; ++i)
      for (std::int64_t at = 0; at < k; at += 16)
        store(pack + i * kPackStride + at, load(x + i * args.x_stride + begin + at));
    const float* w = args.w + begin;
    float* s = sums;
    std::int64_t row = n;
    for (; row + kBlockN <= end; row += kBlockN, s += kM * kBlockN * 16) {
      multiply_block<kM, kBlockN>(pack, w + row * args.w_stride, args.w_stride, k, begin == 0, s);
      if (last) finish_block<kM, kBlockN>(args, y + row, s);
    }
    for (; row < end; ++row, s += kM * 16) {
      multiply_block<kM, 1>(pack, w + row * args.w_stride, args.w_stride, k, begin == 0, s);
      if (last) finish_block<kM, 1>(args, y + row, s);
    }
  }
}

void multiply(const MultiplyArgs& args) {
  for (std::int64_t n = 0; n < args.n; n += kStripRows) {
    const std::int64_t end = args.n - n < kStripRows ? args.n : n + kStripRows;
    std::int64_t m = 0;
    for (; m + kBlockM <= args.m; m += kBlockM) multiply_strip<kBlockM>(args, m, n, end);
    for (; m < args.m; ++m) multiply_strip<1>(args, m, n, end);
  }
}

// While a block's rows are multiplied, the next block is fetched in the order of its addresses, into L2: the memory
// then sees one stream. Fetching each row ahead of itself instead, kN streams at once, a Zen 4 read BF16 at 25 GB/s of
// 33 (now 28 to 33); L1 has no room for the 24 KiB of such a block beside x.
template <WeightFormat kFormat>
constexpr std::int64_t kColumnsOfLine = kFormat == WeightFormat::kF32                                     ? 16
                                        : kFormat == WeightFormat::kF16 || kFormat == WeightFormat::kBF16 ? 32
                                                                                                          : 64;

// Columns [k, k + 16).
template <WeightFormat kFormat, unsigned kM, unsigned kN>
TETRAD_SIMD_INLINE void stored_columns(const RawWeight& w, const RowCursor* cursor, const F32x16* scale, const float* x,
                                       std::int64_t x_stride, std::int64_t k, F32x16 (*acc)[kN]) {
  F32x16 wk[kN];
#pragma GCC unroll 8
  for (unsigned j = 0; j < kN; ++j) wk[j] = decode16<kFormat>(w, cursor[j], k, scale[j]);
#pragma GCC unroll 8
  for (unsigned i = 0; i < kM; ++i) {
    F32x16 xk = load(x + i * x_stride + k);
    if (kN > 1) keep(xk);
#pragma GCC unroll 8
    for (unsigned j = 0; j < kN; ++j) acc[i][j] = fma(xk, wk[j], acc[i][j]);
  }
}

// kM rows of x with kN rows of w, decoded in registers.
template <WeightFormat kFormat, unsigned kM, unsigned kN>
inline void stored_block(const RawWeight& w, std::int64_t row, const MultiplyArgs& args, std::int64_t m,
                         std::int64_t n) {
  RowCursor cursor[kN];
  F32x16 acc[kM][kN];
  for (unsigned j = 0; j < kN; ++j) cursor[j] = row_cursor(w, row + n + j);
#pragma GCC unroll 8
  for (unsigned i = 0; i < kM; ++i)
#pragma GCC unroll 8
    for (unsigned j = 0; j < kN; ++j) acc[i][j] = zero();
  constexpr std::int64_t kLine = kColumnsOfLine<kFormat>;
  const float* x = args.x + m * args.x_stride;
  const std::int64_t span = kFormat == WeightFormat::kFp8Block ? w.block_cols : w.cols;
  const std::int64_t bytes = row_bytes(w);
  for (std::int64_t begin = 0, block = 0; begin < w.cols; begin += span, ++block) {
    F32x16 scale[kN];
    for (unsigned j = 0; j < kN; ++j) scale[j] = code_scale<kFormat>(cursor[j], block);
    const std::int64_t end = begin + span < w.cols ? begin + span : w.cols;
    std::int64_t k = begin;
    for (; k + kLine <= end; k += kLine) {
      const std::byte* ahead = cursor[0].data + kN * (bytes + k * 64 / kLine);
      for (unsigned j = 0; j < kN; ++j) __builtin_prefetch(ahead + 64 * j, 0, 2);
#pragma GCC unroll 4
      for (std::int64_t c = 0; c < kLine; c += 16)
        stored_columns<kFormat, kM, kN>(w, cursor, scale, x, args.x_stride, k + c, acc);
    }
    for (; k < end; k += 16) stored_columns<kFormat, kM, kN>(w, cursor, scale, x, args.x_stride, k, acc);
  }
#pragma GCC unroll 8
  for (unsigned i = 0; i < kM; ++i)
#pragma GCC unroll 8
    for (unsigned j = 0; j < kN; ++j) args.y[(m + i) * args.y_stride + n + j] = finish(acc[i][j], args.bf16);
}

// Blocks for one, two and more rows of x. kStoredN rows of w stay in L1 while all rows of x pass.
#if TETRAD_SIMD_TARGET == TETRAD_SIMD_AVX512
constexpr unsigned kStoredM = 8, kStoredN = 3, kStoredOneN = 4, kStoredTwoN = 4;
#elif TETRAD_SIMD_TARGET == TETRAD_SIMD_AVX2
constexpr unsigned kStoredM = 4, kStoredN = 1, kStoredOneN = 4, kStoredTwoN = 2;
#else
constexpr unsigned kStoredM = 4, kStoredN = 2, kStoredOneN = 4, kStoredTwoN = 4;
#endif

#if TETRAD_SIMD_TARGET == TETRAD_SIMD_AVX2
// clang-format off: the last needs the second
#include "kernels/stored_strip_simd.h"
#include "kernels/fp8_table_avx2.h"
#include "kernels/fp8_rows.h"
// clang-format on

void decode_rows_by_table(const RawWeight& w, std::int64_t row, std::int64_t count, float* out, std::int64_t stride) {
  if (decodes_fp8_rows(w, row, count)) return decode_fp8_rows(w, row, count, out, stride);
  decode_rows(w, row, count, out, stride);
}
#endif

template <WeightFormat kFormat, unsigned kN>
inline void stored_rows(const RawWeight& w, std::int64_t row, const MultiplyArgs& args, std::int64_t n) {
  std::int64_t m = 0;
  for (; m + kStoredM <= args.m; m += kStoredM) stored_block<kFormat, kStoredM, kN>(w, row, args, m, n);
  for (; m + 4 <= args.m; m += 4) stored_block<kFormat, 4, kN>(w, row, args, m, n);
  for (; m + 2 <= args.m; m += 2) stored_block<kFormat, 2, kN>(w, row, args, m, n);
  if (m < args.m) stored_block<kFormat, 1, kN>(w, row, args, m, n);
}

template <WeightFormat kFormat>
inline void stored_format(const RawWeight& w, std::int64_t row, const MultiplyArgs& args) {
#if TETRAD_SIMD_TARGET == TETRAD_SIMD_AVX2
  if (kFormat != WeightFormat::kFp8Block && args.m > 2) return stored_strips<kFormat>(w, row, args);
#endif
  std::int64_t n = 0;
  if (args.m == 1)
    for (; n + kStoredOneN <= args.n; n += kStoredOneN) stored_block<kFormat, 1, kStoredOneN>(w, row, args, 0, n);
  else if (args.m == 2)
    for (; n + kStoredTwoN <= args.n; n += kStoredTwoN) stored_block<kFormat, 2, kStoredTwoN>(w, row, args, 0, n);
  else
    for (; n + kStoredN <= args.n; n += kStoredN) stored_rows<kFormat, kStoredN>(w, row, args, n);
  for (; n < args.n; ++n) stored_rows<kFormat, 1>(w, row, args, n);
}

void multiply_stored(const RawWeight& w, std::int64_t row, const MultiplyArgs& args) {
#if TETRAD_SIMD_TARGET == TETRAD_SIMD_AVX2
  if (fp8_in_blocks(w)) return fp8_format<false>(w, row, args);
#endif
  switch (w.format) {
    case WeightFormat::kF32:
      stored_format<WeightFormat::kF32>(w, row, args);
      break;
    case WeightFormat::kF16:
      stored_format<WeightFormat::kF16>(w, row, args);
      break;
    case WeightFormat::kBF16:
      stored_format<WeightFormat::kBF16>(w, row, args);
      break;
    case WeightFormat::kFp8Block:
      stored_format<WeightFormat::kFp8Block>(w, row, args);
      break;
    case WeightFormat::kInt8Row:
      stored_format<WeightFormat::kInt8Row>(w, row, args);
      break;
    case WeightFormat::kFp8Row:
      stored_format<WeightFormat::kFp8Row>(w, row, args);
      break;
    case WeightFormat::kNvfp4:
      break;  // multiply_nvfp4 is for it
  }
}

void fill_linear(KernelTable& table) {
  table.decode_rows = decode_rows;
  table.multiply = multiply;
  table.multiply_stored = multiply_stored;
#if TETRAD_SIMD_TARGET != TETRAD_SIMD_SCALAR
  table.max_direct_rows = 32;
#endif
#if TETRAD_SIMD_TARGET == TETRAD_SIMD_AVX2
  table.decode_rows = decode_rows_by_table;
#endif
}
