// Where the blocks and bytes of a group of 256 columns lie in a packed row: nvfp4_simd.h. Shared by the targets'
// integer products and AMX's for few rows.
TETRAD_SIMD_INLINE std::int64_t nv_lane(std::int64_t block) { return 2 * (block % 8) + block / 8; }

// 16 bytes of a block to their places in 4 planes.
TETRAD_SIMD_INLINE void nv_store_bytes(F32x16 bytes, int block, std::byte* out) {
  std::int32_t words[4];  // columns 0 2 4 6, 1 3 5 7, 8 10 12 14, 9 11 13 15
  nv_words(bytes, words);
  const int first = block < 8 ? 0 : 2;
  for (int p = 0; p < 4; ++p) __builtin_memcpy(out + 64 * p + 4 * nv_lane(block), words + (first + p) % 4, 4);
}
TETRAD_SIMD_INLINE std::int32_t nv_offset(F32x16 q) { return -12 * static_cast<std::int32_t>(hsum(q)); }

TETRAD_SIMD_INLINE F32x16 nv_block(const float* x, std::int64_t k, std::int64_t at) {
  return at + 16 <= k ? load(x + at) : zero();  // k is a multiple of 16
}

// The last, incomplete group, padded with zeros.
TETRAD_SIMD_INLINE void nv_tail(std::int64_t cols, const std::byte* codes, const std::byte* scales, std::byte* to_codes,
                                std::byte* to_scales) {
  __builtin_memset(to_codes, 0, 128);
  __builtin_memset(to_scales, 0, 16);
  __builtin_memcpy(to_codes, codes, static_cast<std::size_t>(cols % kNvfp4Columns / 2));
  __builtin_memcpy(to_scales, scales, static_cast<std::size_t>(cols % kNvfp4Columns / 16));
}
