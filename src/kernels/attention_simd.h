// Causal attention, softmax online over tiles of kAttendKeyTile keys at fixed positions from 0. Keys are lanes in the
// scores (a group of 16 keys is transposed once for all rows), head dimensions are lanes in the values: no horizontal
// sums but the softmax's one. Every row's arithmetic depends on its own query and keys alone - masked keys are never
// multiplied in - so it is the same in every block, chunk and batch.

#include "kernels/simd/tile_transpose.h"

#if TETRAD_SIMD_TARGET == TETRAD_SIMD_AVX512
constexpr unsigned kScoreRows = 8, kValueVectors = 4;
#else
constexpr unsigned kScoreRows = 6, kValueVectors = 1;  // 16 registers: 8 rows' sums would not leave one for a key
#endif
constexpr unsigned kValueRows = 6;

struct AttendState {  // scratch of one call
  float* scores;      // [rows, kAttendKeyTile]
  float* sums;        // [rows, head_dim], the running sum of probability * value
  float* maxima;      // [rows]
  float* totals;      // [rows]
  float* keys;        // [head_dim, 16]
  float* gathered;    // [kAttendValueKeys, head_dim], only when paged
};

TETRAD_SIMD_INLINE std::int64_t row_offset(const AttendArgs& args, std::int64_t row) {
  return row / args.group * args.q_stride + row % args.group * args.head_dim;
}
// How many keys of the tile at `begin` row `row` sees (may be <= 0).
TETRAD_SIMD_INLINE std::int64_t keys_seen(const AttendArgs& args, std::int64_t row, std::int64_t begin) {
  const std::int64_t seen = args.first_position + row / args.group + 1 - begin;
  return seen < kAttendKeyTile ? seen : kAttendKeyTile;
}

template <unsigned kRows>
inline void score_rows(const AttendArgs& args, const AttendState& state, std::int64_t row, std::int64_t column) {
  const float* q[kRows];
  F32x16 acc[kRows];
  for (unsigned i = 0; i < kRows; ++i) {
    q[i] = args.q + row_offset(args, row + i);
    acc[i] = zero();
  }
  for (std::int64_t d = 0; d < args.head_dim; ++d) {
    const F32x16 key = load(state.keys + 16 * d);
#pragma GCC unroll 8
    for (unsigned i = 0; i < kRows; ++i) acc[i] = fma(set1(q[i][d]), key, acc[i]);
  }
  for (unsigned i = 0; i < kRows; ++i)
    store(state.scores + (row + i) * kAttendKeyTile + column, acc[i] * set1(args.scale));
}

// Rows [first, first + count) of keys or values as F32, one behind another; the rows after them are fetched meanwhile,
// since the hardware does not foresee where the next slot lies. Then the arithmetic is that of keys that lie so
// already.
TETRAD_SIMD_INLINE void gather(const AttendArgs& args, const std::byte* rows, std::int64_t first, std::int64_t count,
                               std::int64_t keys, float* out) {
  const std::int64_t size = args.paged_bf16 ? 2 : 4, bytes = args.head_dim * size;
  for (std::int64_t i = first; i < first + count; ++i, out += args.head_dim) {
    const std::byte* row = rows + args.slots[i] * args.kv_stride * size;
    if (i + count < keys) {
      const std::byte* later = rows + args.slots[i + count] * args.kv_stride * size;
      for (std::int64_t line = 0; line < bytes; line += 64) __builtin_prefetch(later + line);
    }
    if (args.paged_bf16)
      for (std::int64_t d = 0; d < args.head_dim; d += 16) store(out + d, from_bf16(row + 2 * d));
    else
      for (std::int64_t d = 0; d < args.head_dim; d += 16) store(out + d, from_f32(row + 4 * d));
  }
}

// 16 keys, `stride` floats apart, to [head_dim, 16]; those beyond `count` are zeros.
inline void transpose_keys(const float* k, std::int64_t stride, std::int64_t count, std::int64_t head_dim, float* out) {
#if TETRAD_SIMD_TARGET != TETRAD_SIMD_SCALAR
  constexpr std::int64_t kLanes = 16 / kParts;
  if (count == 16) {
    for (std::int64_t j = 0; j < 16; j += kLanes)
      for (std::int64_t d = 0; d < head_dim; d += 16)
        tile_transpose(reinterpret_cast<const std::byte*>(k + j * stride + d), 4 * stride, out + 16 * d + j, 16);
    return;
  }
#endif
  for (std::int64_t j = 0; j < 16; ++j)
    for (std::int64_t d = 0; d < head_dim; ++d) out[16 * d + j] = j < count ? k[j * stride + d] : 0.0F;
}

inline void score_tile(const AttendArgs& args, const AttendState& state, std::int64_t begin, std::int64_t end) {
  for (std::int64_t first = begin; first < end; first += 16) {
    const std::int64_t count = end - first < 16 ? end - first : 16, column = first - begin;
    if (args.slots != nullptr) {
      gather(args, args.paged_k, first, count, end, state.gathered);
      transpose_keys(state.gathered, args.head_dim, count, args.head_dim, state.keys);
    } else {
      transpose_keys(args.k + first * args.kv_stride, args.kv_stride, count, args.head_dim, state.keys);
    }
    std::int64_t row = (first - args.first_position) * args.group;  // rows before it see none of these keys
    row = row > 0 ? row : 0;
    for (; row + kScoreRows <= args.rows; row += kScoreRows) score_rows<kScoreRows>(args, state, row, column);
    for (; row + 6 <= args.rows; row += 6) score_rows<6>(args, state, row, column);
    for (; row + 3 <= args.rows; row += 3) score_rows<3>(args, state, row, column);
    for (; row < args.rows; ++row) score_rows<1>(args, state, row, column);
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

// Adds keys [first, last) of the tile to kRows rows; v: the value of key `first`.
template <unsigned kRows, unsigned kVectors>
inline void value_rows(const AttendArgs& args, const AttendState& state, std::int64_t row, std::int64_t first,
                       std::int64_t last, const float* v, std::int64_t v_stride, std::int64_t d) {
  F32x16 acc[kRows][kVectors];
  float* sums = state.sums + row * args.head_dim + d;
#pragma GCC unroll 8
  for (unsigned i = 0; i < kRows; ++i)
#pragma GCC unroll 8
    for (unsigned j = 0; j < kVectors; ++j) acc[i][j] = load(sums + i * args.head_dim + 16 * j);
  const float* p = state.scores + row * kAttendKeyTile;
  v += d;
  for (std::int64_t key = first; key < last; ++key, v += v_stride) {
    F32x16 value[kVectors];
#pragma GCC unroll 8
    for (unsigned j = 0; j < kVectors; ++j) value[j] = load(v + 16 * j);
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

template <unsigned kRows>
inline void value_block(const AttendArgs& args, const AttendState& state, std::int64_t row, std::int64_t first,
                        std::int64_t last, const float* v, std::int64_t v_stride) {
  std::int64_t d = 0;
  for (; d + 16 * kValueVectors <= args.head_dim; d += 16 * kValueVectors)
    value_rows<kRows, kValueVectors>(args, state, row, first, last, v, v_stride, d);
  for (; d < args.head_dim; d += 16) value_rows<kRows, 1>(args, state, row, first, last, v, v_stride, d);
}

// kRows rows with keys [first, last) of the tile at `begin`: those that the first row sees, for all of them together.
template <unsigned kRows>
inline void value_group(const AttendArgs& args, const AttendState& state, std::int64_t begin, std::int64_t row,
                        std::int64_t first, std::int64_t last, const float* v, std::int64_t v_stride) {
  std::int64_t shared = keys_seen(args, row, begin);
  shared = shared < first ? first : (shared < last ? shared : last);
  if (shared > first) value_block<kRows>(args, state, row, first, shared, v, v_stride);
  if (shared == last) return;
  for (unsigned i = 0; i < kRows; ++i) {
    const std::int64_t seen = keys_seen(args, row + i, begin), end = seen < last ? seen : last;
    if (end > shared) value_block<1>(args, state, row + i, shared, end, v + (shared - first) * v_stride, v_stride);
  }
}

// All rows with keys [first, last) of the tile.
inline void value_keys(const AttendArgs& args, const AttendState& state, std::int64_t begin, std::int64_t first,
                       std::int64_t last, const float* v, std::int64_t v_stride) {
  std::int64_t row = 0;
  for (; row + kValueRows <= args.rows; row += kValueRows)
    value_group<kValueRows>(args, state, begin, row, first, last, v, v_stride);
  for (; row + 2 <= args.rows; row += 2) value_group<2>(args, state, begin, row, first, last, v, v_stride);
  if (row < args.rows) value_group<1>(args, state, begin, row, first, last, v, v_stride);
}

inline void value_tile(const AttendArgs& args, const AttendState& state, std::int64_t begin, std::int64_t end) {
  if (args.slots == nullptr) {
    value_keys(args, state, begin, 0, end - begin, args.v + begin * args.kv_stride, args.kv_stride);
    return;
  }
  for (std::int64_t at = begin; at < end; at += kAttendValueKeys) {
    const std::int64_t count = end - at < kAttendValueKeys ? end - at : kAttendValueKeys;
    gather(args, args.paged_v, at, count, end, state.gathered);
    value_keys(args, state, begin, at - begin, at - begin + count, state.gathered, args.head_dim);
  }
}

void attend(const AttendArgs& args) {
  AttendState state;
  state.scores = args.scratch;
  state.sums = state.scores + args.rows * kAttendKeyTile;
  state.keys = state.sums + args.rows * args.head_dim;
  state.gathered = state.keys + 16 * args.head_dim;
  state.maxima = state.gathered + (args.slots != nullptr ? kAttendValueKeys * args.head_dim : 0);
  state.totals = state.maxima + args.rows;
  for (std::int64_t i = 0; i < args.rows * args.head_dim; ++i) state.sums[i] = 0.0F;
  for (std::int64_t row = 0; row < args.rows; ++row) {
    state.maxima[row] = -__builtin_inff();
    state.totals[row] = 0.0F;
  }
  const std::int64_t keys = args.first_position + (args.rows - 1) / args.group + 1;
  for (std::int64_t begin = 0; begin < keys; begin += kAttendKeyTile) {
    const std::int64_t count = keys - begin < kAttendKeyTile ? keys - begin : kAttendKeyTile;
    score_tile(args, state, begin, begin + count);
    for (std::int64_t row = 0; row < args.rows; ++row)
      if (const std::int64_t seen = keys_seen(args, row, begin); seen > 0) softmax_row(args, state, row, seen);
    value_tile(args, state, begin, begin + count);
  }
  for (std::int64_t row = 0; row < args.rows; ++row) {
    const F32x16 factor = set1(1.0F / state.totals[row]);
    float* out = args.out + row_offset(args, row);
    for (std::int64_t d = 0; d < args.head_dim; d += 16) {
      const F32x16 value = load(state.sums + row * args.head_dim + d) * factor;
      store(out + d, args.bf16 ? round_bf16(value) : value);
    }
  }
}

void fill_attention(KernelTable& table) { table.attend = attend; }
