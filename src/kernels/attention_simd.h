// Causal attention, softmax online over tiles of kAttendKeyTile keys at fixed positions from 0. Keys are lanes in the
// scores (a group of 16 keys is transposed once for all rows), head dimensions are lanes in the values: no horizontal
// sums but the softmax's one. Every row's arithmetic depends on its own query and keys alone - masked keys are never
// multiplied in - so it is the same in every block, chunk and batch.
//
// Rows of a pool are read where they lie if their slots follow one another, which they mostly do. BF16 keys are
// transposed as pairs of dimensions, half the shuffles, and taken apart in front of the multiply-adds; BF16 values are
// widened there too if there is one block of rows only (a decoded token), else once for all blocks.

#include "kernels/attention_rows.h"
#include "kernels/simd/tile_transpose.h"

#if TETRAD_SIMD_TARGET == TETRAD_SIMD_AVX512
constexpr unsigned kScoreRows = 8, kValueVectors = 4;
#else
constexpr unsigned kScoreRows = 6, kValueVectors = 1;  // 16 registers: 8 rows' sums would not leave one for a key
#endif
constexpr unsigned kValueRows = 6;
constexpr bool kKeyPairs = TETRAD_SIMD_TARGET != TETRAD_SIMD_SCALAR;

struct AttendState {  // scratch of one call
  float* scores;      // [rows, kAttendKeyTile]
  float* sums;        // [rows, head_dim], the running sum of probability * value
  float* maxima;      // [rows]
  float* totals;      // [rows]
  float* keys;        // [head_dim, 16], or pairs: [head_dim / 2, 16]
  float* gathered;    // [kAttendValueKeys, head_dim]
};
// BF16 keys are taken as pairs of dimensions; values, and their sums, lie as from_bf16_apart() gives them.
TETRAD_SIMD_INLINE bool in_pairs(const AttendArgs& args) {
  return kKeyPairs && args.slots != nullptr && args.paged_bf16 && args.head_dim % 32 == 0;
}
// How many keys of the tile at `begin` row `row` sees (may be <= 0).
TETRAD_SIMD_INLINE std::int64_t keys_seen(const AttendArgs& args, std::int64_t row, std::int64_t begin) {
  const std::int64_t seen = args.first_position + row / args.group + 1 - begin;
  return seen < kAttendKeyTile ? seen : kAttendKeyTile;
}

// Rows [first, first + count) of a pool as F32, one behind another.
TETRAD_SIMD_INLINE KvRows widen(const AttendArgs& args, const std::byte* pool, std::int64_t first, std::int64_t count,
                                float* out) {
  float* to = out;
  for (std::int64_t i = first; i < first + count; ++i, to += args.head_dim) {
    const std::byte* row = pool + args.slots[i] * args.kv_stride * 2;
    if (in_pairs(args))
      for (std::int64_t d = 0; d < args.head_dim; d += 16 * kApart) {
        F32x16 apart[kApart];
        from_bf16_apart(row + 2 * d, apart);
        for (unsigned j = 0; j < kApart; ++j) store(to + d + 16 * j, apart[j]);
      }
    else
      for (std::int64_t d = 0; d < args.head_dim; d += 16) store(to + d, from_bf16(row + 2 * d));
  }
  return {reinterpret_cast<const std::byte*>(out), args.head_dim * 4, false};
}

// Dwords [d, d + 16) of 16 keys, dwords as columns: [16, 16].
TETRAD_SIMD_INLINE void transpose_keys(const KvRows& rows, std::int64_t d, float* out) {
#if TETRAD_SIMD_TARGET != TETRAD_SIMD_SCALAR
  constexpr std::int64_t kLanes = 16 / kParts;
  for (std::int64_t j = 0; j < 16; j += kLanes)
    tile_transpose(rows.at + j * rows.stride + 4 * d, rows.stride, out + j, 16);
#else
  for (std::int64_t j = 0; j < 16; ++j)
    for (std::int64_t i = 0; i < 16; ++i)
      __builtin_memcpy(out + 16 * i + j, rows.at + j * rows.stride + 4 * (d + i), 4);
#endif
}

// 16 keys, or pairs of them, from state.keys; kTranspose: from where they lie, into state.keys. Done chunk by chunk, so
// that the processor transposes one while it still adds the last.
// ahead: where 16 rows are to be fetched as well, or nullptr.
template <bool kPairs, unsigned kRows, bool kFetch, bool kTranspose>
inline void score_rows(const AttendArgs& args, const AttendState& state, const KvRows& rows, std::int64_t row,
                       std::int64_t column, const Ahead* ahead) {
  const float* q[kRows];
  F32x16 acc[kRows];
  for (unsigned i = 0; i < kRows; ++i) {
    q[i] = args.q + row_offset(args, row + i);
    acc[i] = zero();
  }
  constexpr std::int64_t kStep = kPairs ? 2 : 1;
  float* keys = state.keys;
  for (std::int64_t begin = 0; begin < args.head_dim; begin += 16 * kStep, keys += 256) {
    if constexpr (kTranspose) transpose_keys(rows, begin / kStep, keys);
    for (std::int64_t i = 0; i < 16; ++i) {
      if constexpr (kFetch) fetch(ahead->rows[i] + 64 * (begin / (16 * kStep)));
      const std::int64_t d = begin + i * kStep;
      const F32x16 raw = load(keys + 16 * i), key = kPairs ? pair_low(raw) : raw;
#pragma GCC unroll 8
      for (unsigned r = 0; r < kRows; ++r) acc[r] = fma(set1(q[r][d]), key, acc[r]);
      if constexpr (kPairs) {
        const F32x16 second = pair_high(raw);
#pragma GCC unroll 8
        for (unsigned r = 0; r < kRows; ++r) acc[r] = fma(set1(q[r][d + 1]), second, acc[r]);
      }
    }
  }
  for (unsigned i = 0; i < kRows; ++i)
    store(state.scores + (row + i) * kAttendKeyTile + column, acc[i] * set1(args.scale));
}

// 16 keys and the work on them that their first rows of queries do besides.
struct KeyGroup {
  KvRows rows;
  std::int64_t column;
  const Ahead* ahead;  // to be fetched, or nullptr
  bool stored;         // not transposed yet
};

template <bool kPairs, unsigned kRows>
inline void score_group(const AttendArgs& args, const AttendState& state, std::int64_t& row, KeyGroup& keys) {
  for (; row + kRows <= args.rows; row += kRows) {
    if (!keys.stored)
      score_rows<kPairs, kRows, false, false>(args, state, keys.rows, row, keys.column, nullptr);
    else if (keys.ahead != nullptr)
      score_rows<kPairs, kRows, true, true>(args, state, keys.rows, row, keys.column, keys.ahead);
    else
      score_rows<kPairs, kRows, false, true>(args, state, keys.rows, row, keys.column, nullptr);
    keys.stored = false;
  }
}

template <bool kPairs>
inline void score_keys(const AttendArgs& args, const AttendState& state, std::int64_t first, KeyGroup keys) {
  std::int64_t row = (first - args.first_position) * args.group;  // rows before it see none of these keys
  row = row > 0 ? row : 0;
  score_group<kPairs, kScoreRows>(args, state, row, keys);
  score_group<kPairs, 6>(args, state, row, keys);
  score_group<kPairs, 3>(args, state, row, keys);
  score_group<kPairs, 1>(args, state, row, keys);
}

inline void score_tile(const AttendArgs& args, const AttendState& state, std::int64_t begin, std::int64_t end,
                       std::int64_t keys) {
  const bool bf16 = args.slots != nullptr && args.paged_bf16, pairs = in_pairs(args);
  Ahead rows_ahead;
  const Ahead* ahead = args.slots != nullptr ? &rows_ahead : nullptr;
  for (std::int64_t first = begin; first < end; first += 16) {
    const std::int64_t count = end - first < 16 ? end - first : 16;
    if (ahead != nullptr) look_ahead(args, {args.paged_k, args.paged_v, end, begin, keys}, first, 16, rows_ahead);
    KeyGroup group = {{}, first - begin, ahead, true};
    if (bf16 && !pairs) {
      group.rows = widen(args, args.paged_k, first, count, state.gathered);
      for (std::int64_t i = count * args.head_dim; i < 16 * args.head_dim; ++i) state.gathered[i] = 0.0F;
    } else {
      group.rows = stored_rows(args, args.paged_k, args.k, first, count, 16, state.gathered);
    }
    if (pairs)
      score_keys<kKeyPairs>(args, state, first, group);
    else
      score_keys<false>(args, state, first, group);
  }
}

// Scores to probabilities (not yet divided by their total); what was summed before is scaled to the new maximum.
inline void softmax_row(const AttendArgs& args, const AttendState& state, std::int64_t row, std::int64_t seen) {
  float* scores = state.scores + row * kAttendKeyTile;
  const std::int64_t padded = (seen + 15) / 16 * 16;
  for (std::int64_t i = seen; i < padded; ++i) scores[i] = -__builtin_inff();
  F32x16 largest = set1(state.maxima[row]);
  for (std::int64_t i = 0; i < padded; i += 16) largest = max(load(scores + i), largest);
  const float maximum = hmax(largest);
  F32x16 total = zero();
  for (std::int64_t i = 0; i < padded; i += 16) {
    const F32x16 p = exp(load(scores + i) - set1(maximum));
    total = total + p;
    store(scores + i, args.bf16 ? round_bf16(p) : p);
  }
  if (state.totals[row] > 0.0F) {
    float factors[16];
    store(factors, exp(set1(state.maxima[row] - maximum)));
    state.totals[row] = state.totals[row] * factors[0] + hsum(total);
    float* sums = state.sums + row * args.head_dim;
    for (std::int64_t d = 0; d < args.head_dim; d += 16) store(sums + d, load(sums + d) * load(factors));
  } else {
    state.totals[row] = hsum(total);
  }
  state.maxima[row] = maximum;
}

// Adds keys [first, last) of the tile to kRows rows; v: the value of key `first`; ahead: rows to fetch as well, one a
// key, or nullptr.
template <bool kBf16, unsigned kRows, unsigned kVectors, bool kFetch>
inline void value_rows(const AttendArgs& args, const AttendState& state, std::int64_t row, std::int64_t first,
                       std::int64_t last, KvRows v, std::int64_t d, const Ahead* ahead) {
  F32x16 acc[kRows][kVectors];
  float* sums = state.sums + row * args.head_dim + d;
#pragma GCC unroll 8
  for (unsigned i = 0; i < kRows; ++i)
#pragma GCC unroll 8
    for (unsigned j = 0; j < kVectors; ++j) acc[i][j] = load(sums + i * args.head_dim + 16 * j);
  const float* p = state.scores + row * kAttendKeyTile;
  constexpr std::int64_t kSize = kBf16 ? 2 : 4;
  const std::byte* at = v.at + kSize * d;
  for (std::int64_t key = first; key < last; ++key, at += v.stride) {
    if constexpr (kFetch) {
      const std::int64_t size = args.paged_bf16 ? 2 : 4;
      const std::byte* line = ahead->rows[key - first] + size * d;
      for (std::int64_t byte = 0; byte < 16 * size * kVectors; byte += 64) fetch(line + byte);
    }
    F32x16 value[kVectors];
#pragma GCC unroll 8
    for (unsigned j = 0; j < kVectors; j += kBf16 ? kApart : 1)
      if constexpr (kBf16)
        from_bf16_apart(at + 32 * j, value + j);
      else
        value[j] = from_f32(at + 64 * j);
#pragma GCC unroll 8
    for (unsigned i = 0; i < kRows; ++i) {
      const F32x16 weight = set1(p[i * kAttendKeyTile + key]);
#pragma GCC unroll 8
      for (unsigned j = 0; j < kVectors; ++j) acc[i][j] = fma(weight, value[j], acc[i][j]);
    }
  }
#pragma GCC unroll 8
  for (unsigned i = 0; i < kRows; ++i)
#pragma GCC unroll 8
    for (unsigned j = 0; j < kVectors; ++j) store(sums + i * args.head_dim + 16 * j, acc[i][j]);
}

template <bool kBf16, unsigned kRows, bool kFetch>
inline void value_block(const AttendArgs& args, const AttendState& state, std::int64_t row, std::int64_t first,
                        std::int64_t last, const KvRows& v, const Ahead* ahead) {
  std::int64_t d = 0;
  for (; d + 16 * kValueVectors <= args.head_dim; d += 16 * kValueVectors)
    value_rows<kBf16, kRows, kValueVectors, kFetch>(args, state, row, first, last, v, d, ahead);
  constexpr unsigned kLeft = kBf16 ? kApart : 1;
  for (; d < args.head_dim; d += 16 * kLeft)
    value_rows<kBf16, kRows, kLeft, kFetch>(args, state, row, first, last, v, d, ahead);
}

// kRows rows with keys [first, last) of the tile at `begin`: those that the first row sees, for all of them together.
template <bool kBf16, unsigned kRows>
inline void value_group(const AttendArgs& args, const AttendState& state, std::int64_t begin, std::int64_t row,
                        std::int64_t first, std::int64_t last, const KvRows& v, const Ahead* ahead) {
  std::int64_t shared = keys_seen(args, row, begin);
  shared = shared < first ? first : (shared < last ? shared : last);
  if (shared > first && ahead != nullptr)
    value_block<kBf16, kRows, true>(args, state, row, first, shared, v, ahead);
  else if (shared > first)
    value_block<kBf16, kRows, false>(args, state, row, first, shared, v, nullptr);
  if (shared == last) return;
  const KvRows rest = {v.at + (shared - first) * v.stride, v.stride, v.bf16};
  for (unsigned i = 0; i < kRows; ++i) {
    const std::int64_t seen = keys_seen(args, row + i, begin), end = seen < last ? seen : last;
    if (end > shared) value_block<kBf16, 1, false>(args, state, row + i, shared, end, rest, nullptr);
  }
}

// All rows with keys [first, last) of the tile; the first rows of queries fetch what is ahead.
template <bool kBf16>
inline void value_keys(const AttendArgs& args, const AttendState& state, std::int64_t begin, std::int64_t first,
                       std::int64_t last, const KvRows& v, const Ahead* ahead) {
  std::int64_t row = 0;
  for (; row + kValueRows <= args.rows; row += kValueRows, ahead = nullptr)
    value_group<kBf16, kValueRows>(args, state, begin, row, first, last, v, ahead);
  for (; row + 2 <= args.rows; row += 2, ahead = nullptr)
    value_group<kBf16, 2>(args, state, begin, row, first, last, v, ahead);
  if (row < args.rows) value_group<kBf16, 1>(args, state, begin, row, first, last, v, ahead);
}

inline void value_tile(const AttendArgs& args, const AttendState& state, std::int64_t begin, std::int64_t end,
                       std::int64_t keys) {
  if (args.slots == nullptr) {
    const auto* at = reinterpret_cast<const std::byte*>(args.v + begin * args.kv_stride);
    return value_keys<false>(args, state, begin, 0, end - begin, {at, args.kv_stride * 4, false}, nullptr);
  }
  const bool as_stored = in_pairs(args) && args.rows <= kValueRows;
  Ahead ahead;
  for (std::int64_t first = begin; first < end; first += kAttendValueKeys) {
    const std::int64_t count = end - first < kAttendValueKeys ? end - first : kAttendValueKeys, at = first - begin;
    look_ahead(args, {args.paged_v, args.paged_k, end, end, keys}, first, count, ahead);
    const KvRows v = args.paged_bf16 && !as_stored
                         ? widen(args, args.paged_v, first, count, state.gathered)
                         : stored_rows(args, args.paged_v, nullptr, first, count, count, state.gathered);
    if (v.bf16)
      value_keys<true>(args, state, begin, at, at + count, v, &ahead);
    else
      value_keys<false>(args, state, begin, at, at + count, v, &ahead);
  }
}

void attend_part(const AttendArgs& args, std::int64_t part_begin, std::int64_t part_end, const AttendPart& part) {
  AttendState state;
  state.scores = args.scratch;
  state.keys = state.scores + args.rows * kAttendKeyTile;
  state.gathered = state.keys + 16 * args.head_dim;
  state.sums = part.sums;
  state.maxima = part.maxima;
  state.totals = part.totals;
  for (std::int64_t i = 0; i < args.rows * args.head_dim; ++i) state.sums[i] = 0.0F;
  for (std::int64_t row = 0; row < args.rows; ++row) {
    state.maxima[row] = -__builtin_inff();
    state.totals[row] = 0.0F;
  }
  const std::int64_t keys = args.first_position + (args.rows - 1) / args.group + 1;
  const std::int64_t last = part_end < keys ? part_end : keys;
  for (std::int64_t begin = part_begin; begin < last; begin += kAttendKeyTile) {
    const std::int64_t count = last - begin < kAttendKeyTile ? last - begin : kAttendKeyTile;
    score_tile(args, state, begin, begin + count, keys);
    for (std::int64_t row = 0; row < args.rows; ++row)
      if (const std::int64_t seen = keys_seen(args, row, begin); seen > 0) softmax_row(args, state, row, seen);
    value_tile(args, state, begin, begin + count, keys);
  }
}

TETRAD_SIMD_INLINE F32x16 join_factor(F32x16 difference) { return exp(difference); }
#include "kernels/attention_join.h"

void attend_finish(const AttendArgs& args, const AttendPart& all) {
  for (std::int64_t row = 0; row < args.rows; ++row) {
    const F32x16 factor = set1(1.0F / all.totals[row]);
    float* out = args.out + row_offset(args, row);
    for (std::int64_t d = 0; d < args.head_dim; d += 16) {
      const F32x16 value = load(all.sums + row * args.head_dim + d) * factor;
      store(out + d, args.bf16 ? round_bf16(value) : value);
    }
    if (in_pairs(args))
      for (std::int64_t d = 0; d < args.head_dim; d += 16 * kApart) {
        F32x16 apart[kApart];
        for (unsigned j = 0; j < kApart; ++j) apart[j] = load(out + d + 16 * j);
        join_apart(apart);
        for (unsigned j = 0; j < kApart; ++j) store(out + d + 16 * j, apart[j]);
      }
  }
}

void fill_attention(KernelTable& table) {
  table.attend_part = attend_part;
  table.attend_join = attend_join;
  table.attend_finish = attend_finish;
}
