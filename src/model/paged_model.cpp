#include "model/paged_model.h"

#include <algorithm>
#include <cstring>

#include "model/decoder.h"
#include "model/dense_weights.h"
#include "model/embedding.h"
#include "model/expert_pass.h"
#include "model/larger_than_memory.h"
#include "model/reservation.h"
#include "model/row_store.h"

namespace tetrad {
namespace {

constexpr std::int64_t kLogitRows = 16;  // logits that exist at once: 13 MB for a vocabulary of 200,000

std::uint64_t row_bytes(const ModelConfig& config, bool bf16) {
  return static_cast<std::uint64_t>(config.kv_heads * config.head_dim) * (bf16 ? 2 : 4);
}

}  // namespace

struct PagedModel::Impl {
  Checkpoint checkpoint;
  ModelConfig config;
  Compute compute;
  ForwardOptions options;
  std::vector<LayerWeights> layers;
  Embedding embedding;
  OutputHead head;
  LargerThanMemory larger;
  std::unique_ptr<Reservation> pool;
  std::vector<PagedCache> caches;  // of each layer
  Workspace workspace;
  AttentionBuffers buffers;
  ExpertBuffers expert_buffers;
  std::vector<float> hidden, sums;
  std::uint64_t expert_bytes = 0;
  OpProfile* profile = nullptr;

  void count_experts(std::size_t layer, const Routing& routing);
  Status run_layers(std::span<const Segment> segments, std::int64_t rows);
  Status run_experts_of(std::size_t layer, const DecoderContext& context, std::int64_t rows);
};

void PagedModel::Impl::count_experts(std::size_t layer, const Routing& routing) {
  std::vector<bool> used(layers[layer].experts.size());
  for (const std::int32_t expert : routing.experts) used[static_cast<std::size_t>(expert)] = true;
  for (std::size_t e = 0; e < used.size(); ++e)
    if (used[e])
      for (const WeightView& weight : layers[layer].experts[e]) expert_bytes += weight.bytes();
}

Status PagedModel::Impl::run_experts_of(std::size_t layer, const DecoderContext& context, std::int64_t rows) {
  Routing routing;
  routing.per_token = config.experts_per_token;
  routing.experts.resize(static_cast<std::size_t>(rows * routing.per_token));
  routing.weights.resize(routing.experts.size());
  route(context, layers[layer], hidden.data(), rows, 0, routing, buffers.normed.data());
  count_experts(layer, routing);
  const auto foreseen = larger.foresee(context, layers, layer, hidden.data(), rows, buffers.normed.data());
  RowStore hidden_rows = RowStore::on(hidden, config.hidden), sum_rows = RowStore::on(sums, config.hidden);
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
      static_cast<std::size_t>(rows),
      [&](std::size_t i, std::size_t) {
        const std::size_t at = i * static_cast<std::size_t>(config.hidden);
        compute.kernels().add(hidden.data() + at, sums.data() + at, config.hidden, context.bf16());
      },
      16);
  return {};
}

Status PagedModel::Impl::run_layers(std::span<const Segment> segments, std::int64_t rows) {
  const DecoderContext context{compute, config, options, workspace, profile};
  buffers.grow(config, rows, true);
  for (std::size_t layer = 0; layer < layers.size(); ++layer) {
    if (profile != nullptr) profile->set_layer(layer);
    attention_block(context, layers[layer], segments, hidden.data(), rows, buffers, &caches[layer]);
    TETRAD_TRY(run_experts_of(layer, context, rows));
  }
  return {};
}

std::uint64_t PagedModel::bytes_per_slot(const ModelConfig& config, bool bf16_cache) {
  return 2 * static_cast<std::uint64_t>(config.layers) * row_bytes(config, bf16_cache);
}

Result<PagedModel> PagedModel::open(const Checkpoint& checkpoint, const ModelConfig& config, const Compute& compute,
                                    const ForwardOptions& options, std::int64_t slots, bool bf16_cache,
                                    std::uint64_t expert_cache_bytes) {
  TETRAD_TRY(check_runnable(config));
  std::vector<LayerWeights> layers;
  for (std::int64_t layer = 0; layer < config.layers; ++layer) {
    layers.push_back(TETRAD_TRY(load_layer(checkpoint, config, layer, options.precision)));
    TETRAD_TRY(quantize_dense(checkpoint, config, compute, options.dense, layer, layers.back()));
  }
  Embedding embedding = TETRAD_TRY(Embedding::create(checkpoint, config, compute, expert_cache_bytes > 0));
  OutputHead head = TETRAD_TRY(OutputHead::create(checkpoint, config, compute, options));
  LargerThanMemory larger = TETRAD_TRY(LargerThanMemory::create(checkpoint, config, layers, head, expert_cache_bytes));
  const std::size_t part = static_cast<std::size_t>(slots) * row_bytes(config, bf16_cache);
  std::unique_ptr<Reservation> pool =
      TETRAD_TRY(Reservation::create(part * 2 * static_cast<std::size_t>(config.layers)));
  std::vector<PagedCache> caches;
  for (std::size_t layer = 0; layer < layers.size(); ++layer)
    caches.push_back({pool->data() + 2 * layer * part, pool->data() + (2 * layer + 1) * part, slots, bf16_cache});
  PagedModel model;
  model.impl_.reset(new Impl{checkpoint,
                             config,
                             compute,
                             options,
                             std::move(layers),
                             std::move(embedding),
                             std::move(head),
                             std::move(larger),
                             std::move(pool),
                             std::move(caches),
                             Workspace(compute),
                             {},
                             {},
                             {},
                             {},
                             0,
                             nullptr});
  return model;
}

void PagedModel::set_profile(OpProfile* profile) { impl_->profile = profile; }
std::uint64_t PagedModel::expert_bytes_read() const { return impl_->expert_bytes; }
ExpertCache* PagedModel::expert_cache() { return impl_->larger.cache.get(); }

PagedModel::PagedModel() = default;
PagedModel::PagedModel(PagedModel&&) noexcept = default;
PagedModel::~PagedModel() = default;

Status PagedModel::forward(std::span<const BatchPart> parts, const LogitVisitor& visit) {
  Impl& impl = *impl_;
  std::vector<Segment> segments;
  std::vector<std::int32_t> ids;
  struct Wanted {
    std::size_t part;
    std::int64_t row, batch_row;
  };
  std::vector<Wanted> wanted;
  for (std::size_t p = 0; p < parts.size(); ++p) {
    const auto count = static_cast<std::int64_t>(parts[p].ids.size());
    const auto begin = static_cast<std::int64_t>(ids.size());
    segments.push_back({.row = begin, .count = count, .position = parts[p].position, .slots = parts[p].slots.data()});
    ids.insert(ids.end(), parts[p].ids.begin(), parts[p].ids.end());
    for (std::int64_t row = count - parts[p].logit_rows; row < count; ++row) wanted.push_back({p, row, begin + row});
  }
  const auto rows = static_cast<std::int64_t>(ids.size());
  const auto width = static_cast<std::size_t>(impl.config.hidden), vocab = static_cast<std::size_t>(impl.config.vocab);
  impl.hidden.resize(ids.size() * width);
  impl.sums.resize(impl.hidden.size());
  RowStore hidden_rows = RowStore::on(impl.hidden, impl.config.hidden);
  TETRAD_TRY(impl.embedding.write(ids, 0, hidden_rows));
  TETRAD_TRY(impl.run_layers(segments, rows));

  std::vector<float> chosen, logits;
  for (std::size_t begin = 0; begin < wanted.size(); begin += kLogitRows) {
    const std::size_t count = std::min<std::size_t>(kLogitRows, wanted.size() - begin);
    chosen.resize(count * width);
    logits.resize(count * vocab);
    for (std::size_t i = 0; i < count; ++i)
      std::memcpy(chosen.data() + i * width,
                  impl.hidden.data() + static_cast<std::size_t>(wanted[begin + i].batch_row) * width,
                  width * sizeof(float));
    OpTimer timer(impl.profile, Op::kHead);
    impl.head.logits(chosen, static_cast<std::int64_t>(count), logits);
    timer.stop();
    for (std::size_t i = 0; i < count; ++i)
      TETRAD_TRY(visit(wanted[begin + i].part, wanted[begin + i].row, std::span(logits).subspan(i * vocab, vocab)));
  }
  return {};
}

}  // namespace tetrad
