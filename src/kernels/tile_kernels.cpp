#include "kernels/kernel_table.h"

#define TETRAD_SIMD_FILE "kernels/tile_simd.h"
#include "kernels/simd/foreach_target.h"
