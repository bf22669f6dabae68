// One function a family: the keys of its config.json into a ModelConfig that has the common part filled in. Private to
// arch/.
#pragma once

#include "arch/config_reader.h"
#include "arch/model_config.h"

namespace tetrad {

// Bounds that no real model comes near; products of any two of them fit 64 bits by far.
constexpr std::int64_t kMaxVocab = 1 << 24, kMaxHidden = 1 << 20, kMaxLayers = 1024, kMaxHeads = 4096,
                       kMaxHeadDim = 1 << 16, kMaxExperts = 4096, kMaxWidth = 1 << 24,
                       kMaxPosition = std::int64_t{1} << 31;
constexpr std::int64_t kMaxExpertsOfModel = 1 << 18;  // layers * experts: the tensor table has three rows for each

Status parse_minimax_m2(const ConfigReader& json, ModelConfig& config);
Status parse_glm_moe_dsa(const ConfigReader& json, ModelConfig& config);

// rope_theta and rope_parameters / rope_scaling in either form; kinds other than "default" are refused. `factor` is
// partial_rotary_factor, 0 when there is none.
struct Rope {
  double theta, factor;
};
Result<Rope> parse_rope(const ConfigReader& json, double default_theta);

// quantization_config: how the weights are stored.
Status parse_stored_format(const ConfigReader& json, ModelConfig& config);

}  // namespace tetrad
