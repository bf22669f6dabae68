#include "model/larger_than_memory.h"

namespace tetrad {

Result<LargerThanMemory> LargerThanMemory::create(const Checkpoint& checkpoint, const ModelConfig& config,
                                                  std::span<LayerWeights> layers, OutputHead& head,
                                                  std::uint64_t cache_bytes) {
  LargerThanMemory larger;
  if (cache_bytes == 0) return larger;
  std::vector<WeightView*> dense = {&head.weight()};
  for (LayerWeights& layer : layers)
    for (WeightView* weight : {&layer.q, &layer.k, &layer.v, &layer.o, &layer.router}) dense.push_back(weight);
  larger.dense = TETRAD_TRY(ResidentWeights::load(checkpoint, dense));
  larger.cache = TETRAD_TRY(ExpertCache::create(checkpoint, layers, config.experts_per_token, cache_bytes));
  return larger;
}

}  // namespace tetrad
