// Products of three and more rows of x with weights as they are stored, where registers are few (AVX2). Sums as in
// linear_simd.h, bit for bit: lanes 0 .. 7 and 8 .. 15 one after the other, so that 4 x 3 sums fit, and kBlockK columns
// at a time, so that x's share of them stays in L1; meanwhile the sums of a strip's rows wait. Without that, 4 rows of
// x by 1 of w at once, x came from L2 for each row of w; packing tiles costs as much. One core of a Zen 3 read BF16 at
// 5.4 GB/s for 4 rows of x and 3.5 for 8 by tiles, now 10.7 and 6.2 (kernels_bench, 6144 x 3072).
// Included behind linear_simd.h's blocks.
constexpr unsigned kStripM = 4, kStripN = 3;
constexpr unsigned kStoredStripRows = 12;  // of w: 18 KiB of BF16 at kBlockK, and the next strip is on its way

template <int kPart>
TETRAD_SIMD_INLINE Part part_of(F32x16 a) {
  return {kPart == 0 ? a.lo : a.hi};
}

// The strip to fetch meanwhile, each of the `turns` passes over this one its share. Evenly: what is asked for at once
// waits for a place among the core's two dozen misses, and the sums with it.
struct NextStrip {
  const std::byte* at;
  std::int64_t turn, turns;
  TETRAD_SIMD_INLINE void fetch(std::int64_t bytes) {
    if (++turn >= turns) {
      turn = 0;
      for (std::int64_t i = 0; i < bytes; i += 64) __builtin_prefetch(at + i, 0, 2);
    }
    at += bytes;
  }
};

// Lanes of one half, columns [begin, end).
template <WeightFormat kFormat, unsigned kM, unsigned kN, int kPart>
TETRAD_SIMD_INLINE void strip_part(const RawWeight& w, const RowCursor* cursor, const float* x, std::int64_t x_stride,
                                   std::int64_t begin, std::int64_t end, NextStrip& next, float* sums) {
  constexpr int kLane = 8 * kPart;
  Part acc[kM][kN];
  F32x16 scale[kN];
#pragma GCC unroll 8
  for (unsigned j = 0; j < kN; ++j) scale[j] = code_scale<kFormat>(cursor[j], 0);
#pragma GCC unroll 8
  for (unsigned i = 0; i < kM; ++i)
#pragma GCC unroll 8
    for (unsigned j = 0; j < kN; ++j)
      acc[i][j] = begin == 0 ? part_zero() : part_load(sums + (i * kN + j) * 16 + kLane);
  const auto columns = [&](std::int64_t k) __attribute__((always_inline)) {
    Part wk[kN];
#pragma GCC unroll 8
    for (unsigned j = 0; j < kN; ++j) wk[j] = part_of<kPart>(decode16<kFormat>(w, cursor[j], k, scale[j]));
#pragma GCC unroll 8
    for (unsigned i = 0; i < kM; ++i) {
      const Part xk = part_load(x + i * x_stride + k + kLane);
#pragma GCC unroll 8
      for (unsigned j = 0; j < kN; ++j) acc[i][j] = part_fma(xk, wk[j], acc[i][j]);
    }
  };
  std::int64_t k = begin;
  for (; k + 64 <= end; k += 64) {
    next.fetch(kN * 64 * 32 / kColumnsOfLine<kFormat>);  // half of what 64 columns take: the other lanes fetch the rest
    for (std::int64_t at = 0; at < 64; at += 16) columns(k + at);
  }
  for (; k < end; k += 16) columns(k);
#pragma GCC unroll 8
  for (unsigned i = 0; i < kM; ++i)
#pragma GCC unroll 8
    for (unsigned j = 0; j < kN; ++j) part_store(sums + (i * kN + j) * 16 + kLane, acc[i][j]);
}

// A strip of `rows` rows of w with kM rows of x.
template <WeightFormat kFormat, unsigned kM>
inline void stored_strip(const RawWeight& w, std::int64_t row, std::int64_t rows, const MultiplyArgs& args,
                         std::int64_t m, std::int64_t n, NextStrip next) {
  alignas(64) float sums[kStoredStripRows * kM * 16];
  const float* x = args.x + m * args.x_stride;
  for (std::int64_t begin = 0; begin < w.cols; begin += kBlockK) {
    const std::int64_t end = w.cols - begin < kBlockK ? w.cols : begin + kBlockK;
    std::int64_t at = 0;
    const auto block = [&]<unsigned kN>() {
      RowCursor cursor[kN];
      for (unsigned j = 0; j < kN; ++j) cursor[j] = row_cursor(w, row + n + at + j);
      float* s = sums + at * kM * 16;
      strip_part<kFormat, kM, kN, 0>(w, cursor, x, args.x_stride, begin, end, next, s);
      strip_part<kFormat, kM, kN, 1>(w, cursor, x, args.x_stride, begin, end, next, s);
      for (unsigned i = 0; end == w.cols && i < kM; ++i)
        for (unsigned j = 0; j < kN; ++j)
          args.y[(m + i) * args.y_stride + n + at + j] = finish(load(s + (i * kN + j) * 16), args.bf16);
      at += kN;
    };
    while (at + kStripN <= rows) block.template operator()<kStripN>();
    while (at < rows) block.template operator()<1>();
  }
}

template <WeightFormat kFormat>
inline void stored_strips(const RawWeight& w, std::int64_t row, const MultiplyArgs& args) {
  for (std::int64_t n = 0; n < args.n; n += kStoredStripRows) {
    const std::int64_t rows = args.n - n < kStoredStripRows ? args.n - n : kStoredStripRows;
    NextStrip next{w.data + (row + n + rows) * row_bytes(w), 0, (args.m + kStripM - 1) / kStripM};
    for (std::int64_t m = 0; m < args.m; m += kStripM, ++next.turn) {
      switch (args.m - m) {
        case 1:
          stored_strip<kFormat, 1>(w, row, rows, args, m, n, next);
          break;
        case 2:
          stored_strip<kFormat, 2>(w, row, rows, args, m, n, next);
          break;
        case 3:
          stored_strip<kFormat, 3>(w, row, rows, args, m, n, next);
          break;
        default:
          stored_strip<kFormat, kStripM>(w, row, rows, args, m, n, next);
          break;
      }
    }
  }
}
