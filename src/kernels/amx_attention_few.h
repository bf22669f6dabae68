// One decoded token, for amx_attention.h: no more than 16 rows, all of which see all keys.
// The values of 32 keys, which lie at `v`.
template <bool kSplit>
TETRAD_SIMD_INLINE void value_step(const AttendArgs& args, const TileAttention& state, const QueryPair& pair,
                                   std::int64_t step, const std::byte* v, ReadAhead& next) {
  const std::int64_t tile = kTileBytes * (kSplit ? 2 : 1), stride = 4 * args.head_dim;
  const std::byte* p = state.scores + 128 * step;
  for (std::int64_t d = 0; d < args.head_dim; d += 32, v += 2 * tile) {
    auto* sums = reinterpret_cast<std::byte*>(state.part.sums + d);
    load_pair<false>(sums, stride, pair.fresh && step == 0);
    multiply_parts<kSplit, false>(p, p, kScoreStride, 64, v, v + tile);
    store_pair<false>(sums, stride);
    next.fetch<kSplit>(kScoreLines);
  }
}

// A tile of keys and no more than 16 rows, as a decoded token has: 32 keys at a time, whose tiles stay in L1 (written
// to L2 and read again, BF16 ones took 1.5 times as long, F32 ones 1.1). A step is packed before the last one is
// multiplied, so that no tile waits for its stores.
template <bool kSplit>
inline void attend_few(const AttendArgs& args, const TileAttention& state, const QueryPair& pair, const KeyRange& tile,
                       ReadAhead& next) {
  const std::int64_t bytes = 2 * kStepKeys * args.head_dim * (kSplit ? 2 : 1);
  const auto packed = [&](std::int64_t step) { return state.keys + step % 2 * bytes; };
  const auto step_keys = [&](std::int64_t step) {
    const std::int64_t begin = tile.begin + kStepKeys * step, end = begin + kStepKeys;
    return KeyRange{begin, end < tile.end ? end : tile.end, tile.keys};
  };
  shape_pair(pair);
  for (std::int64_t step = 0; step <= pair.steps; ++step) {
    if (step < pair.steps) pack_keys<kSplit>(args, step_keys(step), packed(step), state.gathered, &next);
    if (step > 0) score_step<kSplit, false>(args, state, pair, step - 1, packed(step - 1), &next);
  }
  softmax_pair<kSplit>(args, state, pair, &next);
  for (std::int64_t step = 0; step <= pair.steps; ++step) {
    if (step < pair.steps) pack_values<kSplit>(args, step_keys(step), packed(step), state.gathered, &next);
    if (step > 0) value_step<kSplit>(args, state, pair, step - 1, packed(step - 1), next);
  }
}
