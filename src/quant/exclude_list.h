// The list of modules that an NVFP4 checkpoint leaves unquantized, as NVIDIA Model Optimizer 0.47 writes it: `ignore`
// in config.json, `exclude_modules` in hf_quant_config.json. Loaders match the entries as patterns. Used by
// quant_config.h.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "arch/model_config.h"

namespace tetrad {

// Each unquantized module becomes its shortest dotted prefix that names no quantized module: "prefix*" where no
// quantized module's name starts with these characters, else "prefix.*" ("model.layers.1.*": "model.layers.1*" would
// catch layer 10); the module's own name where every prefix is taken. Sorted, without repetitions.
std::vector<std::string> exclude_patterns(const std::vector<std::string>& quantized,
                                          const std::vector<std::string>& unquantized);

// The list for a checkpoint with all routed experts quantized. Unquantized are Linears, embedding, head and routers;
// norms are never listed. The `mtp_layers` layers stored behind the model's own are appended as "model.layers.N*".
std::vector<std::string> experts_only_exclude_list(const ModelConfig& config, std::int64_t mtp_layers);

}  // namespace tetrad
