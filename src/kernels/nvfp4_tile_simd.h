// NVFP4 products of many rows: nvfp4_simd.h's arithmetic, tile_simd.h's layout. A result's lane d is dword d of each
// group of 128 columns; here dword d of a whole tile is computed at a time, rows of w as lanes. 1.5 times as fast as
// with dwords as lanes, for the same reason as there.
//
// Sums of integers are exact in any order, so a target may put the 8 columns of a dword into pairs as suits its
// decoder.
//
// Packed w: [dword][group] of 4 pairs of 16-bit integers and a scale (as a float), kNtN of each; packed x: the same,
// kNtM of each. A panel is several tiles of w one behind another: x passes once a panel. Included behind
// nvfp4_simd.h.
#include "kernels/simd/tile_transpose.h"

#if TETRAD_SIMD_TARGET == TETRAD_SIMD_AVX512
constexpr unsigned kNtM = 8, kNtVectors = 2, kNtLanes = 16, kNtPanel = 2;
struct NtWords {
  __m512i v;
};
TETRAD_SIMD_INLINE NtWords nt_load(const std::int32_t* p) { return {_mm512_loadu_si512(p)}; }
TETRAD_SIMD_INLINE NtWords nt_set1(std::int32_t x) { return {_mm512_set1_epi32(x)}; }
TETRAD_SIMD_INLINE Part nt_dot(const NtWords* w, const NtWords* x) {
  __m512i sum = _mm512_madd_epi16(w[0].v, x[0].v);
  sum = _mm512_dpwssd_epi32(sum, w[1].v, x[1].v);
  sum = _mm512_dpwssd_epi32(sum, w[2].v, x[2].v);
  sum = _mm512_dpwssd_epi32(sum, w[3].v, x[3].v);
  return {_mm512_cvtepi32_ps(sum)};
}
// Dwords of 8 codes, one of each lane's row, to 4 vectors of pairs, `stride` apart. vpermw reads 5 bits of an index:
// the table holds its 16 values twice, so the bit above a code may be anything.
TETRAD_SIMD_INLINE void nt_decode(const float* dwords, std::int32_t* out, std::int64_t stride) {
  const __m512i raw = _mm512_loadu_si512(dwords);
  const __m256i half = _mm256_setr_epi16(0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12);
  const __m512i table = _mm512_broadcast_i64x4(half);
  const __m512i low[4] = {raw, _mm512_srli_epi32(raw, 8), _mm512_srli_epi32(raw, 16), _mm512_srli_epi32(raw, 24)};
  const __m512i high[4] = {_mm512_slli_epi32(raw, 12), _mm512_slli_epi32(raw, 4), _mm512_srli_epi32(raw, 4),
                           _mm512_srli_epi32(raw, 12)};
#pragma GCC unroll 4
  for (int j = 0; j < 4; ++j) {
    const __m512i index = _mm512_mask_mov_epi16(low[j], 0xAAAAAAAAU, high[j]);
    _mm512_storeu_si512(out + j * stride, _mm512_permutexvar_epi16(index, table));
  }
}
// The scales of 8 blocks of 16 rows: block b's to out + 2 b * stride and out + (2 b + 1) * stride.
TETRAD_SIMD_INLINE void nt_scales(const std::byte* const* rows, float* out, std::int64_t stride) {
  std::uint64_t raw[16];
  for (int i = 0; i < 16; ++i) __builtin_memcpy(raw + i, rows[i], 8);
  const __m512i first = _mm512_loadu_si512(raw), second = _mm512_loadu_si512(raw + 8);
#pragma GCC unroll 8
  for (unsigned b = 0; b < 8; ++b) {
    const __m128i low = _mm512_cvtepi64_epi8(_mm512_srli_epi64(first, 8 * b));
    const __m128i high = _mm512_cvtepi64_epi8(_mm512_srli_epi64(second, 8 * b));
    const __m256i codes = _mm256_cvtepi8_epi16(_mm_unpacklo_epi64(low, high));
    const __m256i half = _mm256_and_si256(_mm256_slli_epi16(codes, 7), _mm256_set1_epi16(static_cast<short>(0xBFFF)));
    const __m256i magnitude = _mm256_and_si256(half, _mm256_set1_epi16(0x3FFF));
    const __m256i nan = _mm256_cmpeq_epi16(magnitude, _mm256_set1_epi16(0x3F80));
    const __m512 scales = _mm512_cvtph_ps(_mm256_or_si256(half, _mm256_and_si256(nan, _mm256_set1_epi16(0x7C00))));
    _mm512_storeu_ps(out + 2 * b * stride, scales);
    _mm512_storeu_ps(out + (2 * b + 1) * stride, scales);
  }
}
#elif TETRAD_SIMD_TARGET == TETRAD_SIMD_AVX2
// One vector of w: with two the operands don't fit 16 registers (0.75 of the F32 peak from L1 instead of 0.96, Zen 3).
constexpr unsigned kNtM = 4, kNtVectors = 1, kNtLanes = 8, kNtPanel = 4;
struct NtWords {
  __m256i v;
};
TETRAD_SIMD_INLINE NtWords nt_load(const std::int32_t* p) {
  return {_mm256_loadu_si256(reinterpret_cast<const __m256i_u*>(p))};
}
TETRAD_SIMD_INLINE NtWords nt_set1(std::int32_t x) { return {_mm256_set1_epi32(x)}; }
TETRAD_SIMD_INLINE Part nt_dot(const NtWords* w, const NtWords* x) {
  const __m256i a = _mm256_add_epi32(_mm256_madd_epi16(w[0].v, x[0].v), _mm256_madd_epi16(w[1].v, x[1].v));
  const __m256i b = _mm256_add_epi32(_mm256_madd_epi16(w[2].v, x[2].v), _mm256_madd_epi16(w[3].v, x[3].v));
  return {_mm256_cvtepi32_ps(_mm256_add_epi32(a, b))};
}
// Columns (0, 4), (2, 6), (1, 5), (3, 7) are pairs: so a byte becomes a 16-bit integer where it is.
TETRAD_SIMD_INLINE void nt_decode(const float* dwords, std::int32_t* out, std::int64_t stride) {
  const __m256i raw = _mm256_castps_si256(_mm256_loadu_ps(dwords)), mask = _mm256_set1_epi8(0x0F);
  const __m256i table =
      _mm256_broadcastsi128_si256(_mm_setr_epi8(0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12));
  const __m256i bytes[2] = {_mm256_shuffle_epi8(table, _mm256_and_si256(raw, mask)),
                            _mm256_shuffle_epi8(table, _mm256_and_si256(_mm256_srli_epi16(raw, 4), mask))};
#pragma GCC unroll 2
  for (int odd = 0; odd < 2; ++odd) {
    const __m256i low = _mm256_srai_epi16(_mm256_slli_epi16(bytes[odd], 8), 8), high = _mm256_srai_epi16(bytes[odd], 8);
    _mm256_storeu_si256(reinterpret_cast<__m256i_u*>(out + 2 * odd * stride), low);
    _mm256_storeu_si256(reinterpret_cast<__m256i_u*>(out + (2 * odd + 1) * stride), high);
  }
}
TETRAD_SIMD_INLINE void nt_scales(const std::byte* const* rows, float* out, std::int64_t stride) {
  float scales[8][16];
  for (int i = 0; i < 8; ++i) store(scales[i], nv_scales(rows[i]));
  tile_transpose(reinterpret_cast<const std::byte*>(scales), 64, out, stride);
}
#endif

#if TETRAD_SIMD_TARGET != TETRAD_SIMD_SCALAR
constexpr unsigned kNtN = kNtVectors * kNtLanes;
constexpr unsigned kNtGroup = 4;  // tiles of x that go over a dword of w while it is in L1

void pack_nvfp4_x_tile(const float* x, std::int64_t x_stride, std::int64_t rows, std::int64_t k, std::byte* out) {
  const std::int64_t groups = (k + 127) / 128, dword = nvfp4_tile_dword(k, kNtM);
  auto* to = reinterpret_cast<std::int32_t*>(out);
  if (rows < kNtM) __builtin_memset(out, 0, static_cast<std::size_t>(16 * dword) * 4);
  for (std::int64_t i = 0; i < rows; ++i)
    for (std::int64_t block = 0; block < 8 * groups; ++block) {
      F32x16 q;
      const float scale = nv_quantize(nv_block(x + i * x_stride, k, 16 * block), q);
      std::int32_t pairs[8];
      nv_pairs(q, pairs);
      for (std::int64_t d = 0; d < 2; ++d) {
        std::int32_t* at = to + (2 * (block % 8) + d) * dword + block / 8 * 5 * kNtM + i;
        for (std::int64_t p = 0; p < 4; ++p) at[p * kNtM] = pairs[4 * d + p];
        __builtin_memcpy(at + 4 * kNtM, &scale, 4);
      }
    }
}

// What row `row` is read at kNtPrefetch bytes later; behind its end, the row that takes its place.
constexpr std::int64_t kNtPrefetch = 512;
TETRAD_SIMD_INLINE const std::byte* nt_ahead(const RawWeight& w, std::int64_t row, std::int64_t at) {
  const std::int64_t bytes = w.cols / 2, ahead = at + kNtPrefetch;
  return w.data + (ahead < bytes ? row * bytes + ahead : (row + kNtLanes) * bytes + ahead - bytes);
}

// kNtLanes rows of w, from `row` on (`count` of them, the rest zeros), to columns n .. of a tile.
inline void pack_nvfp4_w_rows(const RawWeight& w, std::int64_t row, std::int64_t count, std::int64_t n,
                              std::int32_t* out) {
  const std::int64_t groups = (w.cols + 127) / 128, dword = nvfp4_tile_dword(w.cols, kNtN);
  alignas(64) float columns[16][kNtLanes];
  alignas(64) std::byte codes[kNtLanes][64];  // of a group that ends early, or of rows that are not there
  std::byte scales[kNtLanes][8];
  __builtin_memset(codes, 0, sizeof codes);
  __builtin_memset(scales, 0, sizeof scales);
  for (std::int64_t g = 0; g < groups; ++g) {
    const bool whole = count == kNtLanes && 128 * g + 128 <= w.cols;
    const std::byte* scale[kNtLanes];
    for (std::int64_t i = 0; i < kNtLanes; ++i) {
      const std::byte* at = w.scales + (row + i) * w.scale_cols + 8 * g;
      scale[i] = whole ? at : scales[i];
      if (whole || i >= count) continue;
      const std::int64_t left = w.cols - 128 * g < 128 ? w.cols - 128 * g : 128;
      __builtin_memset(codes[i], 0, 64);
      __builtin_memset(scales[i], 0, 8);
      __builtin_memcpy(codes[i], w.data + (row + i) * (w.cols / 2) + 64 * g, static_cast<std::size_t>(left / 2));
      __builtin_memcpy(scales[i], at, static_cast<std::size_t>(left / 16));
    }
    for (std::int64_t i = 0; i < kNtLanes; ++i) __builtin_prefetch(nt_ahead(w, row + i, 64 * g));
    const std::byte* from = whole ? w.data + row * (w.cols / 2) + 64 * g : codes[0];
    tile_transpose(from, whole ? w.cols / 2 : 64, columns[0], kNtLanes);
    std::int32_t* to = out + g * 5 * kNtN + n;
    for (std::int64_t d = 0; d < 16; ++d) nt_decode(columns[d], to + d * dword, kNtN);
    nt_scales(scale, reinterpret_cast<float*>(to + 4 * kNtN), dword);
  }
}

void pack_nvfp4_w_tile(const RawWeight& w, std::int64_t row, std::int64_t count, std::byte* out) {
  for (std::int64_t n = 0; n < kNtN; n += kNtLanes) {
    const std::int64_t left = count - n;
    pack_nvfp4_w_rows(w, row + n, left < 0 ? 0 : (left < kNtLanes ? left : kNtLanes), n,
                      reinterpret_cast<std::int32_t*>(out));
  }
}

// sums[kNtM][kNtN] of one dword of all groups.
inline void nt_dword(const std::int32_t* x, const std::int32_t* w, std::int64_t groups, float* sums) {
  Part acc[kNtM][kNtVectors];
#pragma GCC unroll 8
  for (unsigned i = 0; i < kNtM; ++i)
#pragma GCC unroll 8
    for (unsigned j = 0; j < kNtVectors; ++j) acc[i][j] = part_zero();
  for (std::int64_t g = 0; g < groups; ++g, x += 5 * kNtM, w += 5 * kNtN) {
    NtWords words[kNtVectors][4];
    Part scale[kNtVectors];
#pragma GCC unroll 8
    for (unsigned j = 0; j < kNtVectors; ++j) {
#pragma GCC unroll 4
      for (unsigned p = 0; p < 4; ++p) words[j][p] = nt_load(w + p * kNtN + j * kNtLanes);
      scale[j] = part_load(reinterpret_cast<const float*>(w + 4 * kNtN + j * kNtLanes));
    }
#pragma GCC unroll 8
    for (unsigned i = 0; i < kNtM; ++i) {
      NtWords xk[4];
#pragma GCC unroll 4
      for (unsigned p = 0; p < 4; ++p) xk[p] = nt_set1(x[p * kNtM + i]);
      const Part x_scale = part_set1(reinterpret_cast<const float*>(x)[4 * kNtM + i]);
#pragma GCC unroll 8
      for (unsigned j = 0; j < kNtVectors; ++j)
        acc[i][j] = part_fma(nt_dot(words[j], xk), part_mul(scale[j], x_scale), acc[i][j]);
    }
  }
#pragma GCC unroll 8
  for (unsigned i = 0; i < kNtM; ++i)
#pragma GCC unroll 8
    for (unsigned j = 0; j < kNtVectors; ++j) part_store(sums + i * kNtN + j * kNtLanes, acc[i][j]);
}

// hsum's tree over the dwords, then the results of `rows` rows.
inline void nt_finish(const Nvfp4Args& args, const float* sums, std::int64_t rows, std::int64_t columns, float* y) {
  constexpr std::int64_t kDword = kNtM * kNtN;
  alignas(64) float row[kNtN < 16 ? 16 : kNtN] = {};
  for (std::int64_t i = 0; i < rows; ++i, y += args.y_stride) {
    for (unsigned n = 0; n < kNtN; n += kNtLanes)
      part_store(row + n, part_mul(tile_tree(sums + i * kNtN + n, kDword), part_set1(args.factor)));
    if (args.bf16)
      for (unsigned n = 0; n < kNtN; n += 16) store(row + n, round_bf16(load(row + n)));
    __builtin_memcpy(y, row, static_cast<std::size_t>(columns) * 4);
  }
}

void multiply_nvfp4_panel(std::int64_t cols, const Nvfp4Args& args) {
  alignas(64) float sums[kNtGroup][kNtPanel][16][kNtM * kNtN];
  const std::int64_t groups = (cols + 127) / 128, w_dword = nvfp4_tile_dword(cols, kNtN),
                     x_dword = nvfp4_tile_dword(cols, kNtM), tiles = (args.m + kNtM - 1) / kNtM,
                     panel = (args.n + kNtN - 1) / kNtN;
  const auto* x = reinterpret_cast<const std::int32_t*>(args.x);
  const auto* w = reinterpret_cast<const std::int32_t*>(args.panel);
  for (std::int64_t first = 0; first < tiles; first += kNtGroup) {
    const std::int64_t count = tiles - first < kNtGroup ? tiles - first : kNtGroup;
    for (std::int64_t d = 0; d < 16; ++d)
      for (std::int64_t p = 0; p < panel; ++p)
        for (std::int64_t t = 0; t < count; ++t)
          nt_dword(x + (16 * (first + t) + d) * x_dword, w + (16 * p + d) * w_dword, groups, sums[t][p][d]);
    for (std::int64_t t = 0; t < count; ++t) {
      const std::int64_t row = (first + t) * kNtM, rows = args.m - row < kNtM ? args.m - row : kNtM;
      float* y = args.y + row * args.y_stride;
      for (std::int64_t p = 0; p < panel; ++p) {
        const std::int64_t left = args.n - p * kNtN;
        nt_finish(args, sums[t][p][0], rows, left < kNtN ? left : kNtN, y + p * kNtN);
      }
    }
  }
}

void fill_nvfp4_tiles(KernelTable& table) {
  table.nvfp4_tile_m = kNtM;
  table.nvfp4_tile_n = kNtN;
  table.pack_nvfp4_x_tile = pack_nvfp4_x_tile;
  table.pack_nvfp4_w_tile = pack_nvfp4_w_tile;
  table.nvfp4_panel_n = kNtPanel * kNtN;
  table.multiply_nvfp4_panel = multiply_nvfp4_panel;
}
#else
void fill_nvfp4_tiles(KernelTable&) {}
#endif
