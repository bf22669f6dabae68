// NVFP4 products of many rows: nvfp4_simd.h's arithmetic, tile_simd.h's layout. There a result has 16 lanes, each the
// sum of its share of the columns; here one such lane of a whole tile is computed at a time, rows of w as lanes of the
// registers. 1.5 times as fast, for the same reason as in tile_simd.h.
//
// Sums of integers are exact in any order, so for Nv16 a target may put the 8 columns of a dword into pairs as suits
// its decoder.
//
// Packed w: [lane][group] of a block's integers (Nv16: 8 pairs of 16 bits; Nv8: 16 bytes, plus 12) and its scale (as a
// float), kNtN of each; packed x: the same, kM of each, with Nv8's -12 * sum of q before the scale. A panel is several
// tiles of w one behind another: x passes once a panel. Included behind nvfp4_simd.h.
#include "kernels/simd/tile_transpose.h"

#if TETRAD_SIMD_TARGET == TETRAD_SIMD_AVX512
#include "kernels/simd/nvfp4_tile_avx512.h"
#elif TETRAD_SIMD_TARGET == TETRAD_SIMD_AVX2
#include "kernels/simd/nvfp4_tile_avx2.h"
#endif

#if TETRAD_SIMD_TARGET != TETRAD_SIMD_SCALAR
constexpr unsigned kNtN = kNtVectors * kNtLanes;
constexpr unsigned kNtGroup = 4;  // tiles of x that go over a lane of w while it is in L1

// What the loops below need of each form beyond nvfp4_simd.h's. kWords: dwords that hold a block's integers.
struct Nt16 : Nv16, NtDot16 {
  static constexpr unsigned kM = kNtM16, kWords = 8, kXValues = 9;
  TETRAD_SIMD_INLINE static void store_x(F32x16 q, std::int32_t* to) {
    std::int32_t pairs[8];
    nv_pairs(q, pairs);
    for (std::int64_t p = 0; p < 8; ++p) to[p * kM] = pairs[p];
  }
  TETRAD_SIMD_INLINE static void decode(const float* dwords, std::int32_t* to) { nt_decode(dwords, to, kNtN); }
};
struct Nt8 : Nv8, NtDot8 {
  static constexpr unsigned kM = kNtM8, kWords = 4, kXValues = 6;
  TETRAD_SIMD_INLINE static void store_x(F32x16 q, std::int32_t* to) {
    std::int32_t words[4];
    nv_words(q, words);
    for (std::int64_t p = 0; p < 4; ++p) to[p * kM] = words[p];
    to[4 * kM] = nv_offset(q);
  }
  TETRAD_SIMD_INLINE static void decode(const float* dwords, std::int32_t* to) { nt8_decode(dwords, to, kNtN); }
};
template <class Form>
inline std::int64_t nt_x_lane(std::int64_t cols) {
  return nvfp4_lane_values(cols, Form::kXValues * Form::kM);
}
template <class Form>
inline std::int64_t nt_w_lane(std::int64_t cols) {
  return nvfp4_lane_values(cols, (Form::kWords + 1) * kNtN);
}

template <class Form>
void pack_nvfp4_x_tile(const float* x, std::int64_t x_stride, std::int64_t rows, std::int64_t k, std::byte* out) {
  constexpr std::int64_t kValues = Form::kXValues * Form::kM;
  const std::int64_t groups = nvfp4_groups(k), lane = nt_x_lane<Form>(k);
  auto* to = reinterpret_cast<std::int32_t*>(out);
  if (rows < Form::kM) __builtin_memset(out, 0, static_cast<std::size_t>(16 * lane) * 4);
  for (std::int64_t i = 0; i < rows; ++i)
    for (std::int64_t block = 0; block < 16 * groups; ++block) {
      F32x16 q;
      const float scale = nv_quantize(nv_block(x + i * x_stride, k, 16 * block), Form::kMaxCode, q);
      std::int32_t* at = to + nv_lane(block % 16) * lane + block / 16 * kValues + i;
      Form::store_x(q, at);
      __builtin_memcpy(at + (Form::kXValues - 1) * Form::kM, &scale, 4);
    }
}

// What row `row` is read at kNtPrefetch bytes later; behind its end, the row that takes its place.
constexpr std::int64_t kNtPrefetch = 512;
TETRAD_SIMD_INLINE const std::byte* nt_ahead(const RawWeight& w, std::int64_t row, std::int64_t at) {
  const std::int64_t bytes = w.cols / 2, ahead = at + kNtPrefetch;
  return w.data + (ahead < bytes ? row * bytes + ahead : (row + kNtLanes) * bytes + ahead - bytes);
}

// kNtLanes rows of w, from `row` on (`count` of them, the rest zeros), to columns n .. of a tile.
template <class Form>
inline void pack_nvfp4_w_rows(const RawWeight& w, std::int64_t row, std::int64_t count, std::int64_t n,
                              std::int32_t* out) {
  constexpr std::int64_t kValues = (Form::kWords + 1) * kNtN;
  const std::int64_t halves = 2 * nvfp4_groups(w.cols), lane = nt_w_lane<Form>(w.cols);
  alignas(64) float columns[16][kNtLanes];
  alignas(64) std::byte codes[kNtLanes][64];  // of a half that ends early, or of rows that are not there
  std::byte scales[kNtLanes][8];
  __builtin_memset(codes, 0, sizeof codes);
  __builtin_memset(scales, 0, sizeof scales);
  for (std::int64_t h = 0; h < halves; ++h) {
    const bool whole = count == kNtLanes && 128 * h + 128 <= w.cols;
    const std::int64_t left = w.cols - 128 * h < 0 ? 0 : w.cols - 128 * h < 128 ? w.cols - 128 * h : 128;
    const std::byte* scale[kNtLanes];
    for (std::int64_t i = 0; i < kNtLanes; ++i) {
      const std::byte* at = w.scales + (row + i) * w.scale_cols + 8 * h;
      scale[i] = whole ? at : scales[i];
      if (whole || i >= count) continue;
      __builtin_memset(codes[i], 0, 64);
      __builtin_memset(scales[i], 0, 8);
      if (left == 0) continue;
      __builtin_memcpy(codes[i], w.data + (row + i) * (w.cols / 2) + 64 * h, static_cast<std::size_t>(left / 2));
      __builtin_memcpy(scales[i], at, static_cast<std::size_t>(left / 16));
    }
    for (std::int64_t i = 0; i < kNtLanes; ++i) __builtin_prefetch(nt_ahead(w, row + i, 64 * h));
    const std::byte* from = whole ? w.data + row * (w.cols / 2) + 64 * h : codes[0];
    tile_transpose(from, whole ? w.cols / 2 : 64, columns[0], kNtLanes);
    std::int32_t* to = out + h % 2 * lane + h / 2 * kValues + n;
    for (std::int64_t d = 0; d < 16; ++d)
      Form::decode(columns[d], to + d / 2 * 2 * lane + d % 2 * (Form::kWords / 2) * kNtN);
    nt_scales(scale, reinterpret_cast<float*>(to + Form::kWords * kNtN), lane);
  }
}

template <class Form>
void pack_nvfp4_w_tile(const RawWeight& w, std::int64_t row, std::int64_t count, std::byte* out) {
  for (std::int64_t n = 0; n < kNtN; n += kNtLanes) {
    const std::int64_t left = count - n;
    pack_nvfp4_w_rows<Form>(w, row + n, left < 0 ? 0 : (left < kNtLanes ? left : kNtLanes), n,
                            reinterpret_cast<std::int32_t*>(out));
  }
}

// hsum's tree over the lanes, then the results of `rows` rows.
template <class Form>
inline void nt_finish(const Nvfp4Args& args, const float* sums, std::int64_t rows, std::int64_t columns, float* y) {
  constexpr std::int64_t kLane = Form::kM * kNtN;
  alignas(64) float row[(kNtN + 15) / 16 * 16] = {};
  for (std::int64_t i = 0; i < rows; ++i, y += args.y_stride) {
    for (unsigned n = 0; n < kNtN; n += kNtLanes)
      part_store(row + n, part_mul(tile_tree(sums + i * kNtN + n, kLane), part_set1(args.factor)));
    if (args.bf16)
      for (unsigned n = 0; n < kNtN; n += 16) store(row + n, round_bf16(load(row + n)));
    __builtin_memcpy(y, row, static_cast<std::size_t>(columns) * 4);
  }
}

template <class Form>
void multiply_nvfp4_panel(std::int64_t cols, const Nvfp4Args& args) {
  alignas(64) float sums[kNtGroup][kNtPanel][16][Form::kM * kNtN];
  constexpr std::int64_t kM = Form::kM;
  const std::int64_t groups = nvfp4_groups(cols), w_lane = nt_w_lane<Form>(cols), x_lane = nt_x_lane<Form>(cols),
                     tiles = (args.m + kM - 1) / kM, panel = (args.n + kNtN - 1) / kNtN;
  const auto* x = reinterpret_cast<const std::int32_t*>(args.x);
  const auto* w = reinterpret_cast<const std::int32_t*>(args.panel);
  for (std::int64_t first = 0; first < tiles; first += kNtGroup) {
    const std::int64_t count = tiles - first < kNtGroup ? tiles - first : kNtGroup;
    for (std::int64_t d = 0; d < 16; ++d)
      for (std::int64_t p = 0; p < panel; ++p)
        for (std::int64_t t = 0; t < count; ++t)
          nt_lane<Form>(x + (16 * (first + t) + d) * x_lane, w + (16 * p + d) * w_lane, groups, sums[t][p][d]);
    for (std::int64_t t = 0; t < count; ++t) {
      const std::int64_t row = (first + t) * kM, rows = args.m - row < kM ? args.m - row : kM;
      float* y = args.y + row * args.y_stride;
      for (std::int64_t p = 0; p < panel; ++p) {
        const std::int64_t left = args.n - p * kNtN;
        nt_finish<Form>(args, sums[t][p][0], rows, left < kNtN ? left : kNtN, y + p * kNtN);
      }
    }
  }
}

template <class Form>
void fill_nvfp4_tile(Nvfp4Kernels& kernels) {
  kernels.tile_m = Form::kM;
  kernels.tile_n = kNtN;
  kernels.panel_n = kNtPanel * kNtN;
  kernels.x_values = Form::kXValues;
  kernels.w_values = Form::kWords + 1;
  kernels.pack_x_tile = pack_nvfp4_x_tile<Form>;
  kernels.pack_w_tile = pack_nvfp4_w_tile<Form>;
  kernels.multiply_panel = multiply_nvfp4_panel<Form>;
}
void fill_nvfp4_tiles(KernelTable& table) {
  fill_nvfp4_tile<Nt16>(table.nvfp4);
  fill_nvfp4_tile<Nt8>(table.nvfp4_int8);
}
#else
void fill_nvfp4_tiles(KernelTable&) {}
#endif
