// The two halves of a decoder layer over a batch of rows. LayerStream and CausalModel both run these, so their results
// are the same bytes.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "kernels/linear.h"
#include "model/layer_weights.h"
#include "model/op_profile.h"

namespace tetrad {

struct DecoderContext {
  const Compute& compute;
  const ModelConfig& config;
  const ForwardOptions& options;
  Workspace& workspace;
  OpProfile* profile = nullptr;  // nullptr: nobody asks
  bool bf16() const { return options.precision == Precision::kBF16; }
};

// A run of rows of a batch that continues one sequence.
struct Segment {
  std::int64_t row = 0, count = 0;  // rows [row, row + count) of the batch
  std::int64_t position = 0;        // of the first of them in the sequence
  float* keys = nullptr;  // the sequence's keys and values from position 0: [length, kv_heads * head_dim]; the rows'
                          // own are written here
  float* values = nullptr;
  const std::int32_t* slots = nullptr;  // instead, with a PagedCache: of positions 0 .. position + count - 1
};

// One layer's keys and values of many sequences: [kv_heads, slots, head_dim], F32 or BF16. A head's rows lie one behind
// another because a thread reads them so: one head at a time. BF16 rounds what is kept, and what the own row sees of
// itself: a token sees the same keys whether they were computed in this chunk or before.
struct PagedCache {
  std::byte* keys = nullptr;
  std::byte* values = nullptr;
  std::int64_t slots = 0;
  bool bf16 = false;
};

// Buffers for attention over a batch; kept, they serve many batches.
struct AttentionBuffers {
  static std::uint64_t bytes_per_row(const ModelConfig& config);
  // For `rows` rows; with a PagedCache also k and v.
  void grow(const ModelConfig& config, std::int64_t rows, bool paged);
  FloatBuffer normed, q, mixed;  // [rows, hidden], [rows, heads * head_dim], the same
  FloatBuffer cos, sin;          // [rows, rotary_dim / 2]
  FloatBuffer k, v;              // [rows, kv_heads * head_dim]
};

// hidden [rows, hidden] += o_proj(attention(norm(hidden))). With `cache` the segments have slots in it, each slot of
// the batch's own rows at most once.
void attention_block(const DecoderContext& context, const LayerWeights& weights, std::span<const Segment> segments,
                     float* hidden, std::int64_t rows, AttentionBuffers& buffers, const PagedCache* cache = nullptr);

// Which experts each row goes to, in descending order of score + bias (a tie: the lower index first), and with which
// weights.
struct Routing {
  std::int64_t per_token = 0;
  std::vector<std::int32_t> experts;  // [rows, per_token]
  std::vector<float> weights;         // [rows, per_token]
};
// Routes `rows` rows of the residual stream; results go to entries [first, first + rows) of `routing`. normed: scratch
// [rows, hidden].
void route(const DecoderContext& context, const LayerWeights& weights, const float* hidden, std::int64_t rows,
           std::int64_t first, Routing& routing, float* normed);

}  // namespace tetrad
