// config.json and hf_quant_config.json of an experts-only NVFP4 checkpoint, as NVIDIA Model Optimizer 0.47 writes them.
// Used by conversion/.
#pragma once

#include <string>

#include "arch/model_config.h"
#include "base/json.h"
#include "checkpoint/checkpoint.h"

namespace tetrad {

// Files as text: indent 4, a newline at the end.
struct QuantConfigs {
  std::string
      config_json;  // every key of the source in its order; its quantization_config replaced by ours, at the end
  std::string hf_quant_config_json;
};
Result<QuantConfigs> make_quant_configs(const Checkpoint& source, const ModelConfig& config);

// The same from parts: `source_config` is config.json, an object.
QuantConfigs make_quant_configs(const Json& source_config, const ModelConfig& config, std::int64_t mtp_layers);

}  // namespace tetrad
