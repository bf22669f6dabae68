// As many independent multiply-adds as the registers hold, and nothing else: the F32 peak the matrix kernels are
// measured against; below, the same for 8-bit integers. For machine_limits.cpp and gemm_bench.cpp.
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

// 8-bit products added up in 32 bits, as the target does them best: vpdpbusd, or vpmaddubsw, vpmaddwd and vpaddd.
void peak_int8(std::int64_t rounds, float* out) {
#if TETRAD_SIMD_TARGET == TETRAD_SIMD_AVX512
  __m512i acc[12];
  const __m512i a = _mm512_loadu_si512(out), b = _mm512_loadu_si512(out + 16);
#pragma GCC unroll 12
  for (int i = 0; i < 12; ++i) acc[i] = _mm512_loadu_si512(out + i);
  for (std::int64_t round = 0; round < rounds; ++round) {
#pragma GCC unroll 12
    for (int i = 0; i < 12; ++i) acc[i] = _mm512_dpbusd_epi32(acc[i], a, b);
  }
#pragma GCC unroll 12
  for (int i = 0; i < 12; ++i) _mm512_storeu_si512(out + 16 * i, acc[i]);
#elif TETRAD_SIMD_TARGET == TETRAD_SIMD_AVX2
  __m256i acc[12];
  const auto* from = reinterpret_cast<const __m256i_u*>(out);
  const __m256i a = _mm256_loadu_si256(from), ones = _mm256_set1_epi16(1);
#pragma GCC unroll 12
  for (int i = 0; i < 12; ++i) acc[i] = _mm256_loadu_si256(from + i);
  for (std::int64_t round = 0; round < rounds; ++round) {
#pragma GCC unroll 12
    for (int i = 0; i < 12; ++i)  // what was added up is a factor, so that no product is the same as the one before
      acc[i] = _mm256_add_epi32(acc[i], _mm256_madd_epi16(_mm256_maddubs_epi16(a, acc[i]), ones));
  }
#pragma GCC unroll 12
  for (int i = 0; i < 12; ++i) _mm256_storeu_si256(reinterpret_cast<__m256i_u*>(out + 16 * i), acc[i]);
#else
  std::int32_t acc[12] = {};
  std::int8_t factors[12];
  __builtin_memcpy(factors, out, sizeof factors);
  for (std::int64_t round = 0; round < rounds; ++round)
    for (int i = 0; i < 12; ++i) acc[i] += factors[i] * static_cast<std::int8_t>(acc[(i + 1) % 12]);
  __builtin_memcpy(out, acc, sizeof acc);
#endif
}
constexpr std::int64_t kPeakInt8OpsPerRound = 2 * 12 * (TETRAD_SIMD_TARGET == TETRAD_SIMD_SCALAR ? 1 : 64 / kParts);
