// Products of up to two groups of x on AMX: amx_linear.h. Weights are decoded between the multiplies, and read once.
// Rows [first, first + 8) of a block of 32 in the unit's tiles; those that are not there stay as they are, zero.
template <WeightFormat kFormat>
TETRAD_SIMD_INLINE void amx_decode_rows(const RawWeight& w, std::int64_t row, std::int64_t rows, std::int64_t first,
                                        std::int64_t unit, std::byte* out) {
  const std::int64_t left = rows - first, count = left < 8 ? left : 8;
  if (count > 0)
    decode_unit<kFormat>(w, row + first, count, unit,
                         out + first / kTileRows * (kUnitTiles * kTileBytes) + first % kTileRows * 64);
}

// The next block's codes are fetched in the order of their addresses: linear_simd.h says why.
template <WeightFormat kFormat>
TETRAD_SIMD_INLINE void amx_fetch(const RawWeight& w, std::int64_t row, std::int64_t step) {
  constexpr std::int64_t kBytes = kUnitBytes<kFormat> * kBlockRows / kUnitTiles;
  const std::int64_t row_bytes = w.cols * kUnitBytes<kFormat> / kUnitColumns;
  const std::byte* ahead = w.data + (row + kBlockRows) * row_bytes + step * kBytes;
#pragma GCC unroll 32
  for (std::int64_t i = 0; i < kBytes; i += 64) __builtin_prefetch(ahead + i, 0, 2);
  if constexpr (kFormat == WeightFormat::kNvfp4)
    __builtin_prefetch(w.scales + (row + kBlockRows) * w.scale_cols + step * 64, 0, 2);
}

// A unit is decoded two ahead of its multiplies: a tile can't be loaded while its stores wait to reach L1.
constexpr std::int64_t kHalf = kUnitTiles * kTileBytes, kAhead = 2;
template <bool kTwo>
TETRAD_SIMD_INLINE void amx_load_ring(const std::byte* ring, const AmxGroup& one, const AmxGroup& two,
                                      std::int64_t step) {
  const std::byte* a = ring + step / kUnitTiles % (kAhead + 1) * (2 * kHalf) + step % kUnitTiles * kTileBytes;
  amx_load_step<kTwo, false>(a, a + kHalf, 64, one, two, step);
}

// 32 rows of w, decoded between the multiplies. The rows of x are those of one group or two.
template <WeightFormat kFormat, bool kTwo>
inline void amx_stream_block(const RawWeight& w, std::int64_t row, const MatrixArgs& args, std::int64_t n,
                             const AmxGroup& one, const AmxGroup& two) {
  alignas(64) std::byte ring[kAhead + 1][2 * kHalf];
  const std::int64_t units = amx_units<kFormat>(w.cols), steps = amx_steps_of<kFormat>(w.cols);
  const std::int64_t rows = args.n - n < kBlockRows ? args.n - n : kBlockRows;
  if (rows < kBlockRows) __builtin_memset(ring, 0, sizeof ring);
  amx_zero_sums<kTwo>();
  for (std::int64_t unit = 0; unit < kAhead && unit < units; ++unit)
    for (std::int64_t first = 0; first < kBlockRows; first += 8)
      amx_decode_rows<kFormat>(w, row + n, rows, first, unit, ring[unit]);
  for (std::int64_t unit = 0; unit < units; ++unit)
    for (std::int64_t t = 0; t < kUnitTiles; ++t) {
      const std::int64_t step = unit * kUnitTiles + t;
      if (step < steps) {
        amx_load_ring<kTwo>(ring[0], one, two, step);
        amx_multiply_step<kTwo>();
      }
      amx_fetch<kFormat>(w, row + n, step);
      if (unit + kAhead < units)
        amx_decode_rows<kFormat>(w, row + n, rows, 8 * t, unit + kAhead, ring[(unit + kAhead) % (kAhead + 1)]);
    }
  amx_finish_block(w, row, args, n, one, two, kTwo);
}

// 16 rows of BF16 as they are stored: tiles come from the weight itself. Not 32: the hardware fetches ahead in no more
// than 32 pages at once; a loop that only reads got 25.6 GB/s from 32 rows side by side, 31.0 from 16, 30.2 from one
// after another. Four lines ahead are fetched besides, since tiles are loaded less evenly than that.
constexpr std::int64_t kBf16Ahead = 256;  // bytes
template <bool kTwo>
inline void amx_bf16_rows(const RawWeight& w, std::int64_t row, const MatrixArgs& args, std::int64_t n,
                          const AmxGroup& one, const AmxGroup& two) {
  amx_zero<kSum00>();
  if constexpr (kTwo) amx_zero<kSum01>();
  const std::int64_t stride = 2 * w.cols;
  const std::byte* a = w.data + (row + n) * stride;
  for (std::int64_t step = 0; step < w.cols / kTileColumns; ++step) {
    amx_load<kB0>(one.x + step * 16 * one.width, one.width);
    for (std::int64_t i = 0; i < kTileRows; ++i) __builtin_prefetch(a + 64 * step + i * stride + kBf16Ahead, 0, 2);
    amx_load<kA0>(a + 64 * step, stride);
    amx_multiply<kSum00, kA0, kB0>();
    if constexpr (kTwo) {
      amx_load<kB1>(two.x + step * 16 * two.width, two.width);
      amx_multiply<kSum01, kA0, kB1>();
    }
  }
  amx_finish<kSum00>(w, row, args, n, one);
  if constexpr (kTwo) amx_finish<kSum01>(w, row, args, n, two);
}

template <WeightFormat kFormat, bool kTwo>
inline void amx_stream(const RawWeight& w, std::int64_t row, const MatrixArgs& args) {
  const AmxGroup one = amx_group(args, 0), two = kTwo ? amx_group(args, 1) : one;
  amx_shape(one, two);
  for (std::int64_t n = 0; n < args.n; n += kBlockRows) {
    if (kFormat == WeightFormat::kBF16 && args.n - n >= kBlockRows && w.cols % kTileColumns == 0)
      for (std::int64_t i = 0; i < kBlockRows; i += kTileRows) amx_bf16_rows<kTwo>(w, row, args, n + i, one, two);
    else
      amx_stream_block<kFormat, kTwo>(w, row, args, n, one, two);
  }
}
