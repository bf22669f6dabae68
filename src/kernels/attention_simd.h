// Causal attention, softmax online over tiles of kAttendKeyTile keys at fixed positions from 0. Keys are lanes in the
// scores (a group of 16 keys is transposed once for all rows), head dimensions are lanes in the values: no horizontal
// sums but the softmax's one. Every row's arithmetic depends on its own query and keys alone - masked keys are never
// multiplied in - so it is the same in every block, chunk and batch.

#if TETRAD_SIMD_TARGET == TETRAD_SIMD_AVX512
constexpr unsigned kScoreRows = 8, kValueVectors = 4;
#else
constexpr unsigned kScoreRows = 4, kValueVectors = 1;
#endif
constexpr unsigned kValueRows = 4;

struct AttendState {  // scratch of one call
  float* scores;      // [rows, kAttendKeyTile]
  float* sums;        // [rows, head_dim], the running sum of probability * value
  float* maxima;      // [rows]
  float* totals;      // [rows]
  float* keys;        // [head_dim, 16]
  // The tile's keys and values: key `begin + i` at tile_k + i * stride.
  const float* tile_k;
  const float* tile_v;
  std::int64_t stride;
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

inline void score_tile(const AttendArgs& args, const AttendState& state, std::int64_t begin, std::int64_t count) {
  for (std::int64_t column = 0; column < count; column += 16) {
    for (std::int64_t j = 0; j < 16; ++j) {
      const float* key = column + j < count ? state.tile_k + (column + j) * state.stride : nullptr;
      for (std::int64_t d = 0; d < args.head_dim; ++d) state.keys[16 * d + j] = key != nullptr ? key[d] : 0.0F;
    }
    std::int64_t row = (begin + column - args.first_position) * args.group;  // rows before it see none of these keys
    row = row > 0 ? row : 0;
    for (; row + kScoreRows <= args.rows; row += kScoreRows) score_rows<kScoreRows>(args, state, row, column);
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

template <unsigned kRows, unsigned kVectors>
inline void value_rows(const AttendArgs& args, const AttendState& state, std::int64_t row, std::int64_t first,
                       std::int64_t count, std::int64_t d) {
  F32x16 acc[kRows][kVectors];
  float* sums = state.sums + row * args.head_dim + d;
  for (unsigned i = 0; i < kRows; ++i)
    for (unsigned j = 0; j < kVectors; ++j) acc[i][j] = load(sums + i * args.head_dim + 16 * j);
  const float* p = state.scores + row * kAttendKeyTile;
  const float* v = state.tile_v + first * state.stride + d;
  for (std::int64_t key = first; key < count; ++key, v += state.stride) {
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
  for (unsigned i = 0; i < kRows; ++i)
    for (unsigned j = 0; j < kVectors; ++j) store(sums + i * args.head_dim + 16 * j, acc[i][j]);
}

template <unsigned kRows>
inline void value_block(const AttendArgs& args, const AttendState& state, std::int64_t row, std::int64_t first,
                        std::int64_t count) {
  std::int64_t d = 0;
  for (; d + 16 * kValueVectors <= args.head_dim; d += 16 * kValueVectors)
    value_rows<kRows, kValueVectors>(args, state, row, first, count, d);
  for (; d < args.head_dim; d += 16) value_rows<kRows, 1>(args, state, row, first, count, d);
}

inline void value_tile(const AttendArgs& args, const AttendState& state, std::int64_t begin) {
  std::int64_t row = 0;
  for (; row + kValueRows <= args.rows; row += kValueRows) {
    std::int64_t shared = keys_seen(args, row, begin);  // the first row sees the fewest
    shared = shared > 0 ? shared : 0;
    if (shared > 0) value_block<kValueRows>(args, state, row, 0, shared);
    for (unsigned i = 0; i < kValueRows; ++i)
      if (const std::int64_t seen = keys_seen(args, row + i, begin); seen > shared)
        value_block<1>(args, state, row + i, shared, seen);
  }
  for (; row < args.rows; ++row)
    if (const std::int64_t seen = keys_seen(args, row, begin); seen > 0) value_block<1>(args, state, row, 0, seen);
}

// Rows of a page to F32, one behind another: then the arithmetic is that of keys that lie so already.
TETRAD_SIMD_INLINE void gather(const AttendArgs& args, const std::byte* rows, std::int64_t begin, std::int64_t count,
                               float* out) {
  const std::int64_t size = args.paged_bf16 ? 2 : 4;
  for (std::int64_t i = 0; i < count; ++i) {
    const std::byte* row = rows + args.slots[begin + i] * args.kv_stride * size;
    float* to = out + i * args.head_dim;
    if (args.paged_bf16)
      for (std::int64_t d = 0; d < args.head_dim; d += 16) store(to + d, from_bf16(row + 2 * d));
    else
      for (std::int64_t d = 0; d < args.head_dim; d += 16) store(to + d, from_f32(row + 4 * d));
  }
}

inline void set_tile(const AttendArgs& args, AttendState& state, float* gathered, std::int64_t begin,
                     std::int64_t count) {
  if (args.slots == nullptr) {
    state.tile_k = args.k + begin * args.kv_stride;
    state.tile_v = args.v + begin * args.kv_stride;
    state.stride = args.kv_stride;
    return;
  }
  float* values = gathered + kAttendKeyTile * args.head_dim;
  gather(args, args.paged_k, begin, count, gathered);
  gather(args, args.paged_v, begin, count, values);
  state.tile_k = gathered;
  state.tile_v = values;
  state.stride = args.head_dim;
}

void attend(const AttendArgs& args) {
  AttendState state;
  state.scores = args.scratch;
  state.sums = state.scores + args.rows * kAttendKeyTile;
  state.maxima = state.sums + args.rows * args.head_dim;
  state.totals = state.maxima + args.rows;
  state.keys = state.totals + args.rows;
  float* gathered = state.keys + 16 * args.head_dim;  // keys and values of a tile, only when paged
  for (std::int64_t i = 0; i < args.rows * args.head_dim; ++i) state.sums[i] = 0.0F;
  for (std::int64_t row = 0; row < args.rows; ++row) {
    state.maxima[row] = -__builtin_inff();
    state.totals[row] = 0.0F;
  }
  const std::int64_t keys = args.first_position + (args.rows - 1) / args.group + 1;
  for (std::int64_t begin = 0; begin < keys; begin += kAttendKeyTile) {
    const std::int64_t count = keys - begin < kAttendKeyTile ? keys - begin : kAttendKeyTile;
    set_tile(args, state, gathered, begin, count);
    score_tile(args, state, begin, count);
    for (std::int64_t row = 0; row < args.rows; ++row)
      if (const std::int64_t seen = keys_seen(args, row, begin); seen > 0) softmax_row(args, state, row, seen);
    value_tile(args, state, begin);
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
