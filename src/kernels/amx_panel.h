// Products of more than two groups of x on AMX: amx_linear.h. Weights are decoded once for kMatrixPanelRows rows of x.
// A chunk of a panel, kChunkSteps tiles of each 16 rows one behind another: small enough that those of two groups of x
// stay in L1 while all rows of w pass, and those of all rows and groups in L2. Sums wait in memory from chunk to chunk.
// Without chunks a multiply took 14 ns instead of 9.5: from L2 both operands come too slowly, from L3 x does.
constexpr std::int64_t kChunkUnits = 4, kChunkSteps = kChunkUnits * kUnitTiles;

template <WeightFormat kFormat>
inline void amx_fill_chunk(const RawWeight& w, std::int64_t row, std::int64_t rows, std::int64_t chunk,
                           std::byte* panel) {
  constexpr std::int64_t kBytes = kUnitBytes<kFormat>;
  const std::int64_t begin = chunk * kChunkUnits, left = amx_units<kFormat>(w.cols) - begin;
  const std::int64_t units = left < kChunkUnits ? left : kChunkUnits;
  const std::int64_t row_bytes = w.cols * kBytes / kUnitColumns;
  for (std::int64_t n = 0; n < rows; n += kTileRows, panel += kChunkSteps * kTileBytes) {
    const std::int64_t count = rows - n < kTileRows ? rows - n : kTileRows;
    // The next 16 rows come meanwhile, behind the last ones the next chunk's first.
    const std::byte* ahead = w.data + (row + n) * row_bytes + begin * kBytes;
    ahead += n + kTileRows < rows ? kTileRows * row_bytes : kChunkUnits * kBytes - n * row_bytes;
    for (std::int64_t i = 0; i < kTileRows; ++i)
      for (std::int64_t at = 0; at < units * kBytes; at += 64) __builtin_prefetch(ahead + i * row_bytes + at, 0, 2);
    if (count < kTileRows) __builtin_memset(panel, 0, static_cast<std::size_t>(kChunkSteps * kTileBytes));
    for (std::int64_t unit = 0; unit < units; ++unit)
      decode_unit<kFormat>(w, row + n, count, begin + unit, panel + unit * kUnitTiles * kTileBytes);
  }
}

template <bool kTwo>
TETRAD_SIMD_INLINE void amx_resume(const std::byte* sums, bool first) {
  if (first) return amx_zero_sums<kTwo>();
  amx_load<kSum00>(sums, 64);
  amx_load<kSum10>(sums + kTileBytes, 64);
  if (kTwo) amx_load<kSum01>(sums + 2 * kTileBytes, 64);
  if (kTwo) amx_load<kSum11>(sums + 3 * kTileBytes, 64);
}
template <bool kTwo>
TETRAD_SIMD_INLINE void amx_suspend(std::byte* sums) {
  amx_store<kSum00>(sums, 64);
  amx_store<kSum10>(sums + kTileBytes, 64);
  if (kTwo) amx_store<kSum01>(sums + 2 * kTileBytes, 64);
  if (kTwo) amx_store<kSum11>(sums + 3 * kTileBytes, 64);
}

struct AmxChunk {
  std::int64_t first_step, steps;
  bool first, last;
  const std::byte *ahead0, *ahead1;  // tiles of the next groups of x, to come from L3 meanwhile
};

// All rows of w of a chunk with one group of x or two. A step fetches kFetchLines lines of each of the next: with 192
// rows of w all of them.
constexpr std::int64_t kFetchLines = 3;
template <bool kTwo>
inline void amx_chunk_groups(const RawWeight& w, std::int64_t row, const MatrixArgs& args, const AmxChunk& chunk,
                             const AmxGroup& one, const AmxGroup& two, const std::byte* panel, std::byte* sums) {
  for (std::int64_t n = 0; n < args.n; n += kBlockRows, sums += 4 * kTileBytes) {
    const std::byte* a0 = panel + n / kTileRows * (kChunkSteps * kTileBytes);
    const std::byte* a1 = n + kTileRows < args.n ? a0 + kChunkSteps * kTileBytes : a0;  // those sums are not used
    amx_resume<kTwo>(sums, chunk.first);
    const std::int64_t fetched = n * chunk.steps * kTileBytes / args.n / 64 * 64;
    for (std::int64_t step = 0; step < chunk.steps; ++step) {
      for (std::int64_t i = 0; i < kFetchLines; ++i) {
        __builtin_prefetch(chunk.ahead0 + fetched + 64 * (kFetchLines * step + i), 0, 2);
        __builtin_prefetch(chunk.ahead1 + fetched + 64 * (kFetchLines * step + i), 0, 2);
      }
      amx_load_step<kTwo, true>(a0 + step * kTileBytes, a1 + step * kTileBytes, 64, one, two, chunk.first_step + step);
      amx_multiply_step<kTwo>();
    }
    if (chunk.last)
      amx_finish_block(w, row, args, n, one, two, kTwo);
    else
      amx_suspend<kTwo>(sums);
  }
}

// args.m <= kMatrixPanelRows.
template <WeightFormat kFormat>
inline void amx_panel(const RawWeight& w, std::int64_t row, const MatrixArgs& args) {
  const std::int64_t steps = amx_steps_of<kFormat>(w.cols), blocks = (args.n + kBlockRows - 1) / kBlockRows;
  const std::int64_t groups = (args.m + kGroupRows - 1) / kGroupRows;
  std::byte* sums = args.scratch + 2 * blocks * kChunkSteps * kTileBytes;
  for (std::int64_t begin = 0; begin < steps; begin += kChunkSteps) {
    const std::int64_t left = steps - begin;
    AmxChunk chunk = {begin,  left < kChunkSteps ? left : kChunkSteps, begin == 0, left <= kChunkSteps, nullptr,
                      nullptr};
    amx_fill_chunk<kFormat>(w, row, args.n, begin / kChunkSteps, args.scratch);
    for (std::int64_t g = 0; g < groups; g += 2) {
      const bool both = g + 1 < groups;
      const AmxGroup one = amx_group(args, g), two = both ? amx_group(args, g + 1) : one;
      if (g == 0 || one.rows < kGroupRows || two.rows < kGroupRows) amx_shape(one, two);
      chunk.ahead0 = args.x + (g + 2) * args.x_stride + begin * kTileBytes;
      chunk.ahead1 = chunk.ahead0 + args.x_stride;
      std::byte* at = sums + g / 2 * blocks * (4 * kTileBytes);
      if (both)
        amx_chunk_groups<true>(w, row, args, chunk, one, two, args.scratch, at);
      else
        amx_chunk_groups<false>(w, row, args, chunk, one, two, args.scratch, at);
    }
  }
}
