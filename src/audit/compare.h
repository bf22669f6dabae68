// A checkpoint's tensors against those of the checkpoint it was made from. Private to audit/.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "audit/verify.h"

namespace tetrad {

struct Comparison {
  std::optional<double> relative_error;  // of a matrix that is quantized here
  bool equal = false;                    // of one that is not
  std::vector<Fault> faults;
};

// `module`'s matrix. Quantized: its error. Otherwise its values must be the source's, rounded to the type they are
// stored in (so a BF16 copy of an FP8 matrix or of an F32 router is equal). A matrix that cannot be read on either side
// is not compared: other checks report that.
Comparison compare_linear(const Checkpoint& checkpoint, const Checkpoint& source, const std::string& module,
                          std::int64_t rows, std::int64_t cols);

// A tensor that is never quantized, by its name in both.
Comparison compare_plain(const Checkpoint& checkpoint, const Checkpoint& source, const std::string& name);

}  // namespace tetrad
