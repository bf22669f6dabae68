// NVFP4 products of one or two rows of x without tiles, from integer dot products, with the bytes that amx_linear.h's
// tiles give. There a step adds, for each part of x, the exact sum of one block of 16 to that of another, rounded, then
// that to the running sum; blocks b of both halves of a group of 256 columns make a step, in ascending b. Here an exact
// sum is an integer times two scales, the second a power of two.
//
// A packed group of a row of x: 256 bytes of planes of the high parts cut off at -128 and 127, 256 of what that leaves,
// 256 of the low parts (nvfp4_simd.h), 16 x int32 -12 * sum of the high parts in a block, the same of the low ones, 16
// x float 128 times the block's scale.
constexpr std::int64_t kNvPartsBytes = 960, kNvPartsRows = 2;

// A block of x as scale * (256 high + low), the scale a power of two, high within +-254, low from -128 to 127. BF16
// holds such a high part, a byte doesn't: it makes up for a scale that may be almost twice as large as it had to be.
struct NvParts {
  F32x16 high, low;
  float scale;
};
// Blocks of smaller values count as zero: products of low parts would come below F32's normal range, where tiles count
// them as zero themselves. Larger ones count as not finite: as tiles scale them they would not be.
constexpr float kNvPartsSmallest = 0x1p-76F, kNvPartsLargest = 0x1p37F;
TETRAD_SIMD_INLINE NvParts nv_parts(F32x16 x) {
  const float largest = hmax(abs(x));
  const bool finite = mask_bits(less_equal(abs(x), set1(kNvPartsLargest))) == 0xFFFFU;
  if (!finite || !(largest >= kNvPartsSmallest)) {
    const float scale = finite ? 0.0F : __builtin_nanf("");
    return {zero(), zero(), scale};
  }
  const std::uint32_t ratio = std::bit_cast<std::uint32_t>(largest / 65151.0F);
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
      const F32x16 cut = max(min(parts.high, set1(127.0F)), set1(-128.0F));
      nv_store_bytes(cut, block, out);
      nv_store_bytes(parts.high - cut, block, out + 256);
      nv_store_bytes(parts.low, block, out + 512);
      const std::int32_t high = nv_offset(parts.high), low = nv_offset(parts.low);
      const float scale = parts.scale * 128.0F;
      std::byte* behind = out + 768 + 4 * nv_lane(block);
      __builtin_memcpy(behind, &high, 4);
      __builtin_memcpy(behind + 64, &low, 4);
      __builtin_memcpy(behind + 128, &scale, 4);
    }
}

struct NvPartsPlanes {
  NvBytes high, rest, low;
  __m512i high_offset, low_offset;
  __m512 scale;
};
TETRAD_SIMD_INLINE NvPartsPlanes nv_parts_planes(const std::byte* p) {
  return {nv_bytes(p),      nv_bytes(p + 256), nv_bytes(p + 512),
          nv_load(p + 768), nv_load(p + 832),  _mm512_castsi512_ps(nv_load(p + 896))};
}

// A row of w and a group of a row of x: lanes 4 i, 4 i + 1 of the result are steps 2 i and 2 i + 1 of the high part,
// the next two those of the low part.
TETRAD_SIMD_INLINE __m512 nv_parts_steps(const NvCodes& w, F32x16 w_scale, const NvPartsPlanes& x) {
  const __m512i high = nv_dot(nv_dot(x.high_offset, w, x.high), w, x.rest), low = nv_dot(x.low_offset, w, x.low);
  const __m512 scale = _mm512_mul_ps(w_scale.v, x.scale);
  const __m512 a = _mm512_mul_ps(_mm512_cvtepi32_ps(_mm512_slli_epi32(high, 8)), scale);
  const __m512 b = _mm512_mul_ps(_mm512_cvtepi32_ps(low), scale);
  return _mm512_add_ps(_mm512_shuffle_ps(a, b, 0x88), _mm512_shuffle_ps(a, b, 0xDD));
}

// The scales of two groups, as nv_scales has them.
TETRAD_SIMD_INLINE __m128i nv_parts_interleave(const std::byte* p) {
  return _mm_unpacklo_epi8(_mm_loadl_epi64(reinterpret_cast<const __m128i_u*>(p)),
                           _mm_loadl_epi64(reinterpret_cast<const __m128i_u*>(p + 8)));
}
TETRAD_SIMD_INLINE void nv_parts_scales(const std::byte* p, F32x16* out) {
  const __m512i codes = _mm512_cvtepi8_epi16(_mm256_set_m128i(nv_parts_interleave(p + 16), nv_parts_interleave(p)));
  const __m512i half = _mm512_and_si512(_mm512_slli_epi16(codes, 7), _mm512_set1_epi16(static_cast<short>(0xBFFF)));
  const __m512i magnitude = _mm512_and_si512(half, _mm512_set1_epi16(0x3FFF));
  const __mmask32 nan = _mm512_cmpeq_epi16_mask(magnitude, _mm512_set1_epi16(0x3F80));
  const __m512i both = _mm512_mask_mov_epi16(half, nan, _mm512_set1_epi16(0x7E00));
  out[0] = {_mm512_cvtph_ps(_mm512_castsi512_si256(both))};
  out[1] = {_mm512_cvtph_ps(_mm512_extracti64x4_epi64(both, 1))};
}

// Groups taken at a time: all of 3072 columns, so that rows of w are read one after another as they lie. One stream, of
// which lines kNvPartsAhead bytes ahead are fetched: a Xeon's two cores took 18.6 ms for what took 20.4 with 16 rows
// side by side, and 24 if nothing is fetched.
constexpr std::int64_t kNvPartsGroups = 12, kNvPartsAhead = 4096;
template <unsigned kM>
struct NvPartsSteps {
  alignas(64) float of[kM][kNvPartsGroups][16][16];  // [row of x][group][row of w]
};

// A row of w and `groups` groups, the last of which may have but `last` columns.
template <unsigned kM>
TETRAD_SIMD_INLINE void nv_parts_row(const std::byte* codes, const std::byte* scales, std::int64_t groups,
                                     std::int64_t last, const std::byte* x, std::int64_t x_stride, std::int64_t row,
                                     NvPartsSteps<kM>& steps) {
  std::byte tail_codes[128], tail_scales[32] = {};
  for (std::int64_t g = 0; g < groups; g += 2) {
    const bool pair = g + 1 < groups;
    F32x16 scale[2];
    if (pair && (g + 2 < groups || last == kNvfp4Columns)) {
      nv_parts_scales(scales + 16 * g, scale);
    } else {
      const std::int64_t left = (pair ? kNvfp4Columns : 0) + last;
      __builtin_memcpy(tail_scales, scales + 16 * g, static_cast<std::size_t>(left / 16));
      nv_parts_scales(tail_scales, scale);
    }
    for (int j = 0; j < 1 + pair; ++j) {
      const std::byte* at = codes + 128 * (g + j);
      if (g + j + 1 == groups && last < kNvfp4Columns) {
        __builtin_memset(tail_codes, 0, 128);
        __builtin_memcpy(tail_codes, at, static_cast<std::size_t>(last / 2));
        at = tail_codes;
      }
      for (std::int64_t line = 0; line < 128; line += 64)
        __builtin_prefetch(codes + 128 * (g + j) + kNvPartsAhead + line, 0, 2);
      const NvCodes code = nv_codes(at);
#pragma GCC unroll 2
      for (unsigned m = 0; m < kM; ++m)
        _mm512_store_ps(steps.of[m][g + j][row],
                        nv_parts_steps(code, scale[j], nv_parts_planes(x + m * x_stride + (g + j) * kNvPartsBytes)));
    }
  }
}

// 16 rows of w, or the last `rows` of them.
template <unsigned kM>
inline void nv_parts_block(const RawWeight& w, std::int64_t row, std::int64_t rows, const Nvfp4Args& args,
                           std::int64_t n) {
  NvPartsSteps<kM> steps;
  alignas(64) float columns[16][16];
  F32x16 high[kM], low[kM];
  for (unsigned m = 0; m < kM; ++m) high[m] = low[m] = zero();
  if (rows < 16) __builtin_memset(&steps, 0, sizeof steps);
  constexpr std::int64_t kSpan = kNvPartsGroups * kNvfp4Columns;
  for (std::int64_t begin = 0; begin < w.cols; begin += kSpan) {
    const std::int64_t cols = w.cols - begin < kSpan ? w.cols - begin : kSpan, groups = nvfp4_groups(cols);
    const std::int64_t last = cols - (groups - 1) * kNvfp4Columns;
    for (std::int64_t i = 0; i < rows; ++i)
      nv_parts_row<kM>(w.data + ((row + n + i) * w.cols + begin) / 2,
                       w.scales + (row + n + i) * w.scale_cols + begin / 16, groups, last,
                       args.x + begin / kNvfp4Columns * kNvPartsBytes, args.x_stride, i, steps);
    for (unsigned m = 0; m < kM; ++m)
      for (std::int64_t g = 0; g < groups; ++g) {
        tile_transpose(reinterpret_cast<const std::byte*>(steps.of[m][g]), 64, columns[0], 16);
#pragma GCC unroll 4
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
