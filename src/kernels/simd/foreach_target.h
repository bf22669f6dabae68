// Compiles one file of kernels once per SIMD target, without -m flags: a .cpp says
//   #define TETRAD_SIMD_FILE "kernels/rms_norm_simd.h"
//   #include "kernels/simd/foreach_target.h"
// and the file is included inside namespace tetrad::avx512, tetrad::avx2 and tetrad::scalar, each under its own target
// pragma, after vec16.h. Rules for such a file: no include of its own (include what it needs before this header), no
// std templates and no lambdas in it - an instantiation made under the pragma could be the one the linker keeps for
// everybody (raw pointers, __builtin_* and plain loops instead). Callers find the functions through
// kernels/kernel_table.h. (Include guard on purpose absent: a .cpp may use it for several files.)
#include "kernels/simd/intrinsics.h"

#ifndef TETRAD_SIMD_FILE
#error "define TETRAD_SIMD_FILE before including foreach_target.h"
#endif

#if defined(__clang__)
#pragma clang attribute push(__attribute__((target("avx512f,avx512bw,avx512vl,avx512dq,avx512vnni,avx2,fma,f16c"))), \
                             apply_to = function)
#else
#pragma GCC push_options
#pragma GCC target("avx512f,avx512bw,avx512vl,avx512dq,avx512vnni,avx2,fma,f16c")
#endif
#define TETRAD_SIMD_TARGET TETRAD_SIMD_AVX512
namespace tetrad::avx512 {
#include "kernels/simd/vec16.h"
#include TETRAD_SIMD_FILE
}  // namespace tetrad::avx512
#undef TETRAD_SIMD_TARGET
#if defined(__clang__)
#pragma clang attribute pop
#pragma clang attribute push(__attribute__((target("avx2,fma,f16c"))), apply_to = function)
#else
#pragma GCC pop_options
#pragma GCC push_options
#pragma GCC target("avx2,fma,f16c")
#endif
#define TETRAD_SIMD_TARGET TETRAD_SIMD_AVX2
namespace tetrad::avx2 {
#include "kernels/simd/vec16.h"
#include TETRAD_SIMD_FILE
}  // namespace tetrad::avx2
#undef TETRAD_SIMD_TARGET
#if defined(__clang__)
#pragma clang attribute pop
#else
#pragma GCC pop_options
#endif

#define TETRAD_SIMD_TARGET TETRAD_SIMD_SCALAR
namespace tetrad::scalar {
#include "kernels/simd/vec16.h"
#include TETRAD_SIMD_FILE
}  // namespace tetrad::scalar
#undef TETRAD_SIMD_TARGET
#undef TETRAD_SIMD_FILE
