// The experts of one layer over all routed rows: experts in ascending order, several at a time while they are small,
// each weight read once a pass (an expert with more rows than the buffers hold: once a batch). Each token's sum is
// accumulated in ascending order of experts, as transformers does. With an ExpertCache the experts come in the order in
// which they are in memory; what each computes waits in the buffers, and the sums are the same bytes.
#pragma once

#include <cstdint>

#include "model/decoder.h"
#include "model/row_store.h"

namespace tetrad {

class ExpertCache;  // model/expert_cache.h

// Rows on their way through experts. Grow, and are kept from layer to layer where that saves time.
struct ExpertBuffers {
  FloatBuffer x, gate, up;  // [rows, hidden], [rows, expert_width], the same
};

struct ExpertPass {
  const DecoderContext& context;
  const Checkpoint& checkpoint;
  const LayerWeights& weights;
  const Routing& routing;  // of `tokens` rows
  std::int64_t tokens = 0;
  const RowStore& hidden;  // the residual stream behind attention
  RowStore& sums;          // += each expert's weighted output; zero before
  ExpertBuffers& buffers;
  std::int64_t max_rows = 0;                             // rows in the buffers at once
  std::size_t max_weight_bytes = std::size_t{64} << 20;  // stored weights taken on at once, but always one expert
  bool release = true;                                   // drop each expert's pages when it is done
  const ExpertVisitor* visitor = nullptr;                // see LayerStream::run_layer
  ExpertCache* cache = nullptr;  // where the weights are instead; max_rows must then hold all routed rows
  std::size_t layer = 0;         // for the cache
  std::span<const std::int32_t> foreseen = {};  // experts that the next layer will probably want, the likeliest first
};

std::uint64_t expert_bytes_per_row(const ModelConfig& config);
Result<std::vector<ExpertActivity>> run_experts(const ExpertPass& pass);

}  // namespace tetrad
