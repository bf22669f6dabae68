// What a model that is larger than memory has instead of mapped weights: experts in a cache, all else resident. Used by
// PagedModel and CausalModel.
#pragma once

#include <memory>
#include <span>

#include "model/decoder.h"
#include "model/expert_cache.h"
#include "model/resident_weights.h"

namespace tetrad {

struct LargerThanMemory {
  std::unique_ptr<ExpertCache> cache;  // nullptr: everything is mapped
  ResidentWeights dense;

  // cache_bytes 0: nothing is done. Else the layers' and the head's dense weights show their resident copies.
  static Result<LargerThanMemory> create(const Checkpoint& checkpoint, const ModelConfig& config,
                                         std::span<LayerWeights> layers, OutputHead& head, std::uint64_t cache_bytes);

  // Which experts the layer behind `layer` will probably be routed to, the likeliest first: its router asked about the
  // hidden state as it is before the experts of `layer`. Nothing without a cache, for many rows (then nearly all are
  // wanted, and there is time to read) and behind the last layer.
  std::vector<std::int32_t> foresee(const DecoderContext& context, std::span<const LayerWeights> layers,
                                    std::size_t layer, const float* hidden, std::int64_t rows, float* normed) const;
};

}  // namespace tetrad
