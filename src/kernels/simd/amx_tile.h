// AMX's eight tiles as functions: 16 rows of 64 bytes each at most. Inline assembly, because compilers' own functions
// for it don't say that they read memory (GCC 12), so that stores before them may come too late.
struct alignas(64) AmxShape {
  std::uint8_t palette = 1, start_row = 0, reserved[14] = {};
  std::uint16_t row_bytes[16] = {};
  std::uint8_t rows[16] = {};
};

TETRAD_SIMD_INLINE void amx_configure(const AmxShape& shape) { __asm__ volatile("ldtilecfg %0" : : "m"(shape)); }
TETRAD_SIMD_INLINE void amx_release() { __asm__ volatile("tilerelease"); }

template <int kTile>
TETRAD_SIMD_INLINE void amx_load(const std::byte* from, std::int64_t stride) {
  __asm__ volatile("tileloadd (%0,%1,1), %%tmm%c2" : : "r"(from), "r"(stride), "i"(kTile) : "memory");
}
// For what is read once: it leaves the other operand in L1 (7.5 ns a multiply instead of 9.9 with 32 KiB of it there).
template <int kTile>
TETRAD_SIMD_INLINE void amx_load_once(const std::byte* from, std::int64_t stride) {
  __asm__ volatile("tileloaddt1 (%0,%1,1), %%tmm%c2" : : "r"(from), "r"(stride), "i"(kTile) : "memory");
}
template <int kTile>
TETRAD_SIMD_INLINE void amx_store(std::byte* to, std::int64_t stride) {
  __asm__ volatile("tilestored %%tmm%c2, (%0,%1,1)" : : "r"(to), "r"(stride), "i"(kTile) : "memory");
}
template <int kTile>
TETRAD_SIMD_INLINE void amx_zero() {
  __asm__ volatile("tilezero %%tmm%c0" : : "i"(kTile));
}
// sums[i][j] += over the 16 pairs p of a row: a[i][p].low * b[p][j].low + a[i][p].high * b[p][j].high, BF16 pairs.
// The lower products are added up in ascending p with FMAs from zero, the upper ones likewise, then both together,
// then to the sum: so a result depends on nothing but its own row of a and column of b (Intel's manual, TDPBF16PS).
// Numbers below F32's normal range count as zero.
template <int kSums, int kA, int kB>
TETRAD_SIMD_INLINE void amx_multiply() {
  __asm__ volatile("tdpbf16ps %%tmm%c2, %%tmm%c1, %%tmm%c0" : : "i"(kSums), "i"(kA), "i"(kB));
}
