#include "kernels/kernel_table.h"

namespace tetrad {

std::int64_t attend_scratch_floats(std::int64_t rows, std::int64_t head_dim) {
  const std::int64_t vectors = rows * (kAttendKeyTile + head_dim + 2) + (16 + kAttendValueKeys) * head_dim;
  const std::int64_t whole = (rows + 31) / 32 * 32;  // tiles: amx_attention.h
  const std::int64_t tiles =
      whole * (2 * head_dim + 2) + (2 * kMatrixKeyTile + 32) * head_dim + 32 * (kMatrixKeyTile + 16);
  return vectors > tiles ? vectors : tiles;
}

}  // namespace tetrad

#define TETRAD_SIMD_FILE "kernels/attention_simd.h"
#include "kernels/simd/foreach_target.h"
