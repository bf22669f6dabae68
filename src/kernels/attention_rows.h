// Where attention's rows lie, and which are read next: for attention_simd.h and amx_attention.h.
struct KvRows {
  const std::byte* at;
  std::int64_t stride;  // bytes
  bool bf16;
};

TETRAD_SIMD_INLINE std::int64_t row_offset(const AttendArgs& args, std::int64_t row) {
  return row / args.group * args.q_stride + row % args.group * args.head_dim;
}
// What is read next: rows of `pool` up to `end`, then rows of `next` from `next_begin` on; `keys` is the context.
struct Upcoming {
  const std::byte *pool, *next;
  std::int64_t end, next_begin, keys;
};
constexpr std::int64_t kFetchAhead = 64;  // rows

// Where the rows lie that are read kFetchAhead rows behind those at work; the hardware does not foresee it. The loops
// fetch them line by line as they go: fetched at once, they would hold up the arithmetic until memory has answered.
// Into L2: in L1 they would push out scores and transposed keys.
struct Ahead {
  const std::byte* rows[kAttendValueKeys];
};
TETRAD_SIMD_INLINE void fetch(const std::byte* line) { __builtin_prefetch(line, 0, 2); }
// 32 dimensions of a row: F32 or BF16.
template <bool kF32>
TETRAD_SIMD_INLINE void fetch_part(const std::byte* row, std::int64_t chunk) {
  fetch(row + (kF32 ? 128 : 64) * chunk);
  if constexpr (kF32) fetch(row + 128 * chunk + 64);
}

// For `count` rows from `first` on. Behind the context's end: a row that is there already.
TETRAD_SIMD_INLINE void look_ahead(const AttendArgs& args, const Upcoming& coming, std::int64_t first,
                                   std::int64_t count, Ahead& ahead) {
  const std::int64_t stride = args.kv_stride * (args.paged_bf16 ? 2 : 4);
  for (std::int64_t i = 0; i < count; ++i) {
    const std::int64_t at = first + i + kFetchAhead;
    const bool now = at < coming.end;
    const std::int64_t key = now ? at : coming.next_begin + at - coming.end;
    const std::byte* pool = now ? coming.pool : coming.next;
    ahead.rows[i] = key < coming.keys ? pool + args.slots[key] * stride : coming.pool + args.slots[first] * stride;
  }
}

// The same rows as they are stored, `padded` of them with zeros behind: where they lie, or copied to `out`.
inline KvRows stored_rows(const AttendArgs& args, const std::byte* pool, const float* rows, std::int64_t first,
                          std::int64_t count, std::int64_t padded, float* out) {
  const bool paged = args.slots != nullptr, bf16 = paged && args.paged_bf16;
  const std::int64_t size = bf16 ? 2 : 4, stride = args.kv_stride * size, bytes = args.head_dim * size;
  std::int32_t apart = 0;  // any bit: the slots do not follow one another
  for (std::int64_t i = 0; paged && i < count; ++i)
    apart |= args.slots[first + i] - args.slots[first] - static_cast<std::int32_t>(i);
  const std::byte* at =
      paged ? pool + args.slots[first] * stride : reinterpret_cast<const std::byte*>(rows + first * args.kv_stride);
  if (apart == 0 && count == padded) return {at, stride, bf16};
  auto* to = reinterpret_cast<std::byte*>(out);
  __builtin_memset(to + count * bytes, 0, static_cast<std::size_t>((padded - count) * bytes));
  for (std::int64_t i = 0; i < count; ++i)
    __builtin_memcpy(to + i * bytes, paged ? pool + args.slots[first + i] * stride : at + i * stride,
                     static_cast<std::size_t>(bytes));
  return {to, bytes, bf16};
}
