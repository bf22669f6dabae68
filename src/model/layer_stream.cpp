#include "model/layer_stream.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/interrupt.h"
#include "model/dense_weights.h"
#include "model/embedding.h"
#include "model/layer_stream_impl.h"

namespace tetrad {
namespace {

constexpr std::uint64_t kUnlimitedWork = std::uint64_t{256} << 20;
constexpr std::int64_t kMinRows = 64, kMaxRows = 4096;

std::int64_t kv_floats(const ModelConfig& config) { return 2 * config.kv_heads * config.head_dim; }

std::uint64_t attention_row_bytes(const ModelConfig& config) {
  return AttentionBuffers::bytes_per_row(config) +
         static_cast<std::uint64_t>(config.hidden + kv_floats(config) + config.experts) * sizeof(float);
}

std::int64_t rows_within(std::uint64_t budget, std::uint64_t row_bytes) {
  return std::clamp(static_cast<std::int64_t>(budget / row_bytes), kMinRows, kMaxRows);
}

// A fifth of the limit for working buffers, the sum of the experts in memory if it fits in the rest (it is read and
// written at random), then the residual stream (read at random, but once for each expert).
MemoryPlan plan_memory(const ModelConfig& config, std::int64_t tokens, std::int64_t longest, std::uint64_t limit) {
  MemoryPlan plan;
  const std::uint64_t work = limit == 0 ? kUnlimitedWork : std::min(limit / 5, kUnlimitedWork);
  plan.attention_rows = std::min(rows_within(work, attention_row_bytes(config)), std::max<std::int64_t>(tokens, 1));
  plan.kv_rows = std::max(plan.attention_rows, longest);
  plan.expert_rows = std::min(rows_within(work, expert_bytes_per_row(config)),
                              std::max<std::int64_t>(tokens * config.experts_per_token, 1));
  if (limit == 0) return plan;
  const auto count = static_cast<std::uint64_t>(tokens);
  const std::uint64_t store = count * static_cast<std::uint64_t>(config.hidden) * sizeof(float);
  const std::uint64_t routing = count * static_cast<std::uint64_t>(config.experts_per_token) * 32;
  const std::uint64_t attention =
      static_cast<std::uint64_t>(plan.attention_rows) * attention_row_bytes(config) +
      static_cast<std::uint64_t>((plan.kv_rows - plan.attention_rows) * kv_floats(config)) * sizeof(float);
  const std::uint64_t experts = static_cast<std::uint64_t>(plan.expert_rows) * expert_bytes_per_row(config);
  const std::uint64_t fixed = routing + std::max(attention, experts);
  plan.sums_in_memory = fixed + store <= limit;
  plan.hidden_in_memory = fixed + 2 * store <= limit;
  return plan;
}

Result<RowStore> make_store(bool in_memory, const LayerStream::Limits& limits, std::int64_t rows, std::int64_t width) {
  if (in_memory) return RowStore::in_memory(rows, width);
  return RowStore::in_file(limits.temporary_directory, rows, width);
}

Status check_sequences(const std::vector<std::vector<std::int32_t>>& sequences, const ModelConfig& config) {
  for (std::size_t s = 0; s < sequences.size(); ++s) {
    for (const std::int32_t id : sequences[s])
      if (id < 0 || id >= config.vocab)
        return invalid_input("bad token id", fmt::format("sequence {}", s),
                             fmt::format("{} is outside the vocabulary of {}", id, config.vocab));
  }
  return {};
}

}  // namespace

// One batch of rows [first, first + rows) that continues the given segments: attention, then routing of the result.
Status LayerStream::Impl::attend_batch(const LayerWeights& weights, std::span<const Segment> segments,
                                       std::int64_t first, std::int64_t rows, AttentionBuffers& buffers,
                                       std::vector<float>& copy) {
  float* rows_here = hidden.row(first);
  if (rows_here == nullptr) {
    copy.resize(static_cast<std::size_t>(rows * config.hidden));
    rows_here = copy.data();
    TETRAD_TRY(hidden.read(first, rows, rows_here));
  }
  const DecoderContext context{compute, config, options, workspace};
  attention_block(context, weights, segments, rows_here, rows, buffers);
  route(context, weights, rows_here, rows, first, routing, buffers.normed.data());
  if (rows_here == copy.data()) TETRAD_TRY(hidden.write(first, rows, rows_here));
  return {};
}

// Short sequences together in one batch; one that is longer than a batch alone, piece by piece, with all of its keys
// and values kept.
Status LayerStream::Impl::attend(const LayerWeights& weights) {
  const std::int64_t kv_width = config.kv_heads * config.head_dim;
  AttentionBuffers buffers;
  buffers.grow(config, plan.attention_rows, false);
  std::vector<float> keys(static_cast<std::size_t>(plan.kv_rows * kv_width)), values(keys.size()), copy;
  std::vector<Segment> segments;
  std::int64_t first = 0, rows = 0;
  const auto flush = [&]() -> Status {
    if (rows > 0) TETRAD_TRY(attend_batch(weights, segments, first, rows, buffers, copy));
    first += rows;
    rows = 0;
    segments.clear();
    return check_interrupt();
  };
  for (const auto& sequence : sequences) {
    const auto length = static_cast<std::int64_t>(sequence.size());
    if (rows + length > plan.attention_rows) TETRAD_TRY(flush());
    if (length <= plan.attention_rows) {
      segments.push_back({rows, length, 0, keys.data() + rows * kv_width, values.data() + rows * kv_width});
      rows += length;
      continue;
    }
    for (std::int64_t position = 0; position < length; position += plan.attention_rows) {
      rows = std::min(plan.attention_rows, length - position);
      segments.push_back({0, rows, position, keys.data(), values.data()});
      TETRAD_TRY(flush());
    }
  }
  return flush();
}

Status LayerStream::Impl::add_sums() {
  const std::int64_t width = config.hidden;
  const std::int64_t step = std::max<std::int64_t>((std::int64_t{1} << 20) / width, 1);
  std::vector<float> a, b;
  for (std::int64_t begin = 0; begin < tokens; begin += step) {
    const std::int64_t rows = std::min(step, tokens - begin);
    float* to = hidden.row(begin);
    const float* from = sums.row(begin);
    if (to == nullptr) {
      a.resize(static_cast<std::size_t>(rows * width));
      to = a.data();
      TETRAD_TRY(hidden.read(begin, rows, to));
    }
    if (from == nullptr) {
      b.resize(static_cast<std::size_t>(rows * width));
      TETRAD_TRY(sums.read(begin, rows, b.data()));
      from = b.data();
    }
    compute.pool().run(
        static_cast<std::size_t>(rows),
        [&](std::size_t i, std::size_t) {
          const std::int64_t at = static_cast<std::int64_t>(i) * width;
          compute.kernels().add(to + at, from + at, width, options.precision == Precision::kBF16);
        },
        16);
    if (to == a.data()) TETRAD_TRY(hidden.write(begin, rows, to));
  }
  return {};
}

Result<LayerActivity> LayerStream::Impl::run_layer(const ExpertVisitor& visitor) {
  TETRAD_CHECK(layer < config.layers);
  LayerWeights weights = TETRAD_TRY(load_layer(checkpoint, config, layer, options.precision));
  TETRAD_TRY(quantize_dense(checkpoint, config, compute, options.dense, layer, weights));
  TETRAD_TRY(attend(weights));
  for (const WeightView* weight : {&weights.q, &weights.k, &weights.v, &weights.o, &weights.router})
    checkpoint.release(*weight);
  TETRAD_TRY(sums.fill_zero());
  const DecoderContext context{compute, config, options, workspace};
  ExpertBuffers buffers;  // gone before the next layer's attention takes as much
  LayerActivity activity;
  activity.layer = layer;
  activity.experts = TETRAD_TRY(run_experts({.context = context,
                                             .checkpoint = checkpoint,
                                             .weights = weights,
                                             .routing = routing,
                                             .tokens = tokens,
                                             .hidden = hidden,
                                             .sums = sums,
                                             .buffers = buffers,
                                             .max_rows = plan.expert_rows,
                                             .visitor = visitor ? &visitor : nullptr}));
  TETRAD_TRY(add_sums());
  ++layer;
  return activity;
}

Result<LayerStream> LayerStream::create(const Checkpoint& checkpoint, const ModelConfig& config, const Compute& compute,
                                        const ForwardOptions& options, std::vector<std::vector<std::int32_t>> sequences,
                                        const Limits& limits) {
  TETRAD_TRY(check_runnable(config));
  TETRAD_TRY(check_sequences(sequences, config));
  std::int64_t unscaled = 0;
  for (std::int64_t layer = 0; layer < config.layers; ++layer)
    unscaled += count_unscaled(TETRAD_TRY(load_layer(checkpoint, config, layer, options.precision)), options);
  warn_unscaled(unscaled, checkpoint, config);
  std::int64_t tokens = 0, longest = 0;
  for (const auto& sequence : sequences) {
    const auto length = static_cast<std::int64_t>(sequence.size());
    tokens += length;
    longest = std::max(longest, length);
  }
  const MemoryPlan plan = plan_memory(config, tokens, longest, limits.memory_bytes);
  RowStore hidden = TETRAD_TRY(make_store(plan.hidden_in_memory, limits, tokens, config.hidden));
  RowStore sums = TETRAD_TRY(make_store(plan.sums_in_memory, limits, tokens, config.hidden));
  LayerStream stream;
  stream.impl_.reset(new Impl{checkpoint,
                              config,
                              compute,
                              options,
                              std::move(sequences),
                              plan,
                              std::move(hidden),
                              std::move(sums),
                              {},
                              Workspace(compute)});
  Impl& impl = *stream.impl_;
  impl.tokens = tokens;
  impl.routing.per_token = config.experts_per_token;
  impl.routing.experts.resize(static_cast<std::size_t>(tokens * config.experts_per_token));
  impl.routing.weights.resize(impl.routing.experts.size());
  const Embedding embedding = TETRAD_TRY(Embedding::create(checkpoint, config, compute));
  std::int64_t row = 0;
  for (const auto& sequence : impl.sequences) {
    TETRAD_TRY(embedding.write(sequence, row, impl.hidden));
    row += static_cast<std::int64_t>(sequence.size());
  }
  return stream;
}

LayerStream::LayerStream() = default;
LayerStream::LayerStream(LayerStream&&) noexcept = default;
LayerStream& LayerStream::operator=(LayerStream&&) noexcept = default;
LayerStream::~LayerStream() = default;

std::int64_t LayerStream::tokens() const { return impl_->tokens; }
bool LayerStream::spilled() const { return impl_->hidden.spilled() || impl_->sums.spilled(); }
std::int64_t LayerStream::next_layer() const { return impl_->layer; }
Result<LayerActivity> LayerStream::run_layer(const ExpertVisitor& visitor) { return impl_->run_layer(visitor); }

Status LayerStream::read_hidden(std::int64_t begin, std::int64_t n, std::span<float> out) const {
  TETRAD_CHECK(begin >= 0 && n >= 0 && begin + n <= impl_->tokens &&
               out.size() >= static_cast<std::size_t>(n * impl_->config.hidden));
  return impl_->hidden.read(begin, n, out.data());
}

}  // namespace tetrad
