// One module's stored tensors: are they all there, of the right type and shape, and are their values usable. Private to
// audit/.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "audit/verify.h"

namespace tetrad {

enum class StoredAs : std::uint8_t { kMissing, kPlain, kFp8, kNvfp4, kUnknown };

struct ModuleCheck {
  StoredAs stored = StoredAs::kMissing;
  std::string dtype;                               // of the weight, for messages
  std::optional<float> tensor_scale, input_scale;  // NVFP4, where they are there
  std::vector<Fault> faults;
};

// The matrix of a linear layer, [rows, cols] unquantized, in whichever form it is stored. Releases the pages it read.
ModuleCheck check_linear(const Checkpoint& checkpoint, const ModelConfig& config, const std::string& module,
                         std::int64_t rows, std::int64_t cols);

// A tensor that is never quantized. Releases the pages it read.
ModuleCheck check_plain(const Checkpoint& checkpoint, const std::string& name, const Shape& shape);

// Does a tensor of this suffix say how a matrix beside it is stored?
bool is_scale(const std::string& suffix);

// May a tensor of this suffix stand beside a matrix stored like that? k_scale and v_scale belong to an FP8 cache and
// are welcome on k_proj and v_proj.
bool suffix_belongs(StoredAs stored, const std::string& module, const std::string& suffix);

}  // namespace tetrad
