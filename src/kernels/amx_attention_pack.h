// Queries, keys and values as AMX's tiles, for amx_attention.h.
#include "kernels/attention_rows.h"

constexpr std::int64_t kStepKeys = 32;  // keys a multiplication takes
constexpr std::int64_t kFewAhead = 64;  // rows

struct KeyRange {
  std::int64_t begin, end, keys;  // of a tile; keys: the context
};

// What a decoded token reads next, kFewAhead rows ahead: a tile's keys, then its values, then the next tile's; fetched
// line by line from everywhere in the work. Where only packing did, memory waited while tiles were multiplied.
class ReadAhead {
 public:
  // Keys in [begin, end).
  ReadAhead(const AttendArgs& args, std::int64_t begin, std::int64_t end) : args_(args), end_(end) {
    stride_ = args.kv_stride * (args.slots != nullptr && args.paged_bf16 ? 2 : 4);
    tile(begin);
    key_ = begin + kFewAhead < tile_end_ ? begin + kFewAhead : tile_end_ - 1;
    if (begin < end) row_ = row();
  }

  // `lines` of BF16 rows, twice as many of F32 ones.
  template <bool kSplit>
  TETRAD_SIMD_INLINE void fetch(std::int64_t lines) {
    const std::int64_t bytes = args_.head_dim * (kSplit ? 4 : 2);
    for (std::int64_t i = 0; i < lines * (kSplit ? 2 : 1) && row_ != nullptr; ++i, at_ += 64) {
      if (at_ >= bytes) next_row();
      if (row_ != nullptr) __builtin_prefetch(row_ + at_, 0, 2);
    }
  }

 private:
  void tile(std::int64_t begin) {
    tile_begin_ = key_ = begin;
    tile_end_ = end_ - begin < kMatrixKeyTile ? end_ : begin + kMatrixKeyTile;
  }
  const std::byte* row() const {
    if (args_.slots != nullptr) return (values_ ? args_.paged_v : args_.paged_k) + args_.slots[key_] * stride_;
    return reinterpret_cast<const std::byte*>(values_ ? args_.v : args_.k) + key_ * stride_;
  }
  void next_row() {
    at_ = 0;
    if (++key_ == tile_end_) {
      values_ = !values_;
      if (values_)
        key_ = tile_begin_;
      else if (tile_end_ < end_)
        tile(tile_end_);
      else
        return void(row_ = nullptr);
    }
    row_ = row();
  }

  const AttendArgs& args_;
  std::int64_t end_, tile_begin_ = 0, tile_end_ = 0, key_ = 0, stride_ = 0, at_ = 0;
  bool values_ = false;
  const std::byte* row_ = nullptr;
};
// Lines of 32 dimensions of a row in each piece of work, of a tile 516 together where it has 512.
constexpr std::int64_t kKeyLines = 10, kValueLines = 3, kScoreLines = 8, kSoftmaxLines = 18;  // of 16 keys, 4, 32, all

// 32 probabilities in place of their scores: first parts, then second ones; in each, number i and number i + 16 are a
// pair. The first parts are rounded up at half (a NaN stays one by its second part), the second cut off: 2^-16 of a
// probability at most, on average nothing.
TETRAD_SIMD_INLINE void store_probabilities(F32x16 a, F32x16 b, float* out) {
  const __m512i half = _mm512_set1_epi32(0x8000), upper = _mm512_set1_epi32(static_cast<int>(0xFFFF0000U));
  const __m512i a_bits = _mm512_add_epi32(_mm512_castps_si512(a.v), half);
  const __m512i b_bits = _mm512_and_si512(_mm512_add_epi32(_mm512_castps_si512(b.v), half), upper);
  const F32x16 a_left = a - F32x16{_mm512_castsi512_ps(_mm512_and_si512(a_bits, upper))};
  const F32x16 b_left = b - F32x16{_mm512_castsi512_ps(b_bits)};
  _mm512_storeu_si512(out, _mm512_or_si512(_mm512_srli_epi32(a_bits, 16), b_bits));
  amx_store_halves(a_left, b_left, reinterpret_cast<std::uint32_t*>(out + 16));
}

// Two parts of F32 numbers: the nearest BF16, halves away from zero, and what it leaves, a little larger and then cut
// off: on average as near as if rounded (0.31 of a unit, not 0.29; without the factor 0.58, and logits were 2.3e-4 from
// transformers', not 5.6e-5), and a NaN stays one. a's in the lower halves, b's in the upper ones. No shuffles.
TETRAD_SIMD_INLINE void store_split(F32x16 a, F32x16 b, std::byte* first, std::byte* second) {
  const __m512i half = _mm512_set1_epi32(0x8000), upper = _mm512_set1_epi32(static_cast<int>(0xFFFF0000U));
  const __m512i a_bits = _mm512_and_si512(_mm512_add_epi32(_mm512_castps_si512(a.v), half), upper);
  const __m512i b_bits = _mm512_and_si512(_mm512_add_epi32(_mm512_castps_si512(b.v), half), upper);
  const F32x16 a_left = a - F32x16{_mm512_castsi512_ps(a_bits)}, b_left = b - F32x16{_mm512_castsi512_ps(b_bits)};
  _mm512_storeu_si512(first, _mm512_or_si512(_mm512_srli_epi32(a_bits, 16), b_bits));
  const F32x16 up = set1(1.0F + 0x1.8p-9F);
  amx_store_halves(a_left * up, b_left * up, reinterpret_cast<std::uint32_t*>(second));
}

// Times `factor`, both parts rounded to nearest. Pairs of dimensions as keys have them: neighbours, of F32 ones 16
// apart.
template <bool kSplit>
inline void pack_queries(const AttendArgs& args, F32x16 factor, std::byte* out) {
  const std::int64_t chunks = args.head_dim / kTileColumns;
  const __m512i first = _mm512_setr_epi32(0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
  const __m512i second = _mm512_add_epi32(first, _mm512_set1_epi32(8));
  for (std::int64_t row = 0; row < args.rows; ++row) {
    const float* q = args.q + row_offset(args, row);
    std::byte* to = out + row / 16 * chunks * 2 * kTileBytes + row % 16 * 64;
    for (std::int64_t c = 0; c < chunks; ++c, to += 2 * kTileBytes) {
      const F32x16 a = load(q + 32 * c) * factor, b = load(q + 32 * c + 16) * factor;
      if constexpr (kSplit)
        store_parts({_mm512_permutex2var_ps(a.v, first, b.v)}, {_mm512_permutex2var_ps(a.v, second, b.v)}, to,
                    to + kTileBytes);
      else
        store_parts(a, b, to, to + kTileBytes);
    }
  }
}

// Sixteen keys as tiles of pairs of dimensions, F32 ones as parts, which are made row by row: the hardware foresees
// what is read in the order of addresses.
template <bool kSplit>
TETRAD_SIMD_INLINE void pack_key_tiles(const KvRows& rows, std::int64_t chunks, const Ahead* ahead, ReadAhead* next,
                                       std::byte* out) {
  constexpr std::int64_t kBytes = kTileBytes * (kSplit ? 2 : 1);
  if constexpr (kSplit) {
    for (std::int64_t i = 0; i < 16; ++i)
      for (std::int64_t c = 0; c < chunks; ++c) {
        const std::byte* from = rows.at + i * rows.stride + 128 * c;
        std::byte* to = out + c * kBytes + 64 * i;
        store_split(from_f32(from), from_f32(from + 64), to, to + kTileBytes);
      }
  }
  for (std::int64_t c = 0; c < chunks; ++c, out += kBytes) {
    if (ahead != nullptr)
      for (std::int64_t i = 0; i < 16; ++i) fetch_part<kSplit>(ahead->rows[i], c);
    if (next != nullptr) next->fetch<kSplit>(kKeyLines);
    const std::byte* from = kSplit ? out : rows.at + 64 * c;
    tile_transpose(from, kSplit ? 64 : rows.stride, reinterpret_cast<float*>(out), 16);
    if constexpr (kSplit) tile_transpose(out + kTileBytes, 64, reinterpret_cast<float*>(out + kTileBytes), 16);
  }
}

// Keys of a tile, with zeros up to a multiple of 32.
template <bool kSplit>
inline void pack_keys(const AttendArgs& args, const KeyRange& tile, std::byte* out, float* gathered, ReadAhead* next) {
  const std::int64_t chunks = args.head_dim / kTileColumns, bytes = kTileBytes * (kSplit ? 2 : 1);
  Ahead ahead;
  for (std::int64_t first = tile.begin; first < tile.end; first += 16) {
    const std::int64_t count = tile.end - first < 16 ? tile.end - first : 16;
    const KvRows rows = stored_rows(args, args.paged_k, args.k, first, count, 16, gathered);
    const bool fetches = next == nullptr && args.slots != nullptr;
    if (fetches) look_ahead(args, {args.paged_k, args.paged_v, tile.end, tile.begin, tile.keys}, first, 16, ahead);
    pack_key_tiles<kSplit>(rows, chunks, fetches ? &ahead : nullptr, next, out);
    out += chunks * bytes;
  }
  if ((tile.end - tile.begin + 15) / 16 % 2 != 0) __builtin_memset(out, 0, static_cast<std::size_t>(chunks * bytes));
}

// Two rows' 32 dimensions to a row of two tiles, of F32 ones for each part: in BF16 dimensions 0 .. 3, 8 .. 11 and so
// on of the first, the others of the second; in F32 the first 16 and the others.
template <bool kSplit>
TETRAD_SIMD_INLINE void pack_value_pair(const std::byte* a, const std::byte* b, std::int64_t chunk, std::byte* out) {
  if constexpr (!kSplit) {
    const __m512i one = _mm512_loadu_si512(a + 64 * chunk), two = _mm512_loadu_si512(b + 64 * chunk);
    _mm512_storeu_si512(out, _mm512_unpacklo_epi16(one, two));
    _mm512_storeu_si512(out + kTileBytes, _mm512_unpackhi_epi16(one, two));
  } else {
    a += 128 * chunk;
    b += 128 * chunk;
    store_split(from_f32(a), from_f32(b), out, out + kTileBytes);
    store_split(from_f32(a + 64), from_f32(b + 64), out + 2 * kTileBytes, out + 3 * kTileBytes);
  }
}

// Values of a tile, with zeros up to a multiple of 32.
template <bool kSplit>
inline void pack_values(const AttendArgs& args, const KeyRange& tile, std::byte* out, float* gathered,
                        ReadAhead* next) {
  const std::int64_t chunks = args.head_dim / kTileColumns, bytes = kTileBytes * (kSplit ? 2 : 1);
  Ahead ahead;
  for (std::int64_t first = tile.begin; first < tile.end; first += kStepKeys, out += 2 * chunks * bytes) {
    const std::int64_t count = tile.end - first < kStepKeys ? tile.end - first : kStepKeys;
    const KvRows rows = stored_rows(args, args.paged_v, args.v, first, count, kStepKeys, gathered);
    const bool fetches = next == nullptr && args.slots != nullptr;
    if (fetches) look_ahead(args, {args.paged_v, args.paged_k, tile.end, tile.end, tile.keys}, first, kStepKeys, ahead);
    for (std::int64_t pair = 0; pair < 16; ++pair) {
      const std::byte *a = rows.at + pair * rows.stride, *b = a + 16 * rows.stride;
      for (std::int64_t c = 0; c < chunks; ++c) {
        if (fetches) {
          fetch_part<kSplit>(ahead.rows[2 * pair], c);
          fetch_part<kSplit>(ahead.rows[2 * pair + 1], c);
        }
        pack_value_pair<kSplit>(a, b, c, out + 2 * c * bytes + 64 * pair);
      }
      if (next != nullptr) next->fetch<kSplit>(kValueLines * chunks / 2);
    }
  }
}

// Whether all values of those keys in [begin, end) that only some rows see are below 2^127: larger ones may have no
// BF16 part.
inline bool finite_values(const AttendArgs& args, std::int64_t begin, std::int64_t end) {
  const std::int64_t keys = args.first_position + (args.rows - 1) / args.group + 1;
  begin = begin > args.first_position ? begin : args.first_position;
  end = end < keys ? end : keys;
  const bool bf16 = args.slots != nullptr && args.paged_bf16;
  const __m512i largest = bf16 ? _mm512_set1_epi16(0x7F00) : _mm512_set1_epi32(0x7F000000);
  __mmask32 found = 0;
  for (std::int64_t key = begin; key < end; ++key) {
    const KvRows row = stored_rows(args, args.paged_v, args.v, key, 1, 1, nullptr);
    for (std::int64_t at = 0; at < args.head_dim * (bf16 ? 2 : 4); at += 64) {
      const __m512i bits = _mm512_loadu_si512(row.at + at);
      if (bf16)
        found |= _mm512_cmpge_epu16_mask(_mm512_and_si512(bits, _mm512_set1_epi16(0x7FFF)), largest);
      else
        found |= _mm512_cmpge_epu32_mask(_mm512_and_si512(bits, _mm512_set1_epi32(0x7FFFFFFF)), largest);
    }
  }
  return found == 0;
}
