// NVFP4 products of 5 and more rows of x, for AVX-512: four rows of w at a time, whose codes stay in registers while up
// to kNvFourRows rows of x pass. nv_direct_block loads ten registers of x for each product of a group, and loads are
// what limits it. A Zen 4, one core, 1536 x 3072: 8 rows 639 -> 508 us, 16 rows 1,238 -> 967 (1.35 of the F32 peak; as
// tiles 1,312). Up to 4 rows it is no faster.
constexpr std::int64_t kNvFourRows = 16;  // 4 KiB of sums

// Four rows of w; the sums lie in memory.
template <class Form>
inline void nv_four_block(const RawWeight& w, std::int64_t row, const Nvfp4Args& args, std::int64_t n) {
  constexpr unsigned kCodes = kNvfp4Columns / 2, kScales = kNvfp4Columns / 16;
  F32x16 sums[kNvFourRows * 4];
  for (std::int64_t i = 0; i < 4 * args.m; ++i) sums[i] = zero();
  const std::int64_t row_bytes = w.cols / 2;
  const std::byte* codes = w.data + (row + n) * row_bytes;
  const std::byte* scales = w.scales + (row + n) * w.scale_cols;
  const std::byte* x = args.x;
  for (std::int64_t g = 0; g < nvfp4_groups(w.cols); ++g, x += Form::kGroupBytes) {
    const bool whole = (g + 1) * kNvfp4Columns <= w.cols;
    const std::byte* ahead = codes + 4 * row_bytes + g * (4 * kCodes);
    if (whole)
      for (unsigned j = 0; j < 4 * kCodes; j += 64) __builtin_prefetch(ahead + j, 0, kNvFetchTo);
    NvFour four;
#pragma GCC unroll 4
    for (unsigned j = 0; j < 4; ++j) {
      const std::byte* code = codes + j * row_bytes + g * kCodes;
      const std::byte* scale = scales + j * w.scale_cols + g * kScales;
      std::byte tail_codes[kCodes], tail_scales[kScales];
      if (whole && g % (64 / kScales) == 0) __builtin_prefetch(scale + 4 * w.scale_cols);
      if (!whole) {
        nv_tail(w.cols, code, scale, tail_codes, tail_scales);
        code = tail_codes;
        scale = tail_scales;
      }
      four.w[j] = nv_codes(code);
      four.scale[j] = nv_scales(scale);
    }
    for (std::int64_t i = 0; i < args.m; ++i)
      nv_add_four(four, x + i * args.x_stride, Form::kGroupBytes == Nv16::kGroupBytes, sums + 4 * i);
  }
  for (std::int64_t i = 0; i < args.m; ++i)
    for (unsigned j = 0; j < 4; ++j) args.y[i * args.y_stride + n + j] = nv_finish(sums[4 * i + j], args);
}

// args.m <= kNvFourRows rows of x.
template <class Form>
inline void nv_four_rows(const RawWeight& w, std::int64_t row, const Nvfp4Args& args) {
  std::int64_t n = 0;
  for (; n + 4 <= args.n; n += 4) nv_four_block<Form>(w, row, args, n);
  for (; n < args.n; ++n)
    for (std::int64_t i = 0; i < args.m; ++i) {
      Nvfp4Args one = args;
      one.x += i * args.x_stride;
      one.y += i * args.y_stride;
      nv_direct_block<Form, 1, 1>(w, row, one, n);
    }
}
