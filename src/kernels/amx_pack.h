// Rows of x packed for AMX: amx_linear.h says what a tile of x holds.
// `rows` <= kGroupRows rows of x: for each 32 columns a tile of 16 pairs of columns, first part of all rows, then the
// second.
struct AmxXTile {
  alignas(64) std::uint32_t pairs[16][16], columns[16][16];
};

TETRAD_SIMD_INLINE std::byte* amx_write_tile(AmxXTile& tile, std::int64_t rows, bool nvfp4, std::byte* out) {
  const std::int64_t width = 8 * rows;
  tile_transpose(reinterpret_cast<const std::byte*>(tile.pairs), 64, reinterpret_cast<float*>(tile.columns), 16);
  for (std::int64_t p = 0; p < 16; ++p, out += width)
    __builtin_memcpy(out, tile.columns[nvfp4 ? nvfp4_pair_column(p) : p], static_cast<std::size_t>(width));
  return out;
}

// 32 numbers as BF16: the nearest, and the nearest of what they leave.
TETRAD_SIMD_INLINE void store_parts(F32x16 a, F32x16 b, std::byte* first, std::byte* second) {
  const __m512i parts = bf16_pair(a, b);
  _mm512_storeu_si512(first, parts);
  const F32x16 low = {_mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(_mm512_castsi512_si256(parts)), 16))};
  const F32x16 high = {
      _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(_mm512_extracti64x4_epi64(parts, 1)), 16))};
  _mm512_storeu_si512(second, bf16_pair(a - low, b - high));
}

void pack_matrix_bf16(const float* x, std::int64_t x_stride, std::int64_t rows, std::int64_t cols, std::byte* out) {
  AmxXTile tile;
  __builtin_memset(&tile, 0, sizeof tile);
  for (std::int64_t s = 0; s < amx_steps(cols); ++s) {
    const std::int64_t left = cols - kTileColumns * s;
    for (std::int64_t i = 0; i < rows; ++i) {
      const float* from = x + i * x_stride + kTileColumns * s;
      const F32x16 a = left >= 16 ? load(from) : load_partial(from, static_cast<int>(left));
      const F32x16 b = left >= 32  ? load(from + 16)
                       : left > 16 ? load_partial(from + 16, static_cast<int>(left - 16))
                                   : zero();
      store_parts(a, b, reinterpret_cast<std::byte*>(tile.pairs[i]),
                  reinterpret_cast<std::byte*>(tile.pairs[rows + i]));
    }
    out = amx_write_tile(tile, rows, false, out);
  }
}

// Low halves: the upper 16 bits of a; high halves: those of b.
TETRAD_SIMD_INLINE void amx_store_halves(F32x16 a, F32x16 b, std::uint32_t* out) {
  const __m512i upper = _mm512_and_si512(_mm512_castps_si512(b.v), _mm512_set1_epi32(static_cast<int>(0xFFFF0000U)));
  _mm512_storeu_si512(out, _mm512_or_si512(_mm512_srli_epi32(_mm512_castps_si512(a.v), 16), upper));
}

void pack_matrix_nvfp4(const float* x, std::int64_t x_stride, std::int64_t rows, std::int64_t cols, std::byte* out) {
  AmxXTile tile;
  __builtin_memset(&tile, 0, sizeof tile);
  for (std::int64_t begin = 0; begin < cols; begin += kNvfp4Columns)
    for (std::int64_t block = 0; block < 8; ++block) {
      for (std::int64_t i = 0; i < rows; ++i) {
        const float* row = x + i * x_stride;
        const NvParts a = nv_parts(nv_block(row, cols, begin + 16 * block));
        const NvParts b = nv_parts(nv_block(row, cols, begin + 128 + 16 * block));
        const F32x16 a_scale = set1(kNvfp4XScale * a.scale), b_scale = set1(kNvfp4XScale * b.scale);
        amx_store_halves(a.high * set1(256.0F) * a_scale, b.high * set1(256.0F) * b_scale, tile.pairs[i]);
        amx_store_halves(a.low * a_scale, b.low * b_scale, tile.pairs[rows + i]);
      }
      out = amx_write_tile(tile, rows, true, out);
    }
}

void pack_matrix_x(const float* x, std::int64_t x_stride, std::int64_t rows, std::int64_t cols, bool nvfp4,
                   std::byte* out) {
  (nvfp4 ? pack_matrix_nvfp4 : pack_matrix_bf16)(x, x_stride, rows, cols, out);
}
