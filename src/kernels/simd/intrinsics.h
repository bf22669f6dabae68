// What the files that are compiled for a SIMD target need before their pragma: intrinsics, headers without templates
// that could be instantiated under it, the targets' names for TETRAD_SIMD_TARGET.
#pragma once

#if !defined( \
    __clang__)  // GCC 12: _mm512_undefined_ps() warns wherever it is inlined; the place that counts is the header's
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wuninitialized"
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#endif
#include <immintrin.h>
#if !defined(__clang__)
#pragma GCC diagnostic pop
#endif

#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>

#include "numeric/bf16.h"
#include "numeric/e2m1.h"
#include "numeric/e4m3.h"

#define TETRAD_SIMD_INLINE [[gnu::always_inline]] inline
#define TETRAD_SIMD_AVX512 1
#define TETRAD_SIMD_AVX2 2
#define TETRAD_SIMD_SCALAR 3
