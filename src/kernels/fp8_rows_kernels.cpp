// What VBMI adds to the AVX-512 target. Compiled once, with target attributes: see simd/foreach_target.h.
#include "kernels/kernel_table.h"
#include "kernels/simd/intrinsics.h"
#include "numeric/bf16.h"
#include "numeric/e4m3.h"

#define TETRAD_SIMD_TARGET TETRAD_SIMD_AVX512
#if defined(__clang__)
#pragma clang attribute push(                                                                          \
    __attribute__((target("avx512f,avx512bw,avx512vl,avx512dq,avx512vnni,avx512vbmi,avx2,fma,f16c"))), \
    apply_to = function)
#else
#pragma GCC push_options
#pragma GCC target("avx512f,avx512bw,avx512vl,avx512dq,avx512vnni,avx512vbmi,avx2,fma,f16c")
#endif
namespace tetrad::avx512 {
// linear_kernels.cpp
void multiply_stored(const RawWeight& w, std::int64_t row, const MultiplyArgs& args);
void decode_rows(const RawWeight& w, std::int64_t row, std::int64_t count, float* out, std::int64_t stride);
}  // namespace tetrad::avx512
namespace tetrad::avx512_vbmi {
// clang-format off: each needs what stands above it
#include "kernels/simd/vec16.h"
#include "kernels/fp8_table_vbmi.h"
#include "kernels/fp8_rows.h"
// clang-format on

void multiply_stored(const RawWeight& w, std::int64_t row, const MultiplyArgs& args) {
  if (fp8_in_blocks(w)) return fp8_format<false>(w, row, args);
  // Four rows of x took 1.9 ms this way for 6144 x 3072, the other way 1.8.
  if (w.format == WeightFormat::kFp8Row && w.cols % kFp8Step == 0 && args.m <= 2) return fp8_format<true>(w, row, args);
  avx512::multiply_stored(w, row, args);
}

void decode_rows(const RawWeight& w, std::int64_t row, std::int64_t count, float* out, std::int64_t stride) {
  if (decodes_fp8_rows(w, row, count)) return decode_fp8_rows(w, row, count, out, stride);
  avx512::decode_rows(w, row, count, out, stride);
}

void fill_fp8_rows(KernelTable& table) {
  table.decode_rows = decode_rows;
  table.multiply_stored = multiply_stored;
  table.max_direct_fp8_rows = 8;  // 16 take 1.7 ms for 1536 x 3072, and 1.4 decoded first
}

}  // namespace tetrad::avx512_vbmi
#if defined(__clang__)
#pragma clang attribute pop
#else
#pragma GCC pop_options
#endif
