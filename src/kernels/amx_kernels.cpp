// What AMX adds to the AVX-512 target. Compiled once, with target attributes: see simd/foreach_target.h.
#include <sys/syscall.h>
#include <unistd.h>

#include "kernels/kernel_table.h"
#include "kernels/simd/intrinsics.h"

#define TETRAD_SIMD_TARGET TETRAD_SIMD_AVX512
#if defined(__clang__)
#pragma clang attribute push(                                                                                     \
    __attribute__((                                                                                               \
        target("avx512f,avx512bw,avx512vl,avx512dq,avx512vnni,avx512vbmi,avx512bf16,avx512fp16,avx2,fma,f16c"))), \
    apply_to = function)
#else
#pragma GCC push_options
#pragma GCC target("avx512f,avx512bw,avx512vl,avx512dq,avx512vnni,avx512vbmi,avx512bf16,avx512fp16,avx2,fma,f16c")
#endif
namespace tetrad::avx512 {
// attention_kernels.cpp
void attend_part(const AttendArgs& args, std::int64_t begin, std::int64_t end, const AttendPart& part);
void attend_join(const AttendArgs& args, const AttendPart& earlier, const AttendPart& later);
void attend_finish(const AttendArgs& args, const AttendPart& all);
}  // namespace tetrad::avx512
namespace tetrad::amx {
// clang-format off: the second needs the first
#include "kernels/simd/vec16.h"
#include "kernels/amx_linear.h"
#include "kernels/amx_attention.h"
// clang-format on
}  // namespace tetrad::amx
#if defined(__clang__)
#pragma clang attribute pop
#else
#pragma GCC pop_options
#endif

namespace tetrad::amx {

// Linux lets a process use tiles only after it has asked.
bool permitted() {
  constexpr int kRequestPermission = 0x1023, kTileData = 18;
  return ::syscall(SYS_arch_prctl, kRequestPermission, kTileData) == 0;
}

}  // namespace tetrad::amx
