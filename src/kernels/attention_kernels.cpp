#include "kernels/attention.h"

namespace tetrad {

std::int64_t attend_parts(const AttendArgs& args) {
  return (args.first_position + (args.rows - 1) / args.group) / kAttendKeys + 1;
}

std::int64_t attend_part_floats(std::int64_t rows, std::int64_t head_dim) {
  return (rows * (head_dim + 2) + 15) / 16 * 16;
}

AttendPart attend_part_at(float* memory, const AttendArgs& args) {
  float* behind = memory + args.rows * args.head_dim;
  return {memory, behind, behind + args.rows};
}

std::int64_t attend_scratch_floats(std::int64_t rows, std::int64_t head_dim) {
  const std::int64_t vectors = rows * kAttendKeyTile + (16 + kAttendValueKeys) * head_dim;
  const std::int64_t whole = (rows + 31) / 32 * 32;  // tiles: amx_attention.h
  const std::int64_t tiles = (whole + 2 * kMatrixKeyTile + 32) * head_dim + 32 * (kMatrixKeyTile + 16);
  return (vectors > tiles ? vectors : tiles) + 2 * attend_part_floats(rows, head_dim);
}

void attend_part(const KernelTable& kernels, const AttendArgs& args, std::int64_t i, float* part) {
  kernels.attend_part(args, i * kAttendKeys, (i + 1) * kAttendKeys, attend_part_at(part, args));
}

void attend_join(const KernelTable& kernels, const AttendArgs& args, float* parts) {
  const AttendPart all = attend_part_at(parts, args);
  const std::int64_t count = attend_parts(args), floats = attend_part_floats(args.rows, args.head_dim);
  for (std::int64_t i = 1; i < count; ++i) kernels.attend_join(args, all, attend_part_at(parts + i * floats, args));
  kernels.attend_finish(args, all);
}

void attend(const KernelTable& kernels, const AttendArgs& args) {
  if (kernels.attend != nullptr) return kernels.attend(args);
  const std::int64_t floats = attend_part_floats(args.rows, args.head_dim);
  AttendArgs inner = args;
  inner.scratch = args.scratch + 2 * floats;
  const AttendPart all = attend_part_at(args.scratch, args), next = attend_part_at(args.scratch + floats, args);
  attend_part(kernels, inner, 0, all.sums);
  for (std::int64_t i = 1; i < attend_parts(args); ++i) {
    attend_part(kernels, inner, i, next.sums);
    kernels.attend_join(inner, all, next);
  }
  kernels.attend_finish(inner, all);
}

}  // namespace tetrad

#define TETRAD_SIMD_FILE "kernels/attention_simd.h"
#include "kernels/simd/foreach_target.h"
