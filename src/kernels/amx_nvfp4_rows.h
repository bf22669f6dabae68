// NVFP4 products of one or two rows of x without tiles, from integer dot products, with the bytes that amx_linear.h's
// tiles give. There a step adds, for each part of x, the exact sum of one block of 16 to that of another, rounded, then
// that to the running sum; blocks b of both halves of a group of 256 columns make a step, in ascending b. Here an exact
// sum is an integer times two scales, the second a power of two.
//
// A packed group of a row of x: 256 bytes of planes of the high bytes, 256 of the low ones (nvfp4_simd.h), 16 x int32 -12
// * sum of the high bytes in a block, the same of the low ones, 16 x float 128 times the block's scale.
constexpr std::int64_t kNvPartsBytes = 704, kNvPartsRows = 2;

// A block of x as scale * (256 high + low), the scale a power of two, high within +-127, low from -128 to 127.
struct NvParts {
  F32x16 high, low;
  float scale;
};
// Blocks of smaller values count as zero: products of low parts would come below F32's normal range, where tiles count
// them as zero themselves.
constexpr float kNvPartsSmallest = 0x1p-80F;
TETRAD_SIMD_INLINE NvParts nv_parts(F32x16 x) {
  const float largest = hmax(abs(x));
  const bool finite = mask_bits(less_equal(abs(x), set1(3.402823466e38F))) == 0xFFFFU;
  if (!finite || !(largest >= kNvPartsSmallest)) {
    const float scale = finite ? 0.0F : __builtin_nanf("");
    return {zero(), zero(), scale};
  }
  const std::uint32_t ratio = std::bit_cast<std::uint32_t>(largest / 32639.0F);
  const std::uint32_t exponent = (ratio + 0x7FFFFFU) >> 23;  // the next power of two
  const float scale = std::bit_cast<float>(exponent << 23), inverse = std::bit_cast<float>((254 - exponent) << 23);
  const F32x16 q = round_nearest(x * set1(inverse));
  const F32x16 high = round_nearest((q + set1(0.25F)) * set1(0x1p-8F));  // halves up
  return {high, q - high * set1(256.0F), scale};
}

void pack_nvfp4_parts(const float* x, std::int64_t k, std::byte* out) {
  for (std::int64_t begin = 0; begin < k; begin += kNvfp4Columns, out += kNvPartsBytes)
    for (int block = 0; block < 16; ++block) {
      const NvParts parts = nv_parts(nv_block(x, k, begin + 16 * block));
      nv_store_bytes(parts.high, block, out);
      nv_store_bytes(parts.low, block, out + 256);
      const std::int32_t high = nv_offset(parts.high), low = nv_offset(parts.low);
      const float scale = parts.scale * 128.0F;
      std::byte* behind = out + 512 + 4 * nv_lane(block);
      __builtin_memcpy(behind, &high, 4);
      __builtin_memcpy(behind + 64, &low, 4);
      __builtin_memcpy(behind + 128, &scale, 4);
    }
}

// A row of w and a group of a row of x: lanes 4 i, 4 i + 1 of the result are steps 2 i and 2 i + 1 of the high part,
// the next two those of the low part.
TETRAD_SIMD_INLINE __m512 nv_parts_steps(const NvCodes& w, F32x16 w_scale, const std::byte* x) {
  const __m512i high = nv_dot(nv_load(x + 512), w, nv_bytes(x));
  const __m512i low = nv_dot(nv_load(x + 576), w, nv_bytes(x + 256));
  const __m512 scale = _mm512_mul_ps(w_scale.v, _mm512_castsi512_ps(nv_load(x + 640)));
  const __m512 a = _mm512_mul_ps(_mm512_cvtepi32_ps(_mm512_slli_epi32(high, 8)), scale);
  const __m512 b = _mm512_mul_ps(_mm512_cvtepi32_ps(low), scale);
  return _mm512_add_ps(_mm512_shuffle_ps(a, b, 0x88), _mm512_shuffle_ps(a, b, 0xDD));
}

// 16 rows of w, the last `rows` < 16 of them once more where there are no others.
template <unsigned kM>
inline void nv_parts_block(const RawWeight& w, std::int64_t row, std::int64_t rows, const Nvfp4Args& args,
                           std::int64_t n) {
  constexpr std::int64_t kCodes = kNvfp4Columns / 2, kScales = kNvfp4Columns / 16;
  alignas(64) float steps[kM][16][16], columns[16][16];
  F32x16 high[kM], low[kM];
  for (unsigned m = 0; m < kM; ++m) high[m] = low[m] = zero();
  const std::int64_t row_bytes = w.cols / 2;
  const std::byte* first = w.data + (row + n) * row_bytes;
  const std::byte* first_scale = w.scales + (row + n) * w.scale_cols;
  for (std::int64_t g = 0; g < nvfp4_groups(w.cols); ++g) {
    const bool whole = (g + 1) * kNvfp4Columns <= w.cols;
    const std::byte* ahead = first + 16 * row_bytes + g * 16 * kCodes;  // linear_simd.h says why
    for (std::int64_t i = 0; i < 16; ++i) {
      const std::int64_t at = i < rows ? i : rows - 1;
      const std::byte* codes = first + at * row_bytes + g * kCodes;
      const std::byte* scales = first_scale + at * w.scale_cols + g * kScales;
      __builtin_prefetch(ahead + i * kCodes, 0, 2);
      __builtin_prefetch(ahead + i * kCodes + 64, 0, 2);
      if (g % 4 == 0) __builtin_prefetch(scales + 16 * w.scale_cols, 0, 2);
      std::byte tail_codes[kCodes], tail_scales[kScales];
      if (!whole) {
        nv_tail(w.cols, codes, scales, tail_codes, tail_scales);
        codes = tail_codes;
        scales = tail_scales;
      }
      const NvCodes code = nv_codes(codes);
      const F32x16 scale = nv_scales(scales);
#pragma GCC unroll 2
      for (unsigned m = 0; m < kM; ++m)
        _mm512_store_ps(steps[m][i], nv_parts_steps(code, scale, args.x + m * args.x_stride + g * kNvPartsBytes));
    }
#pragma GCC unroll 2
    for (unsigned m = 0; m < kM; ++m) {
      tile_transpose(reinterpret_cast<const std::byte*>(steps[m]), 64, columns[0], 16);
      for (int i = 0; i < 16; i += 4) {
        high[m] = (high[m] + load(columns[i])) + load(columns[i + 1]);
        low[m] = (low[m] + load(columns[i + 2])) + load(columns[i + 3]);
      }
    }
  }
  for (unsigned m = 0; m < kM; ++m) {
    F32x16 value = (high[m] + low[m]) * set1(w.tensor_scale);
    if (args.bf16) value = round_bf16(value);
    float* y = args.y + m * args.y_stride + n;
    if (rows == 16)
      store(y, value);
    else
      store_partial(y, value, static_cast<int>(rows));
  }
}

void multiply_nvfp4_parts(const RawWeight& w, std::int64_t row, const Nvfp4Args& args) {
  for (std::int64_t n = 0; n < args.n; n += 16) {
    const std::int64_t rows = args.n - n < 16 ? args.n - n : 16;
    if (args.m == 1)
      nv_parts_block<1>(w, row, rows, args, n);
    else
      nv_parts_block<2>(w, row, rows, args, n);
  }
}
