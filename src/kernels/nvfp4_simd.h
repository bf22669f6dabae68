// Products of NVFP4 weights with activations in 16-bit integers. Exact but for the activations' rounding (relative to a
// block's largest value 1.5e-5, a 130th of BF16's) and one F32 addition per 128 columns; 2.7 times as fast as decoding
// to F32, which could not keep up with memory.
//
// Twice an E2M1 value is an integer in [-12, 12]. A row of x becomes integers q of at most kNvMaxCode with one F32
// scale for 16 columns, so that the sums over half a block are exact integers:
//   y = tensor_scale / 2 * sum over half blocks of float(sum of 2w * q) * (weight's scale * x's scale)
// 128 columns are a group: 64 bytes of codes, 16 dwords of 8 columns, lane d of the result for dword d. Each lane adds
// its groups in ascending order (multiply, then FMA), then comes hsum's tree: the same for any batch and target.
//
// A group of a packed row of x, as planes: q = 256 high + low, bytes of even columns and odd ones apart:
//   64 B high even, 64 B high odd, 64 B low even, 64 B low odd, 16 x int32 -12 * sum of q in the dword, 16 x float
//   scale
// nvfp4_tile_simd.h has a form for many rows. Scales of weights are kept times 2^-8, which is what their bits mean in
// F16.
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

constexpr float kNvMaxCode = 32639.0F;        // 127 * 256 + 127: both planes fit a signed byte
constexpr float kNvSmallest = 1e-30F;         // blocks below count as zero: the reciprocal would overflow
constexpr std::int64_t kNvScaleOffset = 320;  // of the scales in planes

// Integers of 16 columns; their scale is returned, NaN when a value is not finite.
TETRAD_SIMD_INLINE float nv_quantize(F32x16 x, F32x16& q) {
  const float largest = hmax(abs(x));
  const bool finite = mask_bits(less_equal(abs(x), set1(3.402823466e38F))) == 0xFFFFU;
  if (!finite || !(largest >= kNvSmallest)) {
    q = zero();
    return finite ? 0.0F : __builtin_nanf("");
  }
  q = round_nearest(x * set1(kNvMaxCode / largest));
  return largest / kNvMaxCode;
}

TETRAD_SIMD_INLINE F32x16 nv_block(const float* x, std::int64_t k, std::int64_t at) {
  return at + 16 <= k ? load(x + at) : zero();  // k is a multiple of 16
}

void pack_nvfp4_row(const float* x, std::int64_t k, std::byte* out) {
  for (std::int64_t begin = 0; begin < k; begin += 128, out += kNvfp4PlaneBytes) {
    float scales[16];
    for (int block = 0; block < 8; ++block) {
      F32x16 q;
      scales[2 * block] = scales[2 * block + 1] = nv_quantize(nv_block(x, k, begin + 16 * block), q);
      nv_store_planes(q, block, out);
    }
    __builtin_memcpy(out + kNvScaleOffset, scales, 64);
  }
}

// The last, incomplete group, padded with zeros.
TETRAD_SIMD_INLINE void nv_tail(std::int64_t cols, const std::byte* codes, const std::byte* scales, std::byte* to_codes,
                                std::byte* to_scales) {
  __builtin_memset(to_codes, 0, 64);
  __builtin_memset(to_scales, 0, 8);
  __builtin_memcpy(to_codes, codes, static_cast<std::size_t>(cols % 128 / 2));
  __builtin_memcpy(to_scales, scales, static_cast<std::size_t>(cols % 128 / 16));
}

template <unsigned kM, unsigned kN>
TETRAD_SIMD_INLINE void nv_group(const std::byte* const* codes, const std::byte* const* scales, const std::byte* x,
                                 std::int64_t x_stride, F32x16 (*sums)[kM]) {
  if constexpr (kM == 1) {
    const NvPlanes planes = nv_planes(x);
#pragma GCC unroll 4
    for (unsigned j = 0; j < kN; ++j)
      sums[j][0] = nv_add_dot(nv_codes(codes[j]), nv_scales(scales[j]), planes, sums[j][0]);
  } else {
#pragma GCC unroll 4
    for (unsigned j = 0; j < kN; ++j) {
      const NvCodes w = nv_codes(codes[j]);
      const F32x16 scale = nv_scales(scales[j]);
#pragma GCC unroll 4
      for (unsigned i = 0; i < kM; ++i) sums[j][i] = nv_add_dot(w, scale, nv_planes(x + i * x_stride), sums[j][i]);
    }
  }
}

// The next block's codes are fetched in the order of their addresses, one stream: linear_simd.h. A block is small
// enough for L1 (a Zen 4: 16.5 GB/s with each row ahead of itself, 24 so, 22 if fetched into L2 only).
template <unsigned kM, unsigned kN>
inline void nv_direct_block(const RawWeight& w, std::int64_t row, const Nvfp4Args& args, std::int64_t n) {
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
  for (std::int64_t g = 0; g < w.cols / 128; ++g, x += kNvfp4PlaneBytes) {
    const std::byte* ahead = w.data + (row + n + kN) * row_bytes + g * 64 * kN;
    for (unsigned j = 0; j < kN; ++j) __builtin_prefetch(ahead + 64 * j);
    if (g % 8 == 0)
      for (unsigned j = 0; j < kN; ++j) __builtin_prefetch(scales[j] + std::int64_t{kN} * w.scale_cols);
    nv_group<kM, kN>(codes, scales, x, args.x_stride, sums);
    for (unsigned j = 0; j < kN; ++j) {
      codes[j] += 64;
      scales[j] += 8;
    }
  }
  if (w.cols % 128 != 0) {
    std::byte tail_codes[kN][64], tail_scales[kN][8];
    for (unsigned j = 0; j < kN; ++j) {
      nv_tail(w.cols, codes[j], scales[j], tail_codes[j], tail_scales[j]);
      codes[j] = tail_codes[j];
      scales[j] = tail_scales[j];
    }
    nv_group<kM, kN>(codes, scales, x, args.x_stride, sums);
  }
  for (unsigned j = 0; j < kN; ++j)
    for (unsigned i = 0; i < kM; ++i) args.y[i * args.y_stride + n + j] = nv_finish(sums[j][i], args);
}

template <unsigned kM>
inline void nv_direct(const RawWeight& w, std::int64_t row, const Nvfp4Args& args) {
  constexpr unsigned kN = kM <= 2 ? 4 : 2;
  std::int64_t n = 0;
  for (; n + kN <= args.n; n += kN) nv_direct_block<kM, kN>(w, row, args, n);
  for (; n < args.n; ++n) nv_direct_block<kM, 1>(w, row, args, n);
}

void multiply_nvfp4(const RawWeight& w, std::int64_t row, const Nvfp4Args& args) {
  Nvfp4Args part = args;
  for (std::int64_t left = args.m; left > 0; left -= 4, part.x += 4 * args.x_stride, part.y += 4 * args.y_stride) {
    switch (left) {
      case 1:
        nv_direct<1>(w, row, part);
        break;
      case 2:
        nv_direct<2>(w, row, part);
        break;
      case 3:
        nv_direct<3>(w, row, part);
        break;
      default:
        nv_direct<4>(w, row, part);
        break;
    }
  }
}

#include "kernels/nvfp4_tile_simd.h"

void fill_nvfp4(KernelTable& table) {
  table.pack_nvfp4_row = pack_nvfp4_row;
  table.multiply_nvfp4 = multiply_nvfp4;
  fill_nvfp4_tiles(table);
}
