// What a model that is larger than memory has instead of mapped weights: experts in a cache, all else resident. Used by
// PagedModel and CausalModel.
#pragma once

#include <memory>
#include <span>

#include "model/expert_cache.h"
#include "model/resident_weights.h"

namespace tetrad {

struct LargerThanMemory {
  std::unique_ptr<ExpertCache> cache;  // nullptr: everything is mapped
  ResidentWeights dense;

  // cache_bytes 0: nothing is done. Else the layers' and the head's dense weights show their resident copies.
  static Result<LargerThanMemory> create(const Checkpoint& checkpoint, const ModelConfig& config,
                                         std::span<LayerWeights> layers, OutputHead& head, std::uint64_t cache_bytes);
};

}  // namespace tetrad
