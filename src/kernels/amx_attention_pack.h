// Queries, keys and values as AMX's tiles, for amx_attention.h.
#include "kernels/attention_rows.h"

constexpr std::int64_t kStepKeys = 32;  // keys a multiplication takes

struct KeyRange {
  std::int64_t begin, end, keys;  // of a tile; keys: the context
};

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

// Times `factor`.
inline void pack_queries(const AttendArgs& args, F32x16 factor, std::byte* out) {
  const std::int64_t chunks = args.head_dim / kTileColumns;
  for (std::int64_t row = 0; row < args.rows; ++row) {
    const float* q = args.q + row_offset(args, row);
    std::byte* to = out + row / 16 * chunks * 2 * kTileBytes + row % 16 * 64;
    for (std::int64_t c = 0; c < chunks; ++c, to += 2 * kTileBytes)
      store_parts(load(q + 32 * c) * factor, load(q + 32 * c + 16) * factor, to, to + kTileBytes);
  }
}

// Sixteen keys and 32 dimensions of them, as parts if kSplit, as a tile of pairs of dimensions.
template <bool kSplit>
TETRAD_SIMD_INLINE void pack_key_tile(const KvRows& rows, std::int64_t chunk, std::byte* out) {
  if constexpr (!kSplit) {
    tile_transpose(rows.at + 64 * chunk, rows.stride, reinterpret_cast<float*>(out), 16);
  } else {
    alignas(64) std::byte parts[2][kTileBytes];
    for (std::int64_t i = 0; i < 16; ++i) {
      const std::byte* from = rows.at + i * rows.stride + 128 * chunk;
      store_parts(from_f32(from), from_f32(from + 64), parts[0] + 64 * i, parts[1] + 64 * i);
    }
    tile_transpose(parts[0], 64, reinterpret_cast<float*>(out), 16);
    tile_transpose(parts[1], 64, reinterpret_cast<float*>(out + kTileBytes), 16);
  }
}

// Keys of a tile, with zeros up to a multiple of 32.
template <bool kSplit>
inline void pack_keys(const AttendArgs& args, const KeyRange& tile, std::byte* out, float* gathered) {
  const std::int64_t chunks = args.head_dim / kTileColumns, bytes = kTileBytes * (kSplit ? 2 : 1);
  Ahead ahead;
  for (std::int64_t first = tile.begin; first < tile.end; first += 16) {
    const std::int64_t count = tile.end - first < 16 ? tile.end - first : 16;
    const KvRows rows = stored_rows(args, args.paged_k, args.k, first, count, 16, gathered);
    if (args.slots != nullptr)
      look_ahead(args, {args.paged_k, args.paged_v, tile.end, tile.begin, tile.keys}, first, 16, ahead);
    for (std::int64_t c = 0; c < chunks; ++c, out += bytes) {
      if (args.slots != nullptr)
        for (std::int64_t i = 0; i < 16; ++i) fetch_part<kSplit>(ahead.rows[i], c);
      pack_key_tile<kSplit>(rows, c, out);
    }
  }
  if ((tile.end - tile.begin + 15) / 16 % 2 != 0) __builtin_memset(out, 0, static_cast<std::size_t>(chunks * bytes));
}

// Two rows' 32 dimensions to a row of two tiles: dimensions 0 .. 3, 8 .. 11 and so on of the first, the others of the
// second.
TETRAD_SIMD_INLINE void store_pairs(__m512i a, __m512i b, std::byte* first, std::byte* second) {
  _mm512_storeu_si512(first, _mm512_unpacklo_epi16(a, b));
  _mm512_storeu_si512(second, _mm512_unpackhi_epi16(a, b));
}

template <bool kSplit>
TETRAD_SIMD_INLINE void pack_value_pair(const std::byte* a, const std::byte* b, std::int64_t chunk, std::byte* out) {
  if constexpr (!kSplit) {
    store_pairs(_mm512_loadu_si512(a + 64 * chunk), _mm512_loadu_si512(b + 64 * chunk), out, out + kTileBytes);
  } else {
    alignas(64) std::byte parts[2][2][64];
    a += 128 * chunk;
    b += 128 * chunk;
    store_parts(from_f32(a), from_f32(a + 64), parts[0][0], parts[0][1]);
    store_parts(from_f32(b), from_f32(b + 64), parts[1][0], parts[1][1]);
    for (std::int64_t part = 0; part < 2; ++part)
      store_pairs(_mm512_load_si512(parts[0][part]), _mm512_load_si512(parts[1][part]), out + part * kTileBytes,
                  out + (2 + part) * kTileBytes);
  }
}

// Values of a tile, with zeros up to a multiple of 32.
template <bool kSplit>
inline void pack_values(const AttendArgs& args, const KeyRange& tile, std::byte* out, float* gathered) {
  const std::int64_t chunks = args.head_dim / kTileColumns, bytes = kTileBytes * (kSplit ? 2 : 1);
  Ahead ahead;
  for (std::int64_t first = tile.begin; first < tile.end; first += kStepKeys, out += 2 * chunks * bytes) {
    const std::int64_t count = tile.end - first < kStepKeys ? tile.end - first : kStepKeys;
    const KvRows rows = stored_rows(args, args.paged_v, args.v, first, count, kStepKeys, gathered);
    if (args.slots != nullptr)
      look_ahead(args, {args.paged_v, args.paged_k, tile.end, tile.end, tile.keys}, first, kStepKeys, ahead);
    for (std::int64_t pair = 0; pair < 16; ++pair) {
      const std::byte *a = rows.at + pair * rows.stride, *b = a + 16 * rows.stride;
      for (std::int64_t c = 0; c < chunks; ++c) {
        if (args.slots != nullptr) {
          fetch_part<kSplit>(ahead.rows[2 * pair], c);
          fetch_part<kSplit>(ahead.rows[2 * pair + 1], c);
        }
        pack_value_pair<kSplit>(a, b, c, out + 2 * c * bytes + 64 * pair);
      }
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
