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

#include "kernels/amx_pack.h"

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

template <bool kTwo>
TETRAD_SIMD_INLINE void amx_zero_sums() {
  amx_zero<kSum00>();
  amx_zero<kSum10>();
  if constexpr (kTwo) amx_zero<kSum01>();
  if constexpr (kTwo) amx_zero<kSum11>();
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

// clang-format off: both need what stands above
#include "kernels/amx_stream.h"
#include "kernels/amx_panel.h"
// clang-format on

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
  amx_zero_sums<true>();
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
