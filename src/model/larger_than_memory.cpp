#include "model/larger_than_memory.h"

namespace tetrad {
namespace {

constexpr std::int64_t kFewRows = 16;

}  // namespace

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

std::vector<std::int32_t> LargerThanMemory::foresee(const DecoderContext& context, std::span<const LayerWeights> layers,
                                                    std::size_t layer, const float* hidden, std::int64_t rows,
                                                    float* normed) const {
  if (cache == nullptr || rows > kFewRows || layer + 1 >= layers.size()) return {};
  Routing routing;
  routing.per_token = context.config.experts_per_token;
  routing.experts.resize(static_cast<std::size_t>(rows * routing.per_token));
  routing.weights.resize(routing.experts.size());
  route(context, layers[layer + 1], hidden, rows, 0, routing, normed);
  std::vector<std::int32_t> experts;
  for (std::int64_t rank = 0; rank < routing.per_token; ++rank)
    for (std::int64_t row = 0; row < rows; ++row)
      experts.push_back(routing.experts[static_cast<std::size_t>(row * routing.per_token + rank)]);
  return experts;
}

}  // namespace tetrad
