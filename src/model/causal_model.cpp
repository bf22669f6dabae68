#include "model/causal_model.h"

#include <fmt/format.h>

#include <algorithm>

#include "model/decoder.h"
#include "model/dense_weights.h"
#include "model/embedding.h"
#include "model/expert_pass.h"
#include "model/larger_than_memory.h"
#include "model/row_store.h"

namespace tetrad {
namespace {

constexpr std::int64_t kPieceRows = 512;  // a prompt goes through the layers in pieces of this many tokens

}  // namespace

struct CausalModel::Context::Impl {
  std::int64_t length = 0, capacity = 0;
  std::vector<std::vector<float>> keys, values;  // by layer: [capacity, kv_heads * head_dim]

  void reserve(std::int64_t tokens, std::int64_t layers, std::int64_t width) {
    keys.resize(static_cast<std::size_t>(layers));
    values.resize(keys.size());
    if (tokens <= capacity) return;
    capacity = std::max(tokens, capacity + capacity / 2);
    for (auto* caches : {&keys, &values})
      for (std::vector<float>& cache : *caches) cache.resize(static_cast<std::size_t>(capacity * width));
  }
};

struct CausalModel::Impl {
  Checkpoint checkpoint;
  ModelConfig config;
  Compute compute;
  ForwardOptions options;
  std::vector<LayerWeights> layers;
  Embedding embedding;
  OutputHead head;
  LargerThanMemory larger;

  Status run_piece(Context::Impl& state, std::span<const std::int32_t> ids, std::vector<float>& hidden) const;
};

// One piece through all layers; `hidden` is left as the last layer wrote it.
Status CausalModel::Impl::run_piece(Context::Impl& state, std::span<const std::int32_t> ids,
                                    std::vector<float>& hidden) const {
  const auto rows = static_cast<std::int64_t>(ids.size());
  hidden.resize(ids.size() * static_cast<std::size_t>(config.hidden));
  std::vector<float> sums(hidden.size());
  RowStore hidden_rows = RowStore::on(hidden, config.hidden), sum_rows = RowStore::on(sums, config.hidden);
  TETRAD_TRY(embedding.write(ids, 0, hidden_rows));
  Workspace workspace(compute);
  const DecoderContext context{compute, config, options, workspace};
  AttentionBuffers buffers;
  buffers.grow(config, rows, false);
  ExpertBuffers expert_buffers;
  Routing routing;
  routing.per_token = config.experts_per_token;
  routing.experts.resize(static_cast<std::size_t>(rows * routing.per_token));
  routing.weights.resize(routing.experts.size());
  for (std::size_t layer = 0; layer < layers.size(); ++layer) {
    const Segment segment = {0, rows, state.length, state.keys[layer].data(), state.values[layer].data()};
    attention_block(context, layers[layer], {&segment, 1}, hidden.data(), rows, buffers);
    route(context, layers[layer], hidden.data(), rows, 0, routing, buffers.normed.data());
    const auto foreseen = larger.foresee(context, layers, layer, hidden.data(), rows, buffers.normed.data());
    TETRAD_TRY(sum_rows.fill_zero());
    const ExpertPass pass = {.context = context,
                             .checkpoint = checkpoint,
                             .weights = layers[layer],
                             .routing = routing,
                             .tokens = rows,
                             .hidden = hidden_rows,
                             .sums = sum_rows,
                             .buffers = expert_buffers,
                             .max_rows = rows * routing.per_token,
                             .max_weight_bytes = static_cast<std::size_t>(-1),
                             .release = false,
                             .cache = larger.cache.get(),
                             .layer = layer,
                             .foreseen = foreseen};
    TETRAD_TRY(run_experts(pass));
    compute.pool().run(
        ids.size(),
        [&](std::size_t i, std::size_t) {
          const std::size_t at = i * static_cast<std::size_t>(config.hidden);
          compute.kernels().add(hidden.data() + at, sums.data() + at, config.hidden, context.bf16());
        },
        16);
  }
  state.length += rows;
  return {};
}

Result<CausalModel> CausalModel::open(const Checkpoint& checkpoint, const ModelConfig& config, const Compute& compute,
                                      const ForwardOptions& options, std::uint64_t expert_cache_bytes) {
  TETRAD_TRY(check_runnable(config));
  std::vector<LayerWeights> layers;
  std::int64_t unscaled = 0;
  for (std::int64_t layer = 0; layer < config.layers; ++layer) {
    layers.push_back(TETRAD_TRY(load_layer(checkpoint, config, layer, options.precision)));
    TETRAD_TRY(quantize_dense(checkpoint, config, compute, options.dense, layer, layers.back()));
    unscaled += count_unscaled(layers.back(), options);
  }
  warn_unscaled(unscaled, checkpoint, config);
  Embedding embedding = TETRAD_TRY(Embedding::create(checkpoint, config, compute, expert_cache_bytes > 0));
  OutputHead head = TETRAD_TRY(OutputHead::create(checkpoint, config, compute, options));
  LargerThanMemory larger = TETRAD_TRY(LargerThanMemory::create(checkpoint, config, layers, head, expert_cache_bytes));
  CausalModel model;
  model.impl_.reset(new Impl{checkpoint, config, compute, options, std::move(layers), std::move(embedding),
                             std::move(head), std::move(larger)});
  return model;
}

CausalModel::CausalModel() = default;
CausalModel::CausalModel(CausalModel&&) noexcept = default;
CausalModel::~CausalModel() = default;
ExpertCache* CausalModel::expert_cache() const { return impl_->larger.cache.get(); }
CausalModel::Context::Context() : impl_(std::make_unique<Impl>()) {}
CausalModel::Context::Context(Context&&) noexcept = default;
CausalModel::Context::~Context() = default;
std::int64_t CausalModel::Context::length() const { return impl_->length; }

Status CausalModel::forward(Context& context, std::span<const std::int32_t> ids, std::span<float> logits) const {
  const ModelConfig& config = impl_->config;
  Context::Impl& state = *context.impl_;
  if (ids.empty()) return invalid_input("can't run the model", "prompt", "it holds no token");
  for (const std::int32_t id : ids)
    if (id < 0 || id >= config.vocab)
      return invalid_input("bad token id", fmt::format("{}", id),
                           fmt::format("outside the vocabulary of {}", config.vocab));
  const std::int64_t total = state.length + static_cast<std::int64_t>(ids.size());
  if (total > config.max_position)
    return invalid_input("the text is too long", fmt::format("{} tokens", total),
                         fmt::format("the model takes {}", config.max_position));
  state.reserve(total, config.layers, config.kv_heads * config.head_dim);
  std::vector<float> hidden;
  for (std::size_t begin = 0; begin < ids.size(); begin += kPieceRows)
    TETRAD_TRY(
        impl_->run_piece(state, ids.subspan(begin, std::min<std::size_t>(kPieceRows, ids.size() - begin)), hidden));
  impl_->head.logits(std::span(hidden).last(static_cast<std::size_t>(config.hidden)), 1, logits);
  return {};
}

}  // namespace tetrad
