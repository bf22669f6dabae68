// NVFP4 products of one or two rows of x without tiles, from integer dot products, with the bytes that amx_linear.h's
// tiles give. There a step adds, for each part of x, the exact sum of one block of 16 to that of another, rounded, then
// that to the running sum; blocks b of both halves of a group of 256 columns make a step, in ascending b. Here an exact
// sum is an integer times two scales, the second a power of two.
//
// A packed group of a row of x: 256 bytes of planes of the high parts cut off at -128 and 127, 256 of what that leaves,
// 256 of the low parts (nvfp4_simd.h), 16 x int32 kNvPartsMagic - 12 * sum of the high parts in a block, the same of
// the low ones, 16 x float 128 times the block's scale.
constexpr std::int64_t kNvPartsBytes = 960, kNvPartsRows = 2;
// The bits of 1.5 * 2^23: added to a sum n of less than 22 bits they are those of 1.5 * 2^23 + n, so that one
// multiply-add both converts and scales it.
constexpr std::int32_t kNvPartsMagic = 0x4B400000;

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
      const std::int32_t high = kNvPartsMagic + nv_offset(parts.high), low = kNvPartsMagic + nv_offset(parts.low);
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

// nv_codes with fewer instructions: a table of 64 takes whatever stands above a code's four bits, and one permutation
// of both loads swaps lanes.
TETRAD_SIMD_INLINE NvCodes nv_parts_codes(const std::byte* p) {
  __m512i first = nv_load(p), second = nv_load(p + 64);
  __asm__("" : "+v"(first), "+v"(second));  // one load, not one for each use: most cross a cache line
  const __m512i table =
      _mm512_broadcast_i32x4(_mm_setr_epi8(12, 13, 14, 15, 16, 18, 20, 24, 12, 11, 10, 9, 8, 6, 4, 0));
  const __m512i swapped = _mm512_setr_epi32(1, 16, 3, 18, 5, 20, 7, 22, 9, 24, 11, 26, 13, 28, 15, 30);
  const __m512i x = _mm512_mask_blend_epi32(0xAAAA, first, second);
  const __m512i y = _mm512_permutex2var_epi32(first, swapped, second);
  return {_mm512_permutexvar_epi8(x, table), _mm512_permutexvar_epi8(_mm512_srli_epi16(x, 4), table),
          _mm512_permutexvar_epi8(y, table), _mm512_permutexvar_epi8(_mm512_srli_epi16(y, 4), table)};
}

// A row of w and a group of a row of x: lanes 4 i, 4 i + 1 of the result are steps 2 i and 2 i + 1 of the high part
// over 256, the next two those of the low part.
TETRAD_SIMD_INLINE __m512 nv_parts_steps(const NvCodes& w, F32x16 w_scale, const NvPartsPlanes& x) {
  const __m512i high = nv_dot(nv_dot(x.high_offset, w, x.high), w, x.rest), low = nv_dot(x.low_offset, w, x.low);
  const __m512 scale = _mm512_mul_ps(w_scale.v, x.scale);  // six bits with the offset's two: all is exact
  const __m512 offset = _mm512_mul_ps(scale, _mm512_set1_ps(-0x1.8p23F));
  const __m512 a = _mm512_fmadd_ps(_mm512_castsi512_ps(high), scale, offset);
  const __m512 b = _mm512_fmadd_ps(_mm512_castsi512_ps(low), scale, offset);
  return _mm512_add_ps(_mm512_shuffle_ps(a, b, 0x88), _mm512_shuffle_ps(a, b, 0xDD));
}

// Scales of a group as nv_scales has them, but for NaN, which nv_parts_nan() looks for.
TETRAD_SIMD_INLINE F32x16 nv_parts_scales(const std::byte* p) {
  // Each to the upper half of 16 bits.
  const __m256i order = _mm256_setr_epi8(-1, 0, -1, 8, -1, 1, -1, 9, -1, 2, -1, 10, -1, 3, -1, 11, -1, 4, -1, 12, -1, 5,
                                         -1, 13, -1, 6, -1, 14, -1, 7, -1, 15);
  const __m256i both = _mm256_broadcastsi128_si256(_mm_loadu_si128(reinterpret_cast<const __m128i_u*>(p)));
  const __m256i half = _mm256_srai_epi16(_mm256_shuffle_epi8(both, order), 1);
  return {_mm512_cvtph_ps(_mm256_and_si256(half, _mm256_set1_epi16(static_cast<short>(0xBFFF))))};
}
TETRAD_SIMD_INLINE bool nv_parts_nan(const std::byte* scales, std::int64_t count) {
  const __m512i magnitude = _mm512_set1_epi8(0x7F);
  __mmask64 nan = 0;
  for (std::int64_t at = 0; at < count; at += 64) {
    const std::int64_t left = count - at;
    const __mmask64 there = left >= 64 ? ~__mmask64{0} : (__mmask64{1} << left) - 1;
    const __m512i codes = _mm512_maskz_loadu_epi8(there, scales + at);
    nan |= _mm512_cmpeq_epi8_mask(_mm512_and_si512(codes, magnitude), magnitude);
  }
  return nan != 0;
}

// Adds a group's eight steps of eight rows of w to their sums: both parts of rows i and i + 1 lie at lane
// 4 * kNvPartsAt[i / 2].
constexpr std::int64_t kNvPartsBlock = 8;
constexpr int kNvPartsAt[4] = {0, 2, 1, 3};
TETRAD_SIMD_INLINE __m512 nv_parts_add(const __m512* rows, __m512 sum) {
  __m512 quads[2][4];  // [even rows, odd rows][pair of steps]: both parts of four rows
#pragma GCC unroll 2
  for (int i = 0; i < 2; ++i) {
    const __m512 a = _mm512_shuffle_f32x4(rows[i], rows[i + 4], 0x44),
                 b = _mm512_shuffle_f32x4(rows[i], rows[i + 4], 0xEE);
    const __m512 c = _mm512_shuffle_f32x4(rows[i + 2], rows[i + 6], 0x44);
    const __m512 d = _mm512_shuffle_f32x4(rows[i + 2], rows[i + 6], 0xEE);
    quads[i][0] = _mm512_shuffle_f32x4(a, c, 0x88);
    quads[i][1] = _mm512_shuffle_f32x4(a, c, 0xDD);
    quads[i][2] = _mm512_shuffle_f32x4(b, d, 0x88);
    quads[i][3] = _mm512_shuffle_f32x4(b, d, 0xDD);
  }
#pragma GCC unroll 4
  for (int q = 0; q < 4; ++q) {
    sum = _mm512_add_ps(sum, _mm512_shuffle_ps(quads[0][q], quads[1][q], 0x88));
    sum = _mm512_add_ps(sum, _mm512_shuffle_ps(quads[0][q], quads[1][q], 0xDD));
  }
  return sum;
}

// Rows of w that are taken side by side. Far apart: each then begins a stream of rows one behind another, and the
// hardware fetches eight streams ahead where it doesn't keep up with one. kNvPartsAhead bytes of each are fetched
// besides.
struct NvPartsRows {
  const std::byte *codes[kNvPartsBlock], *scales[kNvPartsBlock];  // of rows that are not there: another's
};
constexpr std::int64_t kNvPartsAhead = 512;

// Group g of all rows, of `columns` columns.
template <unsigned kM, bool kWhole>
TETRAD_SIMD_INLINE void nv_parts_group(const NvPartsRows& w, std::int64_t g, std::int64_t columns, const std::byte* x,
                                       std::int64_t x_stride, __m512* sums) {
  __m512 rows[kM][kNvPartsBlock];
#pragma GCC unroll 8
  for (std::int64_t i = 0; i < kNvPartsBlock; ++i) {
    const std::byte* codes = w.codes[i] + 128 * g;
    const std::byte* scales = w.scales[i] + 16 * g;
    std::byte tail[128 + 16];
    if constexpr (!kWhole) {
      __builtin_memset(tail, 0, sizeof tail);
      __builtin_memcpy(tail, codes, static_cast<std::size_t>(columns / 2));
      __builtin_memcpy(tail + 128, scales, static_cast<std::size_t>(columns / 16));
      codes = tail;
      scales = tail + 128;
    } else {
      __builtin_prefetch(codes + kNvPartsAhead, 0, 2);
      __builtin_prefetch(codes + kNvPartsAhead + 64, 0, 2);
      __builtin_prefetch(scales + 256, 0, 2);
    }
    const NvCodes code = nv_parts_codes(codes);
    const F32x16 scale = nv_parts_scales(scales);
#pragma GCC unroll 2
    for (unsigned m = 0; m < kM; ++m)
      rows[m][i] = nv_parts_steps(code, scale, nv_parts_planes(x + m * x_stride + g * kNvPartsBytes));
  }
  for (unsigned m = 0; m < kM; ++m) sums[m] = nv_parts_add(rows[m], sums[m]);
}

// `count` <= 8 rows of w from args' row n on, `apart` rows apart.
template <unsigned kM>
inline void nv_parts_block(const RawWeight& weight, std::int64_t row, const Nvfp4Args& args, std::int64_t n,
                           std::int64_t apart, std::int64_t count) {
  const std::int64_t whole = weight.cols / kNvfp4Columns, rest = weight.cols % kNvfp4Columns;
  NvPartsRows w;
  for (std::int64_t i = 0; i < kNvPartsBlock; ++i) {
    const std::int64_t at = row + n + (i < count ? i : 0) * apart;
    w.codes[i] = weight.data + at * weight.cols / 2;
    w.scales[i] = weight.scales + at * weight.scale_cols;
  }
  __m512 sums[kM];
  for (unsigned m = 0; m < kM; ++m) sums[m] = _mm512_setzero_ps();
  for (std::int64_t g = 0; g < whole; ++g) nv_parts_group<kM, true>(w, g, kNvfp4Columns, args.x, args.x_stride, sums);
  if (rest > 0) nv_parts_group<kM, false>(w, whole, rest, args.x, args.x_stride, sums);
  float results[kM][16];
  for (unsigned m = 0; m < kM; ++m) {  // both parts, which lie side by side
    const __m512 high = _mm512_mul_ps(sums[m], _mm512_set1_ps(256.0F)), low = _mm512_permute_ps(sums[m], 0xB1);
    F32x16 value = F32x16{_mm512_add_ps(high, low)} * set1(weight.tensor_scale);
    if (args.bf16) value = round_bf16(value);
    store(results[m], value);
  }
  for (std::int64_t i = 0; i < count; ++i) {
    const bool nan = nv_parts_nan(w.scales[i], weight.scale_cols);
    for (unsigned m = 0; m < kM; ++m)
      args.y[m * args.y_stride + n + i * apart] =
          nan ? __builtin_nanf("") : results[m][4 * kNvPartsAt[i / 2] + 2 * (i % 2)];
  }
}

template <unsigned kM>
inline void nv_parts_rows(const RawWeight& w, std::int64_t row, const Nvfp4Args& args) {
  const std::int64_t apart = args.n / kNvPartsBlock, even = apart * kNvPartsBlock;
  for (std::int64_t n = 0; n < apart; ++n) nv_parts_block<kM>(w, row, args, n, apart, kNvPartsBlock);
  if (even < args.n) nv_parts_block<kM>(w, row, args, even, 1, args.n - even);
}

void multiply_nvfp4_parts(const RawWeight& w, std::int64_t row, const Nvfp4Args& args) {
  if (args.m == 1)
    nv_parts_rows<1>(w, row, args);
  else
    nv_parts_rows<2>(w, row, args);
}
