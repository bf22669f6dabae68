// Matrix products of many rows: tiles of x and of w packed so that neighbouring rows, not neighbouring columns, are
// lanes. The sums are those of linear_simd.h, bit for bit: for each of the 16 classes k = j (mod 16) a result adds its
// products in ascending k, then the classes meet in hsum's tree. Here a class is computed for a whole tile at a time:
// one long loop over k whose operands lie one behind another, 24 sums in registers and nothing but multiply-adds and
// loads in it. That reaches 90 % of a Xeon's peak at k = 3072; with columns as lanes it was 57 %, because each tile
// needs 16 times as many sums, which go to memory and back.
//
// Packed w: [class][step][kTileN], packed x: [class][step][kTileM] for each kTileM rows, step s of class j being column
// 16 s + j; rows and columns beyond the end are zeros. Classes are tile_class_floats() apart. Weights that are BF16
// anyway (FP8's decoded values are) are packed as pairs where kTilePairs: a dword holds row i in its lower half and row
// i + kTileLanes in its upper one. Taking them apart costs nothing where multiply-adds leave ports free, and half the
// bytes let twice as many rows of w wait in L2. A panel is several tiles of w one behind another: x, which comes from
// L3, passes once a panel.
#include "kernels/simd/tile_transpose.h"

// kTileGroup tiles of x go over a class of w while it is in L1; with the panel they must fit L2, whose lines are wanted
// again when the next group comes.
#if TETRAD_SIMD_TARGET == TETRAD_SIMD_AVX512
constexpr unsigned kTileM = 8, kTileVectors = 3, kTileLanes = 16, kTileGroup = 4;
constexpr bool kTilePairs = false;  // multiply-adds take both ports that 512-bit instructions have
#elif TETRAD_SIMD_TARGET == TETRAD_SIMD_AVX2
constexpr unsigned kTileM = 6, kTileVectors = 2, kTileLanes = 8, kTileGroup = 2;
constexpr bool kTilePairs = true;
#endif

#if TETRAD_SIMD_TARGET != TETRAD_SIMD_SCALAR
constexpr unsigned kTileN = kTileVectors * kTileLanes;
constexpr unsigned kTilePanel = 96 / kTileN;  // tiles of w in a panel at most

void pack_x_tile(const float* x, std::int64_t x_stride, std::int64_t rows, std::int64_t cols, float* out) {
  const std::int64_t steps = tile_steps(cols), class_floats = tile_class_floats(cols, kTileM);
  if (rows < kTileM || cols % 16 != 0) __builtin_memset(out, 0, static_cast<std::size_t>(16 * class_floats) * 4);
  for (std::int64_t s = 0; s < steps; ++s) {
    const std::int64_t left = cols - 16 * s, classes = left < 16 ? left : 16;
    for (std::int64_t i = 0; i < rows; ++i) {
      const float* from = x + i * x_stride + 16 * s;
      float* to = out + s * kTileM + i;
      for (std::int64_t j = 0; j < classes; ++j) to[j * class_floats] = from[j];
    }
  }
}

// kTileN decoded rows to a tile.
void pack_w_tile(const float* rows, std::int64_t stride, std::int64_t cols, bool pairs, float* out) {
  const std::int64_t steps = tile_steps(cols), class_floats = tile_class_floats(cols, pairs ? kTileLanes : kTileN);
#if TETRAD_SIMD_TARGET == TETRAD_SIMD_AVX2
  if (pairs) {
    alignas(32) std::uint32_t block[kTileLanes][16];
    for (std::int64_t s = 0; s < steps; ++s) {
      for (unsigned i = 0; i < kTileLanes; ++i)
        for (unsigned half = 0; half < 16; half += 8) {
          const __m256i low = _mm256_castps_si256(_mm256_loadu_ps(rows + i * stride + 16 * s + half));
          const __m256i high = _mm256_castps_si256(_mm256_loadu_ps(rows + (i + kTileLanes) * stride + 16 * s + half));
          _mm256_store_si256(reinterpret_cast<__m256i*>(block[i] + half),
                             _mm256_blend_epi16(_mm256_srli_epi32(low, 16), high, 0xAA));
        }
      tile_transpose(reinterpret_cast<const std::byte*>(block), 64, out + s * kTileLanes, class_floats);
    }
    return;
  }
#endif
  for (unsigned n = 0; n < kTileN; n += kTileLanes, rows += kTileLanes * stride)
    for (std::int64_t s = 0; s < steps; ++s)
      tile_transpose(reinterpret_cast<const std::byte*>(rows + 16 * s), 4 * stride, out + s * kTileN + n, class_floats);
}

#if TETRAD_SIMD_TARGET == TETRAD_SIMD_AVX2
TETRAD_SIMD_INLINE __m256i bf16_columns(const std::byte* p, std::int64_t columns) {
  if (columns >= 16) return _mm256_loadu_si256(reinterpret_cast<const __m256i_u*>(p));
  alignas(32) std::byte padded[32] = {};
  __builtin_memcpy(padded, p, static_cast<std::size_t>(2 * columns));
  return _mm256_load_si256(reinterpret_cast<const __m256i*>(padded));
}

// `count` rows of a BF16 weight as a tile of pairs; the rest of it zeros.
void pack_bf16_w_tile(const RawWeight& w, std::int64_t row, std::int64_t count, float* out) {
  constexpr std::int64_t kAhead = 512;  // bytes: rows are too short for the hardware to find out in time
  const std::int64_t class_floats = tile_class_floats(w.cols, kTileLanes), bytes = 2 * w.cols;
  const std::byte* rows = w.data + row * bytes;
  alignas(32) std::uint32_t block[kTileLanes][16];
  for (std::int64_t s = 0; s < tile_steps(w.cols); ++s) {
    const std::int64_t left = w.cols - 16 * s;
    if (s % 2 == 0) {
      const std::int64_t ahead = 32 * s + kAhead < bytes ? 32 * s + kAhead : 32 * s + kAhead + (kTileN - 1) * bytes;
      for (std::int64_t i = 0; i < kTileN; ++i) __builtin_prefetch(rows + i * bytes + ahead);
    }
    for (std::int64_t i = 0; i < kTileLanes; ++i) {
      const std::int64_t j = i + kTileLanes;
      const __m256i a = i < count ? bf16_columns(rows + i * bytes + 32 * s, left) : _mm256_setzero_si256();
      const __m256i b = j < count ? bf16_columns(rows + j * bytes + 32 * s, left) : _mm256_setzero_si256();
      const __m256i low = _mm256_unpacklo_epi16(a, b), high = _mm256_unpackhi_epi16(a, b);
      _mm256_store_si256(reinterpret_cast<__m256i*>(block[i]), _mm256_permute2x128_si256(low, high, 0x20));
      _mm256_store_si256(reinterpret_cast<__m256i*>(block[i] + 8), _mm256_permute2x128_si256(low, high, 0x31));
    }
    tile_transpose(reinterpret_cast<const std::byte*>(block), 64, out + s * kTileLanes, class_floats);
  }
}
#else
// kTileLanes BF16 rows, `stride` bytes apart, of two steps or `steps` of them, to lanes of a tile.
TETRAD_SIMD_INLINE void pack_bf16_rows(const std::byte* rows, std::int64_t stride, std::int64_t steps,
                                       std::int64_t class_floats, float* out) {
  alignas(64) std::uint32_t pairs[16][kTileLanes];  // of columns
  const __m512i upper = _mm512_set1_epi32(static_cast<int>(0xFFFF0000U));
  tile_transpose(rows, stride, reinterpret_cast<float*>(pairs), kTileLanes);
  for (std::int64_t s = 0; s < steps; ++s, out += kTileN)
    for (std::int64_t c = 0; c < 8; ++c) {
      const __m512i raw = _mm512_load_si512(pairs[8 * s + c]);
      _mm512_storeu_si512(out + 2 * c * class_floats, _mm512_slli_epi32(raw, 16));
      _mm512_storeu_si512(out + (2 * c + 1) * class_floats, _mm512_and_si512(raw, upper));
    }
}

// `count` rows of a BF16 weight as a tile; the rest of it zeros. Decoded to F32 rows and transposed from there, 64 rows
// of x took a fifth longer.
void pack_bf16_w_tile(const RawWeight& w, std::int64_t row, std::int64_t count, float* out) {
  constexpr std::int64_t kAhead = 512;  // bytes: rows are too short for the hardware to find out in time
  const std::int64_t class_floats = tile_class_floats(w.cols, kTileN), bytes = 2 * w.cols, steps = tile_steps(w.cols);
  const std::byte* rows = w.data + row * bytes;
  alignas(64) std::byte padded[kTileLanes][64] = {};  // of rows that are not there, or that end
  for (std::int64_t s = 0; s < steps; s += 2, rows += 64) {
    const std::int64_t here = 32 * s, left = steps - s < 2 ? 1 : 2;
    const std::int64_t ahead = here + kAhead < bytes ? kAhead : kAhead + (kTileN - 1) * bytes;
    for (std::int64_t i = 0; i < kTileN; ++i) __builtin_prefetch(rows + i * bytes + ahead);
    for (std::int64_t n = 0; n < kTileN; n += kTileLanes) {
      const std::byte* from = rows + n * bytes;
      const bool whole = n + kTileLanes <= count && here + 64 <= bytes;
      if (!whole) {
        const auto there = static_cast<std::size_t>(bytes - here < 64 ? bytes - here : 64);
        for (std::int64_t i = 0; i < kTileLanes; ++i) {
          __builtin_memset(padded[i], 0, 64);
          if (n + i < count) __builtin_memcpy(padded[i], from + i * bytes, there);
        }
      }
      pack_bf16_rows(whole ? from : padded[0], whole ? bytes : 64, left, class_floats, out + s * kTileN + n);
    }
  }
}
#endif

// A step's kTileN values of w.
template <bool kPairs>
TETRAD_SIMD_INLINE void tile_load(const float* w, Part* values) {
  if constexpr (kPairs) {
#if TETRAD_SIMD_TARGET == TETRAD_SIMD_AVX2
    const __m256 raw = _mm256_loadu_ps(w);
    values[0] = {pair_low_half(raw)};
    values[1] = {pair_high_half(raw)};
#endif
  } else {
#pragma GCC unroll 8
    for (unsigned j = 0; j < kTileVectors; ++j) values[j] = part_load(w + j * kTileLanes);
  }
}

// sums[kTileM][kTileN] of one class. `next` x comes from L3 to L2 meanwhile.
template <bool kPairs>
inline void tile_class(const float* x, const float* w, std::int64_t steps, const float* next, float* sums) {
  Part acc[kTileM][kTileVectors];
#pragma GCC unroll 8
  for (unsigned i = 0; i < kTileM; ++i)
#pragma GCC unroll 8
    for (unsigned j = 0; j < kTileVectors; ++j) acc[i][j] = part_zero();
  for (std::int64_t s = 0; s < steps; ++s, x += kTileM, w += kPairs ? kTileLanes : kTileN, next += kTileM) {
    __builtin_prefetch(next, 0, 2);
    Part wk[kTileVectors];
    tile_load<kPairs>(w, wk);
#pragma GCC unroll 8
    for (unsigned i = 0; i < kTileM; ++i) {
      const Part xk = part_set1(x[i]);
#pragma GCC unroll 8
      for (unsigned j = 0; j < kTileVectors; ++j) acc[i][j] = part_fma(xk, wk[j], acc[i][j]);
    }
  }
#pragma GCC unroll 8
  for (unsigned i = 0; i < kTileM; ++i)
#pragma GCC unroll 8
    for (unsigned j = 0; j < kTileVectors; ++j) part_store(sums + i * kTileN + j * kTileLanes, acc[i][j]);
}

// hsum's tree over the classes, then the results of `rows` rows and `columns` columns of a tile.
inline void tile_finish(const TileArgs& args, const float* sums, std::int64_t rows, std::int64_t columns, float* y) {
  constexpr std::int64_t kClass = kTileM * kTileN;
  alignas(64) float row[kTileN];
  for (std::int64_t i = 0; i < rows; ++i, y += args.y_stride) {
    for (unsigned n = 0; n < kTileN; n += kTileLanes) part_store(row + n, tile_tree(sums + i * kTileN + n, kClass));
    if (args.bf16)
      for (unsigned n = 0; n < kTileN; n += 16) store(row + n, round_bf16(load(row + n)));
    __builtin_memcpy(y, row, static_cast<std::size_t>(columns) * 4);
  }
}

template <bool kPairs>
inline void multiply_tiles(const TileArgs& args) {
  alignas(64) float sums[kTilePanel][kTileGroup][16][kTileM * kTileN];
  const std::int64_t steps = tile_steps(args.cols),
                     w_class = tile_class_floats(args.cols, kPairs ? kTileLanes : kTileN),
                     x_class = tile_class_floats(args.cols, kTileM), tiles = (args.m + kTileM - 1) / kTileM,
                     panel = (args.n + kTileN - 1) / kTileN;
  for (std::int64_t first = 0; first < tiles; first += kTileGroup) {
    const std::int64_t count = tiles - first < kTileGroup ? tiles - first : kTileGroup;
    for (int j = 0; j < 16; ++j)
      for (std::int64_t p = 0; p < panel; ++p)
        for (std::int64_t t = 0; t < count; ++t) {
          const float* x = args.x + (16 * (first + t) + j) * x_class;
          const float* next = p > 0 ? x : x + (j < 15 ? 1 : 16 * kTileGroup - 15) * x_class;
          tile_class<kPairs>(x, args.w + (16 * p + j) * w_class, steps, next, sums[p][t][j]);
        }
    for (std::int64_t t = 0; t < count; ++t) {
      const std::int64_t row = (first + t) * kTileM, rows = args.m - row < kTileM ? args.m - row : kTileM;
      for (std::int64_t p = 0; p < panel; ++p) {
        const std::int64_t left = args.n - p * kTileN, columns = left < kTileN ? left : kTileN;
        tile_finish(args, sums[p][t][0], rows, columns, args.y + row * args.y_stride + p * kTileN);
      }
    }
  }
}

void multiply_panel(const TileArgs& args) {
  if (kTilePairs && args.pairs)
    multiply_tiles<kTilePairs>(args);
  else
    multiply_tiles<false>(args);
}

void fill_tiles(KernelTable& table) {
  table.tile_m = kTileM;
  table.tile_n = kTileN;
  table.tile_lanes = kTileLanes;
  table.tile_pairs = kTilePairs;
  table.panel_n = kTilePanel * kTileN;
  table.pack_x_tile = pack_x_tile;
  table.pack_w_tile = pack_w_tile;
  table.pack_bf16_w_tile = pack_bf16_w_tile;
  table.multiply_panel = multiply_panel;
}
#else
void fill_tiles(KernelTable&) {}
#endif
