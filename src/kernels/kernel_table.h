// The kernels of one SIMD target as function pointers. Each is one thread's piece of work on raw memory, checked by the
// callers (linear.h, rows.h, attention.h), who also share the work out. Every target but "amx" gives the same bytes:
// sums run over 16 lanes in ascending order and one fixed tree (simd/vec16.h), so results depend neither on the target
// nor on how the work was cut. "amx" is "avx512" with other matrix products and attention (amx_linear.h,
// amx_attention.h); how the work was cut doesn't matter there either.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "tensor/weight_view.h"

namespace tetrad {

// WeightView as plain pointers (the kernels' files use no std templates).
struct RawWeight {
  WeightFormat format = WeightFormat::kF32;
  std::int64_t rows = 0, cols = 0;
  const std::byte* data = nullptr;
  const std::byte* scales = nullptr;
  std::int64_t block_rows = 128, block_cols = 128, scale_cols = 0;  // scale_cols: scales in a row of the scale matrix
  float tensor_scale = 1.0F;
};
RawWeight raw_weight(const WeightView& weight);

// y[m, n] = sum over k of x[m, k] * w[n, k] for a block of both. k is a multiple of 16: rows are padded with zeros.
struct MultiplyArgs {
  const float* x = nullptr;
  std::int64_t x_stride = 0, m = 0;
  const float* w = nullptr;
  std::int64_t w_stride = 0, n = 0, k = 0;
  float* y = nullptr;
  std::int64_t y_stride = 0;
  bool bf16 = false;  // round the result to BF16
};

// y[m, n] = x[m, k] * w^T for NVFP4 weights and packed rows of x (nvfp4_simd.h says how and why).
struct Nvfp4Args {
  const std::byte* x = nullptr;      // rows as planes, or tiles of tile_m rows
  std::int64_t x_stride = 0;         // bytes from row to row of planes
  const std::byte* panel = nullptr;  // tiles of w, with tiles of x
  std::int64_t m = 0, n = 0;
  float* y = nullptr;
  std::int64_t y_stride = 0;
  float factor = 1.0F;  // nvfp4_factor() of the weight
  bool bf16 = false;
};
inline constexpr std::int64_t kNvfp4Columns = 256;  // a group; a row's last one is padded

// One way to multiply NVFP4 weights by integers, all pointers null where a target has none.
struct Nvfp4Kernels {
  // A row of x packed as planes, plane_bytes(k); products of any number of such rows. From max_plane_rows + 1 rows on
  // tiles are faster.
  std::int64_t group_bytes = 0, max_plane_rows = 0;
  void (*pack_row)(const float* x, std::int64_t k, std::byte* out) = nullptr;
  void (*multiply)(const RawWeight& weight, std::int64_t row, const Nvfp4Args& args) = nullptr;
  // The same by packed tiles, for many rows (none in "scalar"): `rows` <= tile_m rows of x as a tile of
  // x_tile_bytes(k); `count` <= tile_n rows of w likewise; the product of any number of tiles of x and a panel, which
  // is tiles of w one behind another, panel_n rows at most.
  std::int64_t tile_m = 0, tile_n = 0, panel_n = 0;
  std::int64_t x_values = 0, w_values = 0;  // 4-byte values of a block of 16 columns, scale included
  void (*pack_x_tile)(const float* x, std::int64_t x_stride, std::int64_t rows, std::int64_t k,
                      std::byte* out) = nullptr;
  void (*pack_w_tile)(const RawWeight& weight, std::int64_t row, std::int64_t count, std::byte* out) = nullptr;
  void (*multiply_panel)(std::int64_t cols, const Nvfp4Args& args) = nullptr;

  std::int64_t plane_bytes(std::int64_t cols) const;
  std::int64_t x_tile_bytes(std::int64_t cols) const;
  std::int64_t w_tile_bytes(std::int64_t cols) const;
};
inline std::int64_t nvfp4_groups(std::int64_t cols) { return (cols + kNvfp4Columns - 1) / kNvfp4Columns; }
// 4-byte values of one lane of all groups of a packed tile, whose rows have `values` each; 64 bytes more than needed,
// so that lanes don't fall into the same sets of a cache.
inline std::int64_t nvfp4_lane_values(std::int64_t cols, std::int64_t values) {
  return (nvfp4_groups(cols) * values + 31) / 16 * 16;
}
inline std::int64_t Nvfp4Kernels::plane_bytes(std::int64_t cols) const { return nvfp4_groups(cols) * group_bytes; }
inline std::int64_t Nvfp4Kernels::x_tile_bytes(std::int64_t cols) const {
  return 64 * nvfp4_lane_values(cols, x_values * tile_m);
}
inline std::int64_t Nvfp4Kernels::w_tile_bytes(std::int64_t cols) const {
  return 64 * nvfp4_lane_values(cols, w_values * tile_n);
}
inline float nvfp4_factor(const RawWeight& weight) { return weight.tensor_scale * 128.0F; }

// y[m, n] = x * w^T for a panel, packed tiles of tile_n rows of w, and m packed rows of x (tile_simd.h says how).
struct TileArgs {
  const float* x = nullptr;  // tiles of tile_m rows, each 16 * tile_class_floats(cols, tile_m) floats
  const float* w = nullptr;  // tiles, each 16 * tile_class_floats(cols, pairs ? tile_lanes : tile_n) floats
  bool pairs = false;        // w is packed as pairs of BF16
  std::int64_t m = 0, n = 0, cols = 0;
  float* y = nullptr;
  std::int64_t y_stride = 0;
  bool bf16 = false;
};
inline std::int64_t tile_steps(std::int64_t cols) { return (cols + 15) / 16; }
// Of a class of a packed tile; 64 bytes more than needed, so that classes don't fall into the same sets of a cache.
inline std::int64_t tile_class_floats(std::int64_t cols, std::int64_t tile_rows) {
  return (tile_steps(cols) * tile_rows + 31) / 16 * 16;
}

// y[m, n] = x * w^T for rows [row, row + n) of w by a matrix unit, and m packed rows of x (amx_linear.h says how).
struct MatrixArgs {
  const std::byte* x = nullptr;  // groups of kMatrixGroupRows rows, x_stride bytes apart, the last maybe smaller
  std::int64_t x_stride = 0;     // matrix_group_bytes(cols)
  std::int64_t m = 0, n = 0;
  float* y = nullptr;
  std::int64_t y_stride = 0;
  bool bf16 = false;
  std::byte* scratch = nullptr;  // matrix_scratch_bytes(m, n), at a multiple of 64
};
inline constexpr std::int64_t kMatrixGroupRows = 8;    // rows of x that are packed together
inline constexpr std::int64_t kMatrixBlockRows = 32;   // rows of w that are multiplied together
inline constexpr std::int64_t kMatrixPanelRows = 256;  // rows of x for which rows of w are decoded once
// All null where a target has none.
struct MatrixKernels {
  bool (*takes)(const RawWeight& weight) = nullptr;
  // `rows` <= kMatrixGroupRows rows of x as a group; nvfp4: for a weight of that format, with a layout of its own.
  void (*pack_x)(const float* x, std::int64_t x_stride, std::int64_t rows, std::int64_t cols, bool nvfp4,
                 std::byte* out) = nullptr;
  void (*multiply)(const RawWeight& weight, std::int64_t row, const MatrixArgs& args) = nullptr;
  // As many independent BF16 multiplies as the unit takes, without loads; returns their operations, multiplications and
  // additions.
  std::int64_t (*peak)(std::int64_t rounds) = nullptr;
};
inline std::int64_t matrix_group_bytes(std::int64_t cols) { return (cols + 255) / 256 * 8192; }
// A chunk of w, 512 columns in BF16, and sums of two parts for as many rows of x as a panel has at most.
inline std::int64_t matrix_scratch_bytes(std::int64_t m, std::int64_t n) {
  const std::int64_t rows = m < kMatrixPanelRows ? m : kMatrixPanelRows;
  return (n + 31) / 32 * (32768 + (rows + 15) / 16 * 4096);
}

// Causal attention of `rows` query rows that share one key/value head; row i belongs to position first_position + i /
// group and sees the keys 0 .. that position. Query row i is at q + (i / group) * q_stride + (i % group) * head_dim,
// output likewise. Keys and values: position p at k + p * kv_stride. attention.h puts the kernels together.
struct AttendArgs {
  const float* q = nullptr;
  float* out = nullptr;
  std::int64_t q_stride = 0, rows = 0, group = 1, first_position = 0;
  const float* k = nullptr;
  const float* v = nullptr;
  std::int64_t kv_stride = 0, head_dim = 0;  // head_dim: a multiple of 16
  // Paged: the key of position p is row slots[p] of paged_k (rows are kv_stride elements apart), the value likewise; k
  // and v are unused. Same results as with the same rows one behind another.
  const std::int32_t* slots = nullptr;
  const std::byte* paged_k = nullptr;
  const std::byte* paged_v = nullptr;
  bool paged_bf16 = false;  // the rows are BF16, else F32
  float scale = 1.0F;
  bool bf16 = false;  // as PyTorch's CPU kernel: probabilities rounded before they meet the values, the result rounded
  float* scratch = nullptr;  // attend_scratch_floats(rows, head_dim)
};
// Of a part of the keys, for each row: the sum of probability * value, the largest score, the probabilities' sum (0: it
// sees none of these keys). What the numbers mean is the kernels' own.
struct AttendPart {
  float *sums, *maxima, *totals;  // [rows, head_dim], [rows], [rows]
};
// Keys a softmax step takes: PyTorch's, so that BF16 rounds at the same places; a matrix unit's, whose scores of 32
// rows fit into L1.
inline constexpr std::int64_t kAttendKeyTile = 512, kMatrixKeyTile = 256;
// Paged keys whose values are taken at a time: 16 KiB of F32 at head_dim 128. At least 16, as many as keys are.
inline constexpr std::int64_t kAttendValueKeys = 32;

struct KernelTable {
  const char* simd = "";
  // Rows [row, row + count) as F32 at `out`, `stride` floats apart (stride >= cols rounded up to 16), the padding zero.
  void (*decode_rows)(const RawWeight& weight, std::int64_t row, std::int64_t count, float* out,
                      std::int64_t stride) = nullptr;
  void (*multiply)(const MultiplyArgs& args) = nullptr;
  // The same product for m <= max_direct_rows (kFp8Block: max_direct_fp8_rows) straight from the stored weight (args.w,
  // w_stride and k unused): rows [row, row + args.n). cols % 16 == 0.
  std::int64_t max_direct_rows = 4;
  std::int64_t max_direct_fp8_rows = 4;  // of kFp8Block, which takes longer to decode
  void (*multiply_stored)(const RawWeight& weight, std::int64_t row, const MultiplyArgs& args) = nullptr;
  // NVFP4 weights (none in "ref", which takes the two above), with x in integers of 16 bits and of 8.
  Nvfp4Kernels nvfp4, nvfp4_int8;
  // Where it takes a weight, it does so for any number of rows of x, but for NVFP4 from nvfp4.max_plane_rows + 1 rows
  // on.
  MatrixKernels matrix;
  // Products of many rows by packed tiles (none in "scalar" and "ref", which take decode_rows and multiply): `rows` <=
  // tile_m rows of x as a tile; tile_n decoded rows of w, `stride` floats apart and padded with zeros to a multiple of
  // 16 columns, as a tile, in pairs if they are BF16 and tile_pairs; the product of tiles of x and a panel of w,
  // panel_n rows at most.
  std::int64_t tile_m = 0, tile_n = 0, tile_lanes = 0, panel_n = 0;
  bool tile_pairs = false;
  void (*pack_x_tile)(const float* x, std::int64_t x_stride, std::int64_t rows, std::int64_t cols,
                      float* out) = nullptr;
  void (*pack_w_tile)(const float* rows, std::int64_t stride, std::int64_t cols, bool pairs, float* out) = nullptr;
  // `count` <= tile_n rows of a BF16 weight as a tile (of pairs where tile_pairs), the rest of it zeros.
  void (*pack_bf16_w_tile)(const RawWeight& weight, std::int64_t row, std::int64_t count, float* out) = nullptr;
  void (*multiply_panel)(const TileArgs& args) = nullptr;
  // Keys [begin, end), or those of them that there are; begin: a multiple of kAttendKeys. A later part is added to an
  // earlier one, which becomes that of both; the last is the result.
  void (*attend_part)(const AttendArgs& args, std::int64_t begin, std::int64_t end, const AttendPart& part) = nullptr;
  void (*attend_join)(const AttendArgs& args, const AttendPart& earlier, const AttendPart& later) = nullptr;
  void (*attend_finish)(const AttendArgs& args, const AttendPart& all) = nullptr;
  void (*attend)(const AttendArgs& args) = nullptr;  // "ref" alone: everything at once
  std::int64_t attend_rows = 64;                     // about as many rows as one call should have where there are more

  // Row operations; bf16: rounded where PyTorch's BF16 kernels round. n: any length.
  void (*rms_norm)(const float* x, const float* weight, std::int64_t n, float eps, bool bf16, float* out) = nullptr;
  void (*rotate)(float* x, const float* cos, const float* sin, std::int64_t half,
                 bool bf16) = nullptr;  // x[0, 2 half), NeoX halves
  void (*swiglu)(const float* gate, const float* up, std::int64_t n, bool bf16,
                 float* out) = nullptr;                                        // silu(gate) * up
  void (*add)(float* a, const float* b, std::int64_t n, bool bf16) = nullptr;  // a += b
  void (*add_scaled)(float* a, const float* b, float s, std::int64_t n,
                     bool bf16) = nullptr;                  // a += b * s, both rounded
  float (*amax)(const float* x, std::int64_t n) = nullptr;  // NaN when any value is NaN
  // A weight's row as n codes of kInt8Row or kFp8Row, to nearest even; returns its scale: max|x| / 127 or / 448. NaN,
  // and no codes, when a value is not finite; 0, and zeros, when the scale would be below the normal numbers.
  float (*quantize_row)(const float* x, std::int64_t n, WeightFormat format, std::byte* codes) = nullptr;
  void (*sigmoid)(const float* x, std::int64_t n, float* out) = nullptr;
  void (*exp)(const float* x, std::int64_t n, float* out) = nullptr;
  // NVFP4 activations, n % 16 == 0: out = e2m1(x * g / s) * s * input_scale with g = 1 / input_scale, s = e4m3(min(g *
  // max|x| / 6, 448)) per 16.
  void (*fake_quantize)(const float* x, std::int64_t n, float input_scale, float* out) = nullptr;
};
inline constexpr std::int64_t kMinTileRows = 48;      // from here on packing tiles pays
inline constexpr std::int64_t kMinBf16TileRows = 33;  // the same with pack_bf16_w_tile

// nullptr when there is no such target or this CPU can't run it. "ref": the oracle (ref/reference.h).
const KernelTable* kernel_table(const std::string& simd);

}  // namespace tetrad
