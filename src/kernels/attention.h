// Attention of one head's queries: softmax over the keys in parts of kAttendKeys, each by itself, which are then put
// together in ascending order. So a part may be another thread's work, and the result is the same.
#pragma once

#include "kernels/kernel_table.h"

namespace tetrad {

inline constexpr std::int64_t kAttendKeys = 2048;  // a multiple of kAttendKeyTile and kMatrixKeyTile

// How many parts the keys are that the last row sees.
std::int64_t attend_parts(const AttendArgs& args);
// Scratch of attend() and of a table's attend_part().
std::int64_t attend_scratch_floats(std::int64_t rows, std::int64_t head_dim);
// A part in memory of so many floats, a multiple of 16.
std::int64_t attend_part_floats(std::int64_t rows, std::int64_t head_dim);
AttendPart attend_part_at(float* memory, const AttendArgs& args);

// All parts on the calling thread.
void attend(const KernelTable& kernels, const AttendArgs& args);
// The i-th by itself, and the result of all, which lie attend_part_floats() apart and are changed.
void attend_part(const KernelTable& kernels, const AttendArgs& args, std::int64_t i, float* part);
void attend_join(const KernelTable& kernels, const AttendArgs& args, float* parts);

}  // namespace tetrad
