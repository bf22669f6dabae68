// Inside of LayerStream; for layer_stream.cpp and stream_state.cpp only.
#pragma once

#include <span>
#include <vector>

#include "base/check.h"
#include "model/decoder.h"
#include "model/expert_pass.h"
#include "model/layer_stream.h"
#include "model/row_store.h"

namespace tetrad {

struct MemoryPlan {
  std::int64_t attention_rows = 0,
               kv_rows = 0;  // rows of a batch; rows of keys and values kept: the longest sequence's, if that is more
  std::int64_t expert_rows = 0;  // routed rows of a batch
  bool hidden_in_memory = true, sums_in_memory = true;
};

struct LayerStream::Impl {
  const Checkpoint checkpoint;
  const ModelConfig config;
  const Compute compute;
  const ForwardOptions options;
  std::vector<std::vector<std::int32_t>> sequences;
  MemoryPlan plan;
  RowStore hidden, sums;
  Routing routing;
  Workspace workspace;
  std::int64_t tokens = 0, layer = 0;

  Status attend(const LayerWeights& weights);
  Status attend_batch(const LayerWeights& weights, std::span<const Segment> segments, std::int64_t first,
                      std::int64_t rows, AttentionBuffers& buffers, std::vector<float>& copy);
  Status add_sums();
  Result<LayerActivity> run_layer(const ExpertVisitor& visitor);
};

}  // namespace tetrad
