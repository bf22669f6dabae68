// Products of NVFP4 weights with activations in integers, of 16 bits or of 8.
//
// Twice an E2M1 value is an integer in [-12, 12]. A block of 16 columns of x becomes integers q of at most kMaxCode
// with one F32 scale, so that the sum within a block is an exact integer, below 2^24:
//   y = tensor_scale / 2 * sum over blocks of float(sum of 2w * q) * (weight's scale * x's scale)
// 256 columns are a group: 16 blocks, 128 bytes of codes. Block b of its first half is lane 2b of a result, of its
// second half 2b + 1. Each lane adds its groups in ascending order (multiply, then FMA), then comes hsum's tree: the
// same for any batch and target. Scales of weights are kept times 2^-8, which is what their bits mean in F16.
// nvfp4_tile_simd.h has a form for many rows.
//
// Codes come as dwords of 8 columns. "x" are the dwords 0, 2, 4 .. of the first half and 1, 3, 5 .. of the second, in
// turn, "y" the others: so both dwords of a block meet in its lane, and no sum needs a shuffle. Columns of a dword are
// taken apart as even and odd ones, the nibbles of its bytes. A group of a packed row of x, as planes:
//   64 B x even, 64 B x odd, 64 B y even, 64 B y odd, for Nv16 the same of the low bytes, 16 x int32 -12 * sum of q in
//   the block, 16 x float scale
// Nv16: q = 256 high + low. Exact but for the activations' rounding (relative to a block's largest value 1.5e-5, a
// 130th of BF16's) and one F32 addition per 256 columns; decoding to F32 could not keep up with memory. Nv8:
// activations are rounded to a 254th of their block's range, 0.4 % of their size where values are normal (BF16: 0.1
// %; what NVFP4 does to the weights: 8 %). Half the multiplications.
#if TETRAD_SIMD_TARGET == TETRAD_SIMD_AVX512
#include "kernels/simd/nvfp4_avx512.h"
#elif TETRAD_SIMD_TARGET == TETRAD_SIMD_AVX2
#include "kernels/simd/nvfp4_avx2.h"
#else
#include "kernels/simd/nvfp4_scalar.h"
#endif

TETRAD_SIMD_INLINE float nv_finish(F32x16 sums, const Nvfp4Args& args) {
  const float value = hsum(sums) * args.factor;
  return args.bf16 ? round_to_bf16(value) : value;
}

constexpr float kNvSmallest = 1e-30F;  // blocks below count as zero: the reciprocal would overflow

// Integers of 16 columns; their scale is returned, NaN when a value is not finite.
TETRAD_SIMD_INLINE float nv_quantize(F32x16 x, float max_code, F32x16& q) {
  const float largest = hmax(abs(x));
  const bool finite = mask_bits(less_equal(abs(x), set1(3.402823466e38F))) == 0xFFFFU;
  if (!finite || !(largest >= kNvSmallest)) {
    q = zero();
    return finite ? 0.0F : __builtin_nanf("");
  }
  q = round_nearest(x * set1(max_code / largest));
  return largest / max_code;
}

#include "kernels/nvfp4_planes.h"

// What the loops below need of each form; the targets have nv_add_dot for both.
struct Nv16 {
  using Planes = NvPlanes16;
  static constexpr std::int64_t kGroupBytes = 640;
  static constexpr float kMaxCode = 32639.0F;  // 127 * 256 + 127: both planes fit a signed byte
  TETRAD_SIMD_INLINE static void store_block(F32x16 q, int block, std::byte* out) {
    // q / 256 to nearest, halves up, so that the rest is -128 .. 127.
    const F32x16 high = round_nearest((q + set1(0.25F)) * set1(0x1p-8F));
    nv_store_bytes(high, block, out);
    nv_store_bytes(q - high * set1(256.0F), block, out + 256);
  }
};
struct Nv8 {
  using Planes = NvPlanes8;
  static constexpr std::int64_t kGroupBytes = 384;
  static constexpr float kMaxCode = 127.0F;
  TETRAD_SIMD_INLINE static void store_block(F32x16 q, int block, std::byte* out) { nv_store_bytes(q, block, out); }
};

template <class Form>
void pack_nvfp4_row(const float* x, std::int64_t k, std::byte* out) {
  for (std::int64_t begin = 0; begin < k; begin += kNvfp4Columns, out += Form::kGroupBytes)
    for (int block = 0; block < 16; ++block) {
      F32x16 q;
      const float scale = nv_quantize(nv_block(x, k, begin + 16 * block), Form::kMaxCode, q);
      Form::store_block(q, block, out);
      const std::int32_t offset = nv_offset(q);
      std::byte* behind = out + Form::kGroupBytes - 128 + 4 * nv_lane(block);
      __builtin_memcpy(behind, &offset, 4);
      __builtin_memcpy(behind + 64, &scale, 4);
    }
}

template <class Form, unsigned kM, unsigned kN>
TETRAD_SIMD_INLINE void nv_group(const std::byte* const* codes, const std::byte* const* scales, const std::byte* x,
                                 std::int64_t x_stride, F32x16 (*sums)[kM]) {
  using Planes = typename Form::Planes;
  if constexpr (kM == 1) {
    const Planes planes = Planes::load(x);
#pragma GCC unroll 4
    for (unsigned j = 0; j < kN; ++j)
      sums[j][0] = nv_add_dot(nv_codes(codes[j]), nv_scales(scales[j]), planes, sums[j][0]);
  } else {
#pragma GCC unroll 4
    for (unsigned j = 0; j < kN; ++j) {
      const NvCodes w = nv_codes(codes[j]);
      const F32x16 scale = nv_scales(scales[j]);
#pragma GCC unroll 4
      for (unsigned i = 0; i < kM; ++i) sums[j][i] = nv_add_dot(w, scale, Planes::load(x + i * x_stride), sums[j][i]);
    }
  }
}

// The next block's codes are fetched in the order of their addresses, one stream: linear_simd.h. A block is small
// enough for L1 (a Zen 4: 16.5 GB/s with each row ahead of itself, 24 so, 22 if fetched into L2 only; on AVX2
// L2 only: a Zen 3 is faster so, most with 8-bit inputs).
template <class Form, unsigned kM, unsigned kN>
inline void nv_direct_block(const RawWeight& w, std::int64_t row, const Nvfp4Args& args, std::int64_t n) {
  constexpr unsigned kCodes = kNvfp4Columns / 2, kScales = kNvfp4Columns / 16;
  const std::byte* codes[kN];
  const std::byte* scales[kN];
  F32x16 sums[kN][kM];
  for (unsigned j = 0; j < kN; ++j) {
    codes[j] = w.data + (row + n + j) * (w.cols / 2);
    scales[j] = w.scales + (row + n + j) * w.scale_cols;
    for (unsigned i = 0; i < kM; ++i) sums[j][i] = zero();
  }
  const std::byte* x = args.x;
  const std::int64_t row_bytes = w.cols / 2;
  for (std::int64_t g = 0; g < w.cols / kNvfp4Columns; ++g, x += Form::kGroupBytes) {
    const std::byte* ahead = w.data + (row + n + kN) * row_bytes + g * (kN * kCodes);
    for (unsigned j = 0; j < kN * kCodes; j += 64) __builtin_prefetch(ahead + j, 0, kNvFetchTo);
    if (g % (64 / kScales) == 0)
      for (unsigned j = 0; j < kN; ++j) __builtin_prefetch(scales[j] + std::int64_t{kN} * w.scale_cols);
    nv_group<Form, kM, kN>(codes, scales, x, args.x_stride, sums);
    for (unsigned j = 0; j < kN; ++j) {
      codes[j] += kCodes;
      scales[j] += kScales;
    }
  }
  if (w.cols % kNvfp4Columns != 0) {
    std::byte tail_codes[kN][kCodes], tail_scales[kN][kScales];
    for (unsigned j = 0; j < kN; ++j) {
      nv_tail(w.cols, codes[j], scales[j], tail_codes[j], tail_scales[j]);
      codes[j] = tail_codes[j];
      scales[j] = tail_scales[j];
    }
    nv_group<Form, kM, kN>(codes, scales, x, args.x_stride, sums);
  }
  for (unsigned j = 0; j < kN; ++j)
    for (unsigned i = 0; i < kM; ++i) args.y[i * args.y_stride + n + j] = nv_finish(sums[j][i], args);
}

// Rows of w at a time for kM rows of x: more reuse x, fewer leave registers.
constexpr unsigned nv_block_rows(unsigned m) { return m <= 2 ? 4 : kNvRegisters / 16; }
template <class Form, unsigned kM>
inline void nv_direct(const RawWeight& w, std::int64_t row, const Nvfp4Args& args) {
  constexpr unsigned kN = nv_block_rows(kM);
  std::int64_t n = 0;
  for (; n + kN <= args.n; n += kN) nv_direct_block<Form, kM, kN>(w, row, args, n);
  for (; n < args.n; ++n) nv_direct_block<Form, kM, 1>(w, row, args, n);
}

#if TETRAD_SIMD_TARGET == TETRAD_SIMD_AVX512
#include "kernels/nvfp4_four_simd.h"
#else
constexpr std::int64_t kNvFourRows = 4;  // none
#endif

template <class Form>
inline void nv_few_rows(const RawWeight& w, std::int64_t row, const Nvfp4Args& args) {
  switch (args.m) {
    case 1:
      nv_direct<Form, 1>(w, row, args);
      break;
    case 2:
      nv_direct<Form, 2>(w, row, args);
      break;
    case 3:
      nv_direct<Form, 3>(w, row, args);
      break;
    default:
      nv_direct<Form, 4>(w, row, args);
      break;
  }
}

template <class Form>
void multiply_nvfp4(const RawWeight& w, std::int64_t row, const Nvfp4Args& args) {
  Nvfp4Args part = args;
  for (std::int64_t left = args.m; left > 0; left -= part.m) {
    part.m = left < kNvFourRows ? left : kNvFourRows;
#if TETRAD_SIMD_TARGET == TETRAD_SIMD_AVX512
    if (part.m > 4)
      nv_four_rows<Form>(w, row, part);
    else
#endif
      nv_few_rows<Form>(w, row, part);
    part.x += part.m * args.x_stride;
    part.y += part.m * args.y_stride;
  }
}

#include "kernels/nvfp4_tile_simd.h"

template <class Form>
void fill_nvfp4_planes(Nvfp4Kernels& kernels) {
  kernels.group_bytes = Form::kGroupBytes;
  kernels.pack_row = pack_nvfp4_row<Form>;
  kernels.multiply = multiply_nvfp4<Form>;
}

void fill_nvfp4(KernelTable& table) {
  fill_nvfp4_planes<Nv16>(table.nvfp4);
  fill_nvfp4_planes<Nv8>(table.nvfp4_int8);
  // Where tiles draw level: a Zen 3 (AVX2), a Zen 4 (AVX-512: 16 rows take 0.70 of the tiles' time, 64 0.92, 96 1.01).
  table.nvfp4.max_plane_rows = table.nvfp4_int8.max_plane_rows = kNvRegisters == 16 ? 8 : 64;
  fill_nvfp4_tiles(table);
}
