// Which random numbers every tensor of a model gets, so that the forward pass stays in the range of a trained model.
// With norms near 1: queries, keys, values, gate and up come out with a root mean square of 1; what attention and
// experts add to the residual stream shrinks with the square root of the number of layers, so that the stream keeps its
// size at any depth. Were it more, the mean over the context, which attention adds to all tokens alike, would outgrow
// what tells tokens apart, and the deep layers would route all of them to the same experts. Router logits have a
// deviation of 1, logits of 2. Used by random_model.h.
#pragma once

#include <cstdint>
#include <vector>

#include "arch/model_config.h"
#include "checkpoint/safetensors_writer.h"
#include "conversion/value_pool.h"

namespace tetrad {

struct RandomTensor {
  const ValueRing* ring = nullptr;  // nullptr: the single number `scalar`
  std::uint64_t start = 0;          // its first unit of the ring
  float scalar = 0;
};

struct RandomWeights {
  std::vector<TensorSpec> specs;      // in the order of a checkpoint
  std::vector<RandomTensor> tensors;  // of each spec
  std::uint64_t parameters = 0;       // elements of the model, scales not counted
};

// Everything that a checkpoint of config.stored holds: kPlain is BF16; kFp8Block has FP8 matrices in attention and
// experts, kNvfp4ModelOpt NVFP4 experts (gate and up of one expert share weight_scale_2, a layer's experts their
// input_scale); router and its bias are F32. A pure function of its arguments but for `pool`, whose rings it points to.
RandomWeights random_weights(const ModelConfig& config, std::uint64_t seed, ValuePool& pool);

}  // namespace tetrad
