// config.json of a random model. Private to random_model.cpp.
#pragma once

#include "conversion/random_model.h"

namespace tetrad {

// Without tokenizer: the model's own ids of the begin and the end of a text, or the last ones of a smaller vocabulary;
// with one those of its config.json, and a vocabulary that is not set grows to the tokenizer's. No quantization_config
// for kNvfp4ModelOpt: make_quant_configs() adds it.
Result<Json> random_config(const RandomModelOptions& options);

}  // namespace tetrad
