// Matrix products on AMX: weights as BF16, 16 rows of 32 columns a tile, which is exact for every format it takes
// (amx_decode.h); x as two BF16 parts, columns of the same tile of x: eight rows of x and sixteen columns. A product
// adds its tiles in ascending order, each part by itself (amx_tile.h says how a tile is added up), then both parts,
// times the row's factor: the same for any batch, chunk and thread count, but other bytes than the other targets'.
//
// The parts: of a value of x the nearest BF16, and of what it leaves, so both hold 17 bits (relative error 2^-17). For
// NVFP4 weights the integers of nvfp4_simd.h, 256 high + low, times a power of two for each block of 16 (2^-16 of the
// block's largest value at most), and the two halves of a pair belong to two blocks: so a tile's sums are exact, and an
// addition of both, then one to the sum, are all that is rounded. amx_nvfp4_rows.h does the same without tiles for few
// rows, for which decoding costs too much.
//
// 16 cycles a multiply of 8192 products of one part: eight times the F32 peak with two. Up to two tiles of x meet
// weights as they are decoded, 32 rows at a time, a later unit between the multiplies: what costs then is decoding or
// memory. More meet a panel of decoded rows in L2, two by two tiles.
// clang-format off: each needs what stands above it
#include "kernels/simd/nvfp4_avx512.h"
#include "kernels/nvfp4_planes.h"
#include "kernels/simd/amx_tile.h"
#include "kernels/simd/tile_transpose.h"
#include "kernels/amx_nvfp4_rows.h"
#include "kernels/amx_decode.h"
// clang-format on

constexpr int kSum00 = 0, kSum10 = 1, kSum01 = 2, kSum11 = 3, kA0 = 4, kA1 = 5, kB0 = 6, kB1 = 7;
constexpr std::int64_t kBlockRows = kMatrixBlockRows, kGroupRows = kMatrixGroupRows;
static_assert(kBlockRows == 2 * kTileRows);

template <WeightFormat kFormat>
TETRAD_SIMD_INLINE std::int64_t amx_units(std::int64_t cols) {
  return kFormat == WeightFormat::kNvfp4 ? 2 * nvfp4_groups(cols) : (cols + kUnitColumns - 1) / kUnitColumns;
}
TETRAD_SIMD_INLINE std::int64_t amx_steps(std::int64_t cols) { return (cols + kTileColumns - 1) / kTileColumns; }
template <WeightFormat kFormat>
TETRAD_SIMD_INLINE std::int64_t amx_steps_of(std::int64_t cols) {
  return kFormat == WeightFormat::kNvfp4 ? kUnitTiles * amx_units<kFormat>(cols) : amx_steps(cols);
}

// `rows` <= kGroupRows rows of x: for each 32 columns a tile of 16 pairs of columns, first part of all rows, then the
// second.
struct AmxXTile {
  alignas(64) std::uint32_t pairs[16][16], columns[16][16];
};

TETRAD_SIMD_INLINE std::byte* amx_write_tile(AmxXTile& tile, std::int64_t rows, bool nvfp4, std::byte* out) {
  const std::int64_t width = 8 * rows;
  tile_transpose(reinterpret_cast<const std::byte*>(tile.pairs), 64, reinterpret_cast<float*>(tile.columns), 16);
  for (std::int64_t p = 0; p < 16; ++p, out += width)
    __builtin_memcpy(out, tile.columns[nvfp4 ? nvfp4_pair_column(p) : p], static_cast<std::size_t>(width));
  return out;
}

void pack_matrix_bf16(const float* x, std::int64_t x_stride, std::int64_t rows, std::int64_t cols, std::byte* out) {
  AmxXTile tile;
  __builtin_memset(&tile, 0, sizeof tile);
  for (std::int64_t s = 0; s < amx_steps(cols); ++s) {
    const std::int64_t left = cols - kTileColumns * s;
    for (std::int64_t i = 0; i < rows; ++i) {
      const float* from = x + i * x_stride + kTileColumns * s;
      const F32x16 a = left >= 16 ? load(from) : load_partial(from, static_cast<int>(left));
      const F32x16 b = left >= 32  ? load(from + 16)
                       : left > 16 ? load_partial(from + 16, static_cast<int>(left - 16))
                                   : zero();
      const __m512i first = bf16_pair(a, b);
      _mm512_store_si512(tile.pairs[i], first);
      const auto* halves = reinterpret_cast<const std::byte*>(tile.pairs[i]);
      _mm512_store_si512(tile.pairs[rows + i], bf16_pair(a - from_bf16(halves), b - from_bf16(halves + 32)));
    }
    out = amx_write_tile(tile, rows, false, out);
  }
}

// Low halves: the upper 16 bits of a; high halves: those of b.
TETRAD_SIMD_INLINE void amx_store_halves(F32x16 a, F32x16 b, std::uint32_t* out) {
  const __m512i upper = _mm512_and_si512(_mm512_castps_si512(b.v), _mm512_set1_epi32(static_cast<int>(0xFFFF0000U)));
  _mm512_store_si512(out, _mm512_or_si512(_mm512_srli_epi32(_mm512_castps_si512(a.v), 16), upper));
}

void pack_matrix_nvfp4(const float* x, std::int64_t x_stride, std::int64_t rows, std::int64_t cols, std::byte* out) {
  AmxXTile tile;
  __builtin_memset(&tile, 0, sizeof tile);
  for (std::int64_t begin = 0; begin < cols; begin += kNvfp4Columns)
    for (std::int64_t block = 0; block < 8; ++block) {
      for (std::int64_t i = 0; i < rows; ++i) {
        const float* row = x + i * x_stride;
        const NvParts a = nv_parts(nv_block(row, cols, begin + 16 * block));
        const NvParts b = nv_parts(nv_block(row, cols, begin + 128 + 16 * block));
        const F32x16 a_scale = set1(kNvfp4XScale * a.scale), b_scale = set1(kNvfp4XScale * b.scale);
        amx_store_halves(a.high * set1(256.0F) * a_scale, b.high * set1(256.0F) * b_scale, tile.pairs[i]);
        amx_store_halves(a.low * a_scale, b.low * b_scale, tile.pairs[rows + i]);
      }
      out = amx_write_tile(tile, rows, true, out);
    }
}

void pack_matrix_x(const float* x, std::int64_t x_stride, std::int64_t rows, std::int64_t cols, bool nvfp4,
                   std::byte* out) {
  (nvfp4 ? pack_matrix_nvfp4 : pack_matrix_bf16)(x, x_stride, rows, cols, out);
}

// The rows of x that share tiles.
struct AmxGroup {
  const std::byte* x;
  std::int64_t first, rows, width;  // width: bytes of a tile's row
};
TETRAD_SIMD_INLINE AmxGroup amx_group(const MatrixArgs& args, std::int64_t group) {
  const std::int64_t left = args.m - kGroupRows * group, rows = left < kGroupRows ? left : kGroupRows;
  return {args.x + group * args.x_stride, kGroupRows * group, rows, 8 * rows};
}

inline void amx_shape(const AmxGroup& one, const AmxGroup& two) {
  AmxShape shape;
  for (int i = 0; i < 8; ++i) shape.rows[i] = 16;
  shape.row_bytes[kSum00] = shape.row_bytes[kSum10] = shape.row_bytes[kB0] = static_cast<std::uint16_t>(one.width);
  shape.row_bytes[kSum01] = shape.row_bytes[kSum11] = shape.row_bytes[kB1] = static_cast<std::uint16_t>(two.width);
  shape.row_bytes[kA0] = shape.row_bytes[kA1] = 64;
  amx_configure(shape);
}

// Results of 16 rows of w, fewer at its end, for a group.
template <int kSum>
TETRAD_SIMD_INLINE void amx_finish(const RawWeight& w, std::int64_t row, const MatrixArgs& args, std::int64_t n,
                                   const AmxGroup& group) {
  alignas(64) float sums[16][16], columns[16][16];
  const std::int64_t left = args.n - n, count = left < kTileRows ? left : kTileRows;
  if (count <= 0) return;
  amx_store<kSum>(reinterpret_cast<std::byte*>(sums), 64);
  tile_transpose(reinterpret_cast<const std::byte*>(sums), 64, columns[0], 16);
  const F32x16 factor = amx_factor(w, row + n, count);
  for (std::int64_t i = 0; i < group.rows; ++i) {
    F32x16 value = (load(columns[i]) + load(columns[group.rows + i])) * factor;
    if (args.bf16) value = round_bf16(value);
    float* y = args.y + (group.first + i) * args.y_stride + n;
    if (count == kTileRows)
      store(y, value);
    else
      store_partial(y, value, static_cast<int>(count));
  }
}

TETRAD_SIMD_INLINE void amx_finish_block(const RawWeight& w, std::int64_t row, const MatrixArgs& args, std::int64_t n,
                                         const AmxGroup& one, const AmxGroup& two, bool both) {
  amx_finish<kSum00>(w, row, args, n, one);
  amx_finish<kSum10>(w, row, args, n + kTileRows, one);
  if (!both) return;
  amx_finish<kSum01>(w, row, args, n, two);
  amx_finish<kSum11>(w, row, args, n + kTileRows, two);
}

template <bool kTwo, bool kOnce>
TETRAD_SIMD_INLINE void amx_load_step(const std::byte* a0, const std::byte* a1, std::int64_t a_stride,
                                      const AmxGroup& one, const AmxGroup& two, std::int64_t step) {
  amx_load<kB0>(one.x + step * 16 * one.width, one.width);
  if constexpr (kOnce) {
    amx_load_once<kA0>(a0, a_stride);
    amx_load_once<kA1>(a1, a_stride);
  } else {
    amx_load<kA0>(a0, a_stride);
    amx_load<kA1>(a1, a_stride);
  }
  if constexpr (kTwo) amx_load<kB1>(two.x + step * 16 * two.width, two.width);
}
template <bool kTwo>
TETRAD_SIMD_INLINE void amx_multiply_step() {
  amx_multiply<kSum00, kA0, kB0>();
  amx_multiply<kSum10, kA1, kB0>();
  if constexpr (kTwo) {
    amx_multiply<kSum01, kA0, kB1>();
    amx_multiply<kSum11, kA1, kB1>();
  }
}

// Rows [first, first + 8) of a block of 32 in the unit's tiles; those that are not there stay as they are, zero.
template <WeightFormat kFormat>
TETRAD_SIMD_INLINE void amx_decode_rows(const RawWeight& w, std::int64_t row, std::int64_t rows, std::int64_t first,
                                        std::int64_t unit, std::byte* out) {
  const std::int64_t left = rows - first, count = left < 8 ? left : 8;
  if (count > 0)
    decode_unit<kFormat>(w, row + first, count, unit,
                         out + first / kTileRows * (kUnitTiles * kTileBytes) + first % kTileRows * 64);
}

// The next block's codes are fetched in the order of their addresses: linear_simd.h says why.
template <WeightFormat kFormat>
TETRAD_SIMD_INLINE void amx_fetch(const RawWeight& w, std::int64_t row, std::int64_t unit, std::int64_t eighth) {
  constexpr std::int64_t kBytes = kUnitBytes<kFormat> * kBlockRows / 8;
  const std::int64_t row_bytes = w.cols * kUnitBytes<kFormat> / kUnitColumns;
  const std::byte* ahead = w.data + (row + kBlockRows) * row_bytes + (8 * unit + eighth) * kBytes;
#pragma GCC unroll 16
  for (std::int64_t i = 0; i < kBytes; i += 64) __builtin_prefetch(ahead + i, 0, 2);
  if constexpr (kFormat == WeightFormat::kNvfp4)
    if (eighth % 2 == 0)
      __builtin_prefetch(w.scales + (row + kBlockRows) * w.scale_cols + (4 * unit + eighth / 2) * 64, 0, 2);
}

// 32 rows of w, decoded between the multiplies. The rows of x are those of one group or two.
template <WeightFormat kFormat, bool kTwo>
inline void amx_stream_block(const RawWeight& w, std::int64_t row, const MatrixArgs& args, std::int64_t n,
                             const AmxGroup& one, const AmxGroup& two) {
  // A unit is decoded two ahead of its multiplies: a tile can't be loaded while its stores wait to reach L1.
  constexpr std::int64_t kHalf = kUnitTiles * kTileBytes, kAhead = 2;
  alignas(64) std::byte ring[kAhead + 1][2 * kHalf];
  const std::int64_t units = amx_units<kFormat>(w.cols), steps = amx_steps_of<kFormat>(w.cols);
  const std::int64_t rows = args.n - n < kBlockRows ? args.n - n : kBlockRows;
  if (rows < kBlockRows) __builtin_memset(ring, 0, sizeof ring);
  amx_zero<kSum00>();
  amx_zero<kSum10>();
  amx_zero<kSum01>();
  amx_zero<kSum11>();
  for (std::int64_t unit = 0; unit < kAhead && unit < units; ++unit)
    for (std::int64_t first = 0; first < kBlockRows; first += 8)
      amx_decode_rows<kFormat>(w, row + n, rows, first, unit, ring[unit]);
  const auto load_step = [&](std::int64_t step) {
    const std::byte* a = ring[step / kUnitTiles % (kAhead + 1)] + step % kUnitTiles * kTileBytes;
    amx_load_step<kTwo, false>(a, a + kHalf, 64, one, two, step);
  };
  load_step(0);
  for (std::int64_t unit = 0; unit < units; ++unit)
    for (std::int64_t t = 0; t < kUnitTiles; ++t) {
      const std::int64_t step = unit * kUnitTiles + t;
      if (step < steps) amx_multiply_step<kTwo>();
      if (step + 1 < steps) load_step(step + 1);
      amx_fetch<kFormat>(w, row + n, unit, 2 * t);
      amx_fetch<kFormat>(w, row + n, unit, 2 * t + 1);
      if (unit + kAhead < units)
        amx_decode_rows<kFormat>(w, row + n, rows, 8 * t, unit + kAhead, ring[(unit + kAhead) % (kAhead + 1)]);
    }
  amx_finish_block(w, row, args, n, one, two, kTwo);
}

// BF16 as it is stored: whole tiles come from the weight itself.
template <bool kTwo>
inline void amx_bf16_block(const RawWeight& w, std::int64_t row, const MatrixArgs& args, std::int64_t n,
                           const AmxGroup& one, const AmxGroup& two) {
  amx_zero<kSum00>();
  amx_zero<kSum10>();
  amx_zero<kSum01>();
  amx_zero<kSum11>();
  const std::int64_t stride = 2 * w.cols;
  const std::byte* a = w.data + (row + n) * stride;
  for (std::int64_t step = 0; step < w.cols / kTileColumns; ++step) {
    amx_load_step<kTwo, false>(a + 64 * step, a + kTileRows * stride + 64 * step, stride, one, two, step);
    amx_multiply_step<kTwo>();
  }
  amx_finish_block(w, row, args, n, one, two, kTwo);
}

template <WeightFormat kFormat, bool kTwo>
inline void amx_stream(const RawWeight& w, std::int64_t row, const MatrixArgs& args) {
  const AmxGroup one = amx_group(args, 0), two = kTwo ? amx_group(args, 1) : one;
  amx_shape(one, two);
  for (std::int64_t n = 0; n < args.n; n += kBlockRows) {
    if (kFormat == WeightFormat::kBF16 && args.n - n >= kBlockRows && w.cols % kTileColumns == 0)
      amx_bf16_block<kTwo>(w, row, args, n, one, two);
    else
      amx_stream_block<kFormat, kTwo>(w, row, args, n, one, two);
  }
}

// A chunk of a panel, kChunkSteps tiles of each 16 rows one behind another: small enough that those of two groups of x
// stay in L1 while all rows of w pass, and those of all rows and groups in L2. Sums wait in memory from chunk to chunk.
// Without chunks a multiply took 14 ns instead of 9.5: from L2 both operands come too slowly, from L3 x does.
constexpr std::int64_t kChunkUnits = 4, kChunkSteps = kChunkUnits * kUnitTiles;

template <WeightFormat kFormat>
inline void amx_fill_chunk(const RawWeight& w, std::int64_t row, std::int64_t rows, std::int64_t chunk,
                           std::byte* panel) {
  constexpr std::int64_t kBytes = kUnitBytes<kFormat>;
  const std::int64_t begin = chunk * kChunkUnits, left = amx_units<kFormat>(w.cols) - begin;
  const std::int64_t units = left < kChunkUnits ? left : kChunkUnits;
  const std::int64_t row_bytes = w.cols * kBytes / kUnitColumns;
  for (std::int64_t n = 0; n < rows; n += kTileRows, panel += kChunkSteps * kTileBytes) {
    const std::int64_t count = rows - n < kTileRows ? rows - n : kTileRows;
    // The next 16 rows come meanwhile, behind the last ones the next chunk's first.
    const std::byte* ahead = w.data + (row + n) * row_bytes + begin * kBytes;
    ahead += n + kTileRows < rows ? kTileRows * row_bytes : kChunkUnits * kBytes - n * row_bytes;
    for (std::int64_t i = 0; i < kTileRows; ++i)
      for (std::int64_t at = 0; at < units * kBytes; at += 64) __builtin_prefetch(ahead + i * row_bytes + at, 0, 2);
    if (count < kTileRows) __builtin_memset(panel, 0, static_cast<std::size_t>(kChunkSteps * kTileBytes));
    for (std::int64_t unit = 0; unit < units; ++unit)
      decode_unit<kFormat>(w, row + n, count, begin + unit, panel + unit * kUnitTiles * kTileBytes);
  }
}

template <bool kTwo>
TETRAD_SIMD_INLINE void amx_resume(const std::byte* sums, bool first) {
  if (first) {
    amx_zero<kSum00>();
    amx_zero<kSum10>();
    if (kTwo) amx_zero<kSum01>();
    if (kTwo) amx_zero<kSum11>();
    return;
  }
  amx_load<kSum00>(sums, 64);
  amx_load<kSum10>(sums + kTileBytes, 64);
  if (kTwo) amx_load<kSum01>(sums + 2 * kTileBytes, 64);
  if (kTwo) amx_load<kSum11>(sums + 3 * kTileBytes, 64);
}
template <bool kTwo>
TETRAD_SIMD_INLINE void amx_suspend(std::byte* sums) {
  amx_store<kSum00>(sums, 64);
  amx_store<kSum10>(sums + kTileBytes, 64);
  if (kTwo) amx_store<kSum01>(sums + 2 * kTileBytes, 64);
  if (kTwo) amx_store<kSum11>(sums + 3 * kTileBytes, 64);
}

struct AmxChunk {
  std::int64_t first_step, steps;
  bool first, last;
  const std::byte *ahead0, *ahead1;  // tiles of the next groups of x, to come from L3 meanwhile
};

// All rows of w of a chunk with one group of x or two. A step fetches kFetchLines lines of each of the next: with 192
// rows of w all of them.
constexpr std::int64_t kFetchLines = 3;
template <bool kTwo>
inline void amx_chunk_groups(const RawWeight& w, std::int64_t row, const MatrixArgs& args, const AmxChunk& chunk,
                             const AmxGroup& one, const AmxGroup& two, const std::byte* panel, std::byte* sums) {
  for (std::int64_t n = 0; n < args.n; n += kBlockRows, sums += 4 * kTileBytes) {
    const std::byte* a0 = panel + n / kTileRows * (kChunkSteps * kTileBytes);
    const std::byte* a1 = n + kTileRows < args.n ? a0 + kChunkSteps * kTileBytes : a0;  // those sums are not used
    amx_resume<kTwo>(sums, chunk.first);
    const std::int64_t fetched = n * chunk.steps * kTileBytes / args.n / 64 * 64;
    for (std::int64_t step = 0; step < chunk.steps; ++step) {
      for (std::int64_t i = 0; i < kFetchLines; ++i) {
        __builtin_prefetch(chunk.ahead0 + fetched + 64 * (kFetchLines * step + i), 0, 2);
        __builtin_prefetch(chunk.ahead1 + fetched + 64 * (kFetchLines * step + i), 0, 2);
      }
      amx_load_step<kTwo, true>(a0 + step * kTileBytes, a1 + step * kTileBytes, 64, one, two, chunk.first_step + step);
      amx_multiply_step<kTwo>();
    }
    if (chunk.last)
      amx_finish_block(w, row, args, n, one, two, kTwo);
    else
      amx_suspend<kTwo>(sums);
  }
}

// args.m <= kMatrixPanelRows.
template <WeightFormat kFormat>
inline void amx_panel(const RawWeight& w, std::int64_t row, const MatrixArgs& args) {
  const std::int64_t steps = amx_steps_of<kFormat>(w.cols), blocks = (args.n + kBlockRows - 1) / kBlockRows;
  const std::int64_t groups = (args.m + kGroupRows - 1) / kGroupRows;
  std::byte* sums = args.scratch + 2 * blocks * kChunkSteps * kTileBytes;
  for (std::int64_t begin = 0; begin < steps; begin += kChunkSteps) {
    const std::int64_t left = steps - begin;
    AmxChunk chunk = {begin,  left < kChunkSteps ? left : kChunkSteps, begin == 0, left <= kChunkSteps, nullptr,
                      nullptr};
    amx_fill_chunk<kFormat>(w, row, args.n, begin / kChunkSteps, args.scratch);
    for (std::int64_t g = 0; g < groups; g += 2) {
      const bool both = g + 1 < groups;
      const AmxGroup one = amx_group(args, g), two = both ? amx_group(args, g + 1) : one;
      if (g == 0 || one.rows < kGroupRows || two.rows < kGroupRows) amx_shape(one, two);
      chunk.ahead0 = args.x + (g + 2) * args.x_stride + begin * kTileBytes;
      chunk.ahead1 = chunk.ahead0 + args.x_stride;
      std::byte* at = sums + g / 2 * blocks * (4 * kTileBytes);
      if (both)
        amx_chunk_groups<true>(w, row, args, chunk, one, two, args.scratch, at);
      else
        amx_chunk_groups<false>(w, row, args, chunk, one, two, args.scratch, at);
    }
  }
}

template <WeightFormat kFormat>
inline void multiply_matrix_format(const RawWeight& w, std::int64_t row, const MatrixArgs& args) {
  if (args.m <= kGroupRows)
    amx_stream<kFormat, false>(w, row, args);
  else if (args.m <= 2 * kGroupRows)
    amx_stream<kFormat, true>(w, row, args);
  else
    for (std::int64_t begin = 0; begin < args.m; begin += kMatrixPanelRows) {
      MatrixArgs part = args;
      part.x += begin / kGroupRows * args.x_stride;
      part.y += begin * args.y_stride;
      part.m = args.m - begin < kMatrixPanelRows ? args.m - begin : kMatrixPanelRows;
      amx_panel<kFormat>(w, row, part);
    }
  amx_release();
}

bool matrix_takes(const RawWeight& w) {
  if (w.format == WeightFormat::kFp8Block) return w.block_cols % 16 == 0;
  return w.format != WeightFormat::kF32 && w.format != WeightFormat::kF16;
}

void multiply_matrix(const RawWeight& w, std::int64_t row, const MatrixArgs& args) {
  switch (w.format) {
    case WeightFormat::kBF16:
      multiply_matrix_format<WeightFormat::kBF16>(w, row, args);
      break;
    case WeightFormat::kFp8Block:
      multiply_matrix_format<WeightFormat::kFp8Block>(w, row, args);
      break;
    case WeightFormat::kInt8Row:
      multiply_matrix_format<WeightFormat::kInt8Row>(w, row, args);
      break;
    case WeightFormat::kFp8Row:
      multiply_matrix_format<WeightFormat::kFp8Row>(w, row, args);
      break;
    case WeightFormat::kNvfp4:
      multiply_matrix_format<WeightFormat::kNvfp4>(w, row, args);
      break;
    case WeightFormat::kF32:
    case WeightFormat::kF16:
      break;  // matrix_takes() says so
  }
}

std::int64_t peak_matrix(std::int64_t rounds) {
  alignas(64) std::uint16_t values[16][32];  // not zeros: those take less power, so the clock would be higher
  for (unsigned i = 0; i < 16; ++i)
    for (unsigned j = 0; j < 32; ++j)
      values[i][j] = static_cast<std::uint16_t>(0x3F00 + (37 * i + 11 * j) % 200 + (i + j) % 2 * 0x8000);
  const AmxGroup group = {reinterpret_cast<const std::byte*>(values), 0, kGroupRows, 64};
  amx_shape(group, group);
  amx_resume<true>(nullptr, true);
  amx_load_step<true, false>(group.x, group.x, 64, group, group, 0);
  for (std::int64_t round = 0; round < rounds; ++round) amx_multiply_step<true>();
  amx_release();
  return rounds * 4 * 16 * 16 * 32 * 2;
}

void fill_matrix(KernelTable& table) {
  table.matrix = {matrix_takes, pack_matrix_x, multiply_matrix, peak_matrix};
  table.nvfp4 = {};
  table.nvfp4.group_bytes = kNvPartsBytes;
  table.nvfp4.max_plane_rows = kNvPartsRows;
  table.nvfp4.pack_row = pack_nvfp4_parts;
  table.nvfp4.multiply = multiply_nvfp4_parts;
  table.nvfp4_int8 = table.nvfp4;  // 8-bit inputs would gain nothing
}
