// Matrix products of many rows: tiles of x and of w packed so that neighbouring rows, not neighbouring columns, are
// lanes. The sums are those of linear_simd.h, bit for bit: for each of the 16 classes k = j (mod 16) a result adds its
// products in ascending k, then the classes meet in hsum's tree. Here a class is computed for a whole tile at a time:
// one long loop over k whose operands lie one behind another, 24 sums in registers and nothing but multiply-adds and
// loads in it. That reaches 90 % of a Xeon's peak at k = 3072; with columns as lanes it was 57 %, because each tile
// needs 16 times as many sums, which go to memory and back.
//
// Packed w: [class][step][kTileN], packed x: [class][step][kTileM] for each kTileM rows, step s of class j being column
// 16 s + j; rows and columns beyond the end are zeros. Classes are tile_class_floats() apart.
#include "kernels/simd/tile_transpose.h"

#if TETRAD_SIMD_TARGET == TETRAD_SIMD_AVX512
constexpr unsigned kTileM = 8, kTileVectors = 3, kTileLanes = 16;
#elif TETRAD_SIMD_TARGET == TETRAD_SIMD_AVX2
constexpr unsigned kTileM = 6, kTileVectors = 2, kTileLanes = 8;
#endif

#if TETRAD_SIMD_TARGET != TETRAD_SIMD_SCALAR
constexpr unsigned kTileN = kTileVectors * kTileLanes;
constexpr unsigned kTileGroup = 4;  // tiles of x that go over a class of w while it is in L1

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

void pack_w_rows(const float* rows, std::int64_t stride, std::int64_t cols, std::int64_t n, float* out) {
  const std::int64_t steps = tile_steps(cols), class_floats = tile_class_floats(cols, kTileN);
  for (std::int64_t s = 0; s < steps; ++s)
    tile_transpose(reinterpret_cast<const std::byte*>(rows + 16 * s), 4 * stride, out + s * kTileN + n, class_floats);
}

// sums[kTileM][kTileN] of one class. `next` x comes from L3 to L2 meanwhile.
inline void tile_class(const float* x, const float* w, std::int64_t steps, const float* next, float* sums) {
  Part acc[kTileM][kTileVectors];
#pragma GCC unroll 8
  for (unsigned i = 0; i < kTileM; ++i)
#pragma GCC unroll 8
    for (unsigned j = 0; j < kTileVectors; ++j) acc[i][j] = part_zero();
  for (std::int64_t s = 0; s < steps; ++s, x += kTileM, w += kTileN, next += kTileM) {
    __builtin_prefetch(next, 0, 2);
    Part wk[kTileVectors];
#pragma GCC unroll 8
    for (unsigned j = 0; j < kTileVectors; ++j) wk[j] = part_load(w + j * kTileLanes);
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

// hsum's tree over the classes, then the results of `rows` rows and `count` columns of a tile.
inline void tile_finish(const TileArgs& args, const float* sums, std::int64_t rows, float* y) {
  constexpr std::int64_t kClass = kTileM * kTileN;
  alignas(64) float row[kTileN];
  for (std::int64_t i = 0; i < rows; ++i, y += args.y_stride) {
    for (unsigned n = 0; n < kTileN; n += kTileLanes) part_store(row + n, tile_tree(sums + i * kTileN + n, kClass));
    if (args.bf16)
      for (unsigned n = 0; n < kTileN; n += 16) store(row + n, round_bf16(load(row + n)));
    __builtin_memcpy(y, row, static_cast<std::size_t>(args.n) * 4);
  }
}

void multiply_tile(const TileArgs& args) {
  alignas(64) float sums[kTileGroup][16][kTileM * kTileN];
  const std::int64_t steps = tile_steps(args.cols), w_class = tile_class_floats(args.cols, kTileN),
                     x_class = tile_class_floats(args.cols, kTileM), tiles = (args.m + kTileM - 1) / kTileM;
  for (std::int64_t first = 0; first < tiles; first += kTileGroup) {
    const std::int64_t count = tiles - first < kTileGroup ? tiles - first : kTileGroup;
    for (int j = 0; j < 16; ++j)
      for (std::int64_t t = 0; t < count; ++t) {
        const float* x = args.x + (16 * (first + t) + j) * x_class;
        tile_class(x, args.w + j * w_class, steps, x + (j < 15 ? 1 : 16 * kTileGroup - 15) * x_class, sums[t][j]);
      }
    for (std::int64_t t = 0; t < count; ++t) {
      const std::int64_t row = (first + t) * kTileM, rows = args.m - row < kTileM ? args.m - row : kTileM;
      tile_finish(args, sums[t][0], rows, args.y + row * args.y_stride);
    }
  }
}

void fill_tiles(KernelTable& table) {
  table.tile_m = kTileM;
  table.tile_n = kTileN;
  table.tile_lanes = kTileLanes;
  table.pack_x_tile = pack_x_tile;
  table.pack_w_rows = pack_w_rows;
  table.multiply_tile = multiply_tile;
}
#else
void fill_tiles(KernelTable&) {}
#endif
