// The checked views of one decoder layer's tensors, and of what stands before and behind the layers. Norms and biases
// are copied as F32 (they are small); matrices stay mapped.
#pragma once

#include <array>
#include <memory>
#include <vector>

#include "arch/model_config.h"
#include "checkpoint/checkpoint.h"
#include "model/layer_stream.h"

namespace tetrad {

struct LayerWeights {
  std::vector<float> input_norm, post_norm, q_norm, k_norm;  // q_norm, k_norm: empty without QK norm
  WeightView q, k, v, o;
  std::shared_ptr<std::byte> dense;  // where q, k, v and o lie once quantize_dense() made 8-bit codes of them
  WeightView router;
  std::vector<float> router_bias;  // zeros when the model has none
  bool router_in_bf16 = false;     // kBF16 and the router's weight is stored in BF16: its logits are BF16 too
  std::vector<std::array<WeightView, 3>> experts;  // gate, up, down
};

// Errors: a missing or misshapen tensor.
Result<LayerWeights> load_layer(const Checkpoint& checkpoint, const ModelConfig& config, std::int64_t layer,
                                Precision precision);
Result<std::vector<float>> load_vector(const Checkpoint& checkpoint, const std::string& name, std::int64_t size,
                                       Precision precision);
Result<WeightView> head_weight(const Checkpoint& checkpoint, const ModelConfig& config);
// Expert matrices whose inputs can't be quantized as `options` asks: they have no usable input_scale, or are no NVFP4.
std::int64_t count_unscaled(const LayerWeights& weights, const ForwardOptions& options);
// Says so once a model: results that look like W4A4's but are not mislead.
void warn_unscaled(std::int64_t count, const Checkpoint& checkpoint, const ModelConfig& config);
// kUnsupported for a family or a shape that can't be run.
Status check_runnable(const ModelConfig& config);

}  // namespace tetrad
