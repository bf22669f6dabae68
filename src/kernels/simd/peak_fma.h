// As many independent multiply-adds as the registers hold, and nothing else: the F32 peak the matrix kernels are
// measured against. For machine_limits.cpp and gemm_bench.cpp.
void peak_fma(std::int64_t rounds, float* out) {
  constexpr unsigned kChains = 12;
  Part acc[kChains];
  const Part a = part_load(out), b = part_load(out + 16);
#pragma GCC unroll 12
  for (unsigned i = 0; i < kChains; ++i) acc[i] = part_load(out + i);
  for (std::int64_t round = 0; round < rounds; ++round) {
#pragma GCC unroll 12
    for (unsigned i = 0; i < kChains; ++i) acc[i] = part_fma(a, acc[i], b);
  }
#pragma GCC unroll 12
  for (unsigned i = 0; i < kChains; ++i) part_store(out + 16 * i, acc[i]);
}
constexpr std::int64_t kPeakFlopsPerRound = 2 * 12 * (16 / kParts);
