// Causal attention on AMX. Queries and probabilities are taken in two BF16 parts, as x is in amx_linear.h; BF16 keys
// and values are exact, F32 ones are taken in two parts too, without the products of two second parts. Softmax online
// over tiles of kMatrixKeyTile keys at fixed positions from 0. A tile's keys are transposed, and its values taken in
// pairs, once for all rows; then 32 rows at a time get their scores, which lie in L1 and become probabilities in place,
// and their sums.
//
// Every row's arithmetic depends on its own query and keys alone, so it is the same in every block, chunk and batch:
// scores of keys that a row doesn't see are not looked at, and their probability is zero. Zero times a value that is
// not finite would count even so; such blocks are taken token by token.
#include "kernels/amx_attention_pack.h"

constexpr std::int64_t kPairRows = 32;
constexpr std::int64_t kScoreStride =
    4 * kMatrixKeyTile + 64;  // bytes; 64 more, so that rows don't fall into the same sets

TETRAD_SIMD_INLINE bool takes_attention(const AttendArgs& args) { return !args.bf16 && args.head_dim % 32 == 0; }

struct TileAttention {  // scratch of one call; rows are rounded up to 32
  std::byte* queries;   // [rows / 16][head_dim / 32][2 parts] tiles
  std::byte* keys;      // [kMatrixKeyTile / 16][head_dim / 32][parts] tiles: pairs of dimensions by keys
  std::byte* values;    // [kMatrixKeyTile / 32][head_dim / 16][parts] tiles: pairs of keys by dimensions
  std::byte* scores;    // [kPairRows], kScoreStride apart; 32 probabilities: their first parts, then the second
  float* gathered;      // [kStepKeys, head_dim]
  AttendPart part;      // dimensions of sums as in values' tiles
};

TETRAD_SIMD_INLINE TileAttention tile_attention(const AttendArgs& args, const AttendPart& part) {
  const std::int64_t rows = (args.rows + kPairRows - 1) / kPairRows * kPairRows;
  TileAttention state;
  state.queries = reinterpret_cast<std::byte*>(args.scratch);
  state.keys = state.queries + 4 * rows * args.head_dim;
  state.values = state.keys + 4 * kMatrixKeyTile * args.head_dim;
  state.scores = state.values + 4 * kMatrixKeyTile * args.head_dim;
  state.gathered = reinterpret_cast<float*>(state.scores + kPairRows * kScoreStride);
  state.part = part;
  return state;
}

// 32 rows of queries at work on a tile of keys; the second 16 may be missing.
struct QueryPair {
  std::int64_t first, rows;   // rows: <= 32
  std::int64_t begin, steps;  // of the tile; as many times 32 keys as its last row sees
  bool fresh;                 // the part's first tile: there is nothing to be added to
};

inline void shape_pair(const QueryPair& pair) {
  AmxShape shape;
  for (int i = 0; i < 8; ++i) shape.row_bytes[i] = 64;
  shape.rows[kB0] = shape.rows[kB1] = 16;
  const std::int64_t second = pair.rows - 16;
  shape.rows[kSum00] = shape.rows[kSum01] = shape.rows[kA0] = static_cast<std::uint8_t>(second > 0 ? 16 : pair.rows);
  shape.rows[kSum10] = shape.rows[kSum11] = shape.rows[kA1] = static_cast<std::uint8_t>(second > 0 ? second : 16);
  amx_configure(shape);
}

template <bool kTwo>
TETRAD_SIMD_INLINE void zero_pair() {
  amx_zero<kSum00>();
  amx_zero<kSum01>();
  if constexpr (kTwo) amx_zero<kSum10>();
  if constexpr (kTwo) amx_zero<kSum11>();
}
template <bool kTwo>
TETRAD_SIMD_INLINE void store_pair(std::byte* out, std::int64_t stride) {
  amx_store<kSum00>(out, stride);
  amx_store<kSum01>(out + 64, stride);
  if constexpr (kTwo) amx_store<kSum10>(out + 16 * stride, stride);
  if constexpr (kTwo) amx_store<kSum11>(out + 16 * stride + 64, stride);
}

// Tiles of queries (or probabilities) times two tiles of keys (or values), for each part of the former in turn.
template <bool kTwo>
TETRAD_SIMD_INLINE void multiply_pair(const std::byte* a0, const std::byte* a1, std::int64_t a_stride) {
  amx_load<kA0>(a0, a_stride);
  if constexpr (kTwo) amx_load<kA1>(a1, a_stride);
  amx_multiply<kSum00, kA0, kB0>();
  amx_multiply<kSum01, kA0, kB1>();
  if constexpr (kTwo) amx_multiply<kSum10, kA1, kB0>();
  if constexpr (kTwo) amx_multiply<kSum11, kA1, kB1>();
}

// a: the first parts, `part` bytes before the second; b0, b1: likewise, 1 KiB before, if kSplit.
template <bool kSplit, bool kTwo>
TETRAD_SIMD_INLINE void multiply_parts(const std::byte* a0, const std::byte* a1, std::int64_t a_stride,
                                       std::int64_t part, const std::byte* b0, const std::byte* b1) {
  if constexpr (kSplit) {
    amx_load_once<kB0>(b0 + kTileBytes, 64);
    amx_load_once<kB1>(b1 + kTileBytes, 64);
    multiply_pair<kTwo>(a0, a1, a_stride);
  }
  amx_load_once<kB0>(b0, 64);
  amx_load_once<kB1>(b1, 64);
  multiply_pair<kTwo>(a0, a1, a_stride);
  multiply_pair<kTwo>(a0 + part, a1 + part, a_stride);
}

// Scores of 32 keys, which lie at `k`.
template <bool kSplit, bool kTwo>
TETRAD_SIMD_INLINE void score_step(const AttendArgs& args, const TileAttention& state, const QueryPair& pair,
                                   std::int64_t step, const std::byte* k, ReadAhead* next) {
  const std::int64_t chunks = args.head_dim / kTileColumns, tile = kTileBytes * (kSplit ? 2 : 1);
  const std::byte* q = state.queries + pair.first / 16 * chunks * 2 * kTileBytes;
  zero_pair<kTwo>();
  for (std::int64_t c = 0; c < chunks; ++c) {
    const std::byte* a = q + 2 * kTileBytes * c;
    multiply_parts<kSplit, kTwo>(a, a + chunks * 2 * kTileBytes, 64, kTileBytes, k + c * tile, k + (chunks + c) * tile);
    if (next != nullptr) next->fetch<kSplit>(kScoreLines);
  }
  store_pair<kTwo>(state.scores + 4 * kStepKeys * step, kScoreStride);
}
// Of all keys that the pair's last row sees, in whole steps.
template <bool kSplit, bool kTwo>
inline void score_pair(const AttendArgs& args, const TileAttention& state, const QueryPair& pair) {
  const std::int64_t bytes = 2 * kStepKeys * args.head_dim * (kSplit ? 2 : 1);
  for (std::int64_t step = 0; step < pair.steps; ++step)
    score_step<kSplit, kTwo>(args, state, pair, step, state.keys + step * bytes, nullptr);
}

// 2^x, to 2^-22: a polynomial in what x exceeds its floor by (Lawson's minimax fit, relative error 7.5e-8).
TETRAD_SIMD_INLINE F32x16 exp2_floor(F32x16 x) {
  const F32x16 f = {_mm512_reduce_ps(x.v, _MM_FROUND_TO_NEG_INF | _MM_FROUND_NO_EXC)};
  F32x16 p = set1(1.8775766454e-3F);
  p = fma(p, f, set1(8.9893401626e-3F));
  p = fma(p, f, set1(5.5826317993e-2F));
  p = fma(p, f, set1(2.4015361706e-1F));
  p = fma(p, f, set1(6.9315307320e-1F));
  p = fma(p, f, set1(1.0F));
  return {_mm512_scalef_ps(p.v, x.v)};
}

// Sixteen scores, of which a row sees `seen` (any number); the others far below all that counts.
TETRAD_SIMD_INLINE F32x16 seen_scores(const float* scores, std::int64_t seen) {
  const auto mask = static_cast<__mmask16>(seen >= 16 ? 0xFFFFU : seen > 0 ? (1U << seen) - 1U : 0U);
  return {_mm512_mask_loadu_ps(_mm512_set1_ps(-1e30F), mask, scores)};
}

// Of keys of the tile, what row i of the pair sees, at most `steps` * 32; may be <= 0.
TETRAD_SIMD_INLINE std::int64_t tile_seen(const AttendArgs& args, const QueryPair& pair, std::int64_t i) {
  const std::int64_t seen = args.first_position + (pair.first + i) / args.group + 1 - pair.begin;
  return seen < kStepKeys * pair.steps ? seen : kStepKeys * pair.steps;
}

TETRAD_SIMD_INLINE float largest_score(const float* scores, std::int64_t seen, float before) {
  F32x16 one = set1(before), two = one;
  std::int64_t at = 0;
  for (; at + 32 <= seen; at += 32) {
    one = max(load(scores + at), one);
    two = max(load(scores + at + 16), two);
  }
  if (at < seen) {
    one = max(seen_scores(scores + at, seen - at), one);
    two = max(seen_scores(scores + at + 16, seen - at - 16), two);
  }
  return hmax(max(one, two));
}

// Scores of a row to parts of probabilities; returns the probabilities' sum, not reduced.
TETRAD_SIMD_INLINE F32x16 probabilities(float* scores, std::int64_t seen, std::int64_t keys, float maximum) {
  const F32x16 shift = set1(maximum);
  F32x16 total = zero();
  std::int64_t at = 0;
  for (; at + 32 <= seen; at += 32) {
    const F32x16 a = exp2_floor(load(scores + at) - shift), b = exp2_floor(load(scores + at + 16) - shift);
    total = total + (a + b);
    store_probabilities(a, b, scores + at);
  }
  if (at < seen) {
    const F32x16 a = exp2_floor(seen_scores(scores + at, seen - at) - shift);
    const F32x16 b = exp2_floor(seen_scores(scores + at + 16, seen - at - 16) - shift);
    total = total + (a + b);
    store_probabilities(a, b, scores + at);
    at += 32;
  }
  for (; at < keys; at += 16) store(scores + at, zero());
  return total;
}

// What was summed before is scaled to the new maximum.
TETRAD_SIMD_INLINE void rescale_row(float* sums, std::int64_t head_dim, float& total, float factor) {
  total *= factor;
  for (std::int64_t d = 0; d < head_dim; d += 16) store(sums + d, load(sums + d) * set1(factor));
}

// Scores of a pair's rows to parts of probabilities (not yet divided by their total). All maxima first: the arithmetic
// of one row doesn't wait for its own.
template <bool kSplit>
inline void softmax_pair(const AttendArgs& args, const TileAttention& state, const QueryPair& pair, ReadAhead* next) {
  alignas(64) float factors[kPairRows];
  float *maxima = state.part.maxima + pair.first, *totals = state.part.totals + pair.first;
  for (std::int64_t i = 0; i < pair.rows; ++i) {
    const auto* scores = reinterpret_cast<const float*>(state.scores + i * kScoreStride);
    const float before = pair.fresh ? -__builtin_inff() : maxima[i];
    maxima[i] = largest_score(scores, tile_seen(args, pair, i), before);
    factors[i] = before - maxima[i];
    if (next != nullptr) next->fetch<kSplit>(kSoftmaxLines * args.head_dim / kTileColumns / args.rows);
  }
  for (std::int64_t i = 0; i < kPairRows; i += 16) store(factors + i, exp2_floor(load(factors + i)));
  for (std::int64_t i = 0; i < pair.rows; ++i) {
    auto* scores = reinterpret_cast<float*>(state.scores + i * kScoreStride);
    const std::int64_t seen = tile_seen(args, pair, i);
    if (!pair.fresh && seen > 0 && factors[i] != 1.0F)
      rescale_row(state.part.sums + (pair.first + i) * args.head_dim, args.head_dim, totals[i], factors[i]);
    const float total = hsum(probabilities(scores, seen, kStepKeys * pair.steps, maxima[i]));
    totals[i] = pair.fresh ? total : totals[i] + total;
    if (next != nullptr) next->fetch<kSplit>(kSoftmaxLines * args.head_dim / kTileColumns / args.rows);
  }
}

template <bool kTwo>
TETRAD_SIMD_INLINE void load_pair(const std::byte* sums, std::int64_t stride, bool fresh) {
  if (fresh) return zero_pair<kTwo>();
  amx_load<kSum00>(sums, stride);
  amx_load<kSum01>(sums + 64, stride);
  if constexpr (kTwo) amx_load<kSum10>(sums + 16 * stride, stride);
  if constexpr (kTwo) amx_load<kSum11>(sums + 16 * stride + 64, stride);
}

template <bool kSplit, bool kTwo>
inline void value_pair(const AttendArgs& args, const TileAttention& state, const QueryPair& pair) {
  const std::int64_t tile = kTileBytes * (kSplit ? 2 : 1), stride = 4 * args.head_dim;
  for (std::int64_t d = 0; d < args.head_dim; d += 32) {
    auto* sums = reinterpret_cast<std::byte*>(state.part.sums + pair.first * args.head_dim + d);
    load_pair<kTwo>(sums, stride, pair.fresh);
    const std::byte* v = state.values + d / 16 * tile;
    const std::byte* p = state.scores;
    for (std::int64_t step = 0; step < pair.steps; ++step, p += 128, v += args.head_dim / 16 * tile)
      multiply_parts<kSplit, kTwo>(p, p + 16 * kScoreStride, kScoreStride, 64, v, v + tile);
    store_pair<kTwo>(sums, stride);
  }
}

template <bool kSplit, bool kTwo>
inline void attend_pair(const AttendArgs& args, const TileAttention& state, const QueryPair& pair) {
  shape_pair(pair);
  score_pair<kSplit, kTwo>(args, state, pair);
  softmax_pair<kSplit>(args, state, pair, nullptr);
  value_pair<kSplit, kTwo>(args, state, pair);
}

#include "kernels/amx_attention_few.h"

template <bool kSplit>
inline void attend_tiles(const AttendArgs& args, std::int64_t part_begin, std::int64_t part_end,
                         const AttendPart& part) {
  const TileAttention state = tile_attention(args, part);
  pack_queries<kSplit>(args, set1(args.scale * 1.44269504088896341F), state.queries);  // scores are exponents of 2
  for (std::int64_t row = 0; row < args.rows; ++row) part.totals[row] = 0.0F;
  const std::int64_t keys = args.first_position + (args.rows - 1) / args.group + 1;
  const std::int64_t last = part_end < keys ? part_end : keys;
  ReadAhead next(args, part_begin, last);
  for (std::int64_t begin = part_begin; begin < last; begin += kMatrixKeyTile) {
    const std::int64_t end = last - begin < kMatrixKeyTile ? last : begin + kMatrixKeyTile;
    if (args.rows <= 16 && args.rows <= args.group) {  // of one token: all see all keys
      const std::int64_t steps = (end - begin + kStepKeys - 1) / kStepKeys;
      attend_few<kSplit>(args, state, {0, args.rows, begin, steps, begin == part_begin}, {begin, end, keys}, next);
      continue;
    }
    pack_keys<kSplit>(args, {begin, end, keys}, state.keys, state.gathered, nullptr);
    pack_values<kSplit>(args, {begin, end, keys}, state.values, state.gathered, nullptr);
    for (std::int64_t first = 0; first < args.rows; first += kPairRows) {
      const std::int64_t left = args.rows - first;
      QueryPair pair = {first, left < kPairRows ? left : kPairRows, begin, 0, begin == part_begin};
      std::int64_t seen = args.first_position + (first + pair.rows - 1) / args.group + 1 - begin;
      if (seen <= 0) continue;
      seen = seen < end - begin ? seen : end - begin;
      pair.steps = (seen + kStepKeys - 1) / kStepKeys;
      if (pair.rows > 16)
        attend_pair<kSplit, true>(args, state, pair);
      else
        attend_pair<kSplit, false>(args, state, pair);
    }
  }
  amx_release();
}

void attend_part(const AttendArgs& args, std::int64_t begin, std::int64_t end, const AttendPart& part);

// A block with values that are not finite, token by token.
inline void attend_tokens(const AttendArgs& args, std::int64_t begin, std::int64_t end, const AttendPart& part) {
  for (std::int64_t row = 0; row < args.rows; row += args.group) {
    AttendArgs one = args;
    one.q += row / args.group * args.q_stride;
    one.first_position += row / args.group;
    one.rows = args.rows - row < args.group ? args.rows - row : args.group;
    attend_part(one, begin, end, {part.sums + row * args.head_dim, part.maxima + row, part.totals + row});
  }
}

void attend_part(const AttendArgs& args, std::int64_t begin, std::int64_t end, const AttendPart& part) {
  if (!takes_attention(args)) return avx512::attend_part(args, begin, end, part);
  if (args.rows > args.group && !finite_values(args, begin, end)) return attend_tokens(args, begin, end, part);
  if (args.slots != nullptr && args.paged_bf16)  // as attend_finish() has it
    attend_tiles<false>(args, begin, end, part);
  else
    attend_tiles<true>(args, begin, end, part);
}

TETRAD_SIMD_INLINE F32x16 join_factor(F32x16 difference) { return exp2_floor(difference); }
namespace tiles {
#include "kernels/attention_join.h"
}

void attend_join(const AttendArgs& args, const AttendPart& earlier, const AttendPart& later) {
  (takes_attention(args) ? tiles::attend_join : avx512::attend_join)(args, earlier, later);
}

// Sums over totals, dimensions in their order.
void attend_finish(const AttendArgs& args, const AttendPart& all) {
  if (!takes_attention(args)) return avx512::attend_finish(args, all);
  const __m512i first = _mm512_setr_epi32(0, 1, 2, 3, 16, 17, 18, 19, 4, 5, 6, 7, 20, 21, 22, 23);
  const __m512i second = _mm512_add_epi32(first, _mm512_set1_epi32(8));
  const bool bf16 = args.slots != nullptr && args.paged_bf16;
  for (std::int64_t row = 0; row < args.rows; ++row) {
    const F32x16 factor = set1(1.0F / all.totals[row]);
    const float* sums = all.sums + row * args.head_dim;
    float* out = args.out + row_offset(args, row);
    for (std::int64_t d = 0; d < args.head_dim; d += 32) {
      // Zero is added so that its sign doesn't tell whether keys were there that a row doesn't see.
      const F32x16 a = fma(load(sums + d), factor, zero()), b = fma(load(sums + d + 16), factor, zero());
      store(out + d, bf16 ? F32x16{_mm512_permutex2var_ps(a.v, first, b.v)} : a);
      store(out + d + 16, bf16 ? F32x16{_mm512_permutex2var_ps(a.v, second, b.v)} : b);
    }
  }
}

void fill_attention(KernelTable& table) {
  table.attend_part = attend_part;
  table.attend_join = attend_join;
  table.attend_finish = attend_finish;
  table.attend_rows = 192;  // six pairs of tiles: keys and values are packed once for all
}
