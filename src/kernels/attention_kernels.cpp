#include "kernels/kernel_table.h"

namespace tetrad {

std::int64_t attend_scratch_floats(std::int64_t rows, std::int64_t head_dim) {
  return rows * (kAttendKeyTile + head_dim + 2) + (16 + kAttendValueKeys) * head_dim;
}

}  // namespace tetrad

#define TETRAD_SIMD_FILE "kernels/attention_simd.h"
#include "kernels/simd/foreach_target.h"
