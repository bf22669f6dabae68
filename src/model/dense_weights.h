// Dense weights in 8 bits, for --dense-weights: attention's projections and the output head, which checkpoints of
// quantized experts keep in 16, become codes with a scale for each row while a model is loaded. A token then reads half
// their bytes. Router, norms, embedding and experts stay as they are.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "checkpoint/checkpoint.h"
#include "kernels/compute.h"
#include "model/layer_weights.h"

namespace tetrad {

std::string_view dense_weights_name(DenseWeights dense);  // "stored", "fp8", "int8"

struct DenseMatrix {
  WeightView* weight;
  std::string module;  // for an error
};
// Replaces those of `matrices` that are stored in F32, F16 or BF16; the result owns what their views show from then on
// (nullptr: nothing was to do). Pages of the originals are released behind use. Error: a value is not finite.
Result<std::shared_ptr<std::byte>> quantize_dense(const Checkpoint& checkpoint, const Compute& compute,
                                                  DenseWeights dense, std::span<const DenseMatrix> matrices);
// The same for a layer's projections.
Status quantize_dense(const Checkpoint& checkpoint, const ModelConfig& config, const Compute& compute,
                      DenseWeights dense, std::int64_t layer, LayerWeights& weights);

// What the choice changes in a whole model's bytes; nothing for kStored. Reads headers only.
struct DenseBytes {
  std::uint64_t replaced = 0;  // stored bytes that are not needed any more
  std::uint64_t resident = 0;  // codes and scales, in memory of the process
};
Result<DenseBytes> dense_bytes(const Checkpoint& checkpoint, const ModelConfig& config, DenseWeights dense);

}  // namespace tetrad
