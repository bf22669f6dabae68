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
void multiply_stored(const RawWeight& w, std::int64_t row, const MultiplyArgs& args);  // linear_kernels.cpp
}  // namespace tetrad::avx512
namespace tetrad::avx512_vbmi {
// clang-format off: the second needs the first
#include "kernels/simd/vec16.h"
#include "kernels/fp8_rows.h"
// clang-format on
}  // namespace tetrad::avx512_vbmi
#if defined(__clang__)
#pragma clang attribute pop
#else
#pragma GCC pop_options
#endif
