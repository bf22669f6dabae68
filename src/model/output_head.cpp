#include <algorithm>
#include <vector>

#include "kernels/linear.h"
#include "model/dense_weights.h"
#include "model/layer_stream.h"
#include "model/layer_weights.h"

namespace tetrad {
namespace {

constexpr std::size_t kHeadSlabBytes = std::size_t{64} << 20;  // of weights that are mapped at once
constexpr std::int64_t kReleaseRows = 16;  // fewer rows are generation: the next token needs the pages again

// Rows [begin, begin + count); begin and count are multiples of a FP8 block's rows (count but for the last).
WeightView slice_rows(const WeightView& weight, std::int64_t begin, std::int64_t count) {
  WeightView slice = weight;
  slice.rows = count;
  const auto cut = [](std::span<const std::byte> bytes, std::int64_t rows, std::int64_t first, std::int64_t n) {
    const std::size_t row = bytes.size() / static_cast<std::size_t>(rows);
    return bytes.subspan(row * static_cast<std::size_t>(first), row * static_cast<std::size_t>(n));
  };
  slice.data = cut(weight.data, weight.rows, begin, count);
  if (weight.format == WeightFormat::kNvfp4 || weight.format == WeightFormat::kInt8Row ||
      weight.format == WeightFormat::kFp8Row)
    slice.scales = cut(weight.scales, weight.rows, begin, count);
  if (weight.format == WeightFormat::kFp8Block) {
    const auto blocks = [&](std::int64_t rows) { return (rows + weight.block_rows - 1) / weight.block_rows; };
    slice.scales = cut(weight.scales, blocks(weight.rows), begin / weight.block_rows, blocks(count));
  }
  return slice;
}

}  // namespace

struct OutputHead::Impl {
  Checkpoint checkpoint;
  ModelConfig config;
  Compute compute;
  ForwardOptions options;
  std::vector<float> norm;
  WeightView weight;
  std::shared_ptr<std::byte> dense;  // where an 8-bit head lies
};

Result<OutputHead> OutputHead::create(const Checkpoint& checkpoint, const ModelConfig& config, const Compute& compute,
                                      const ForwardOptions& options) {
  TETRAD_TRY(check_runnable(config));
  OutputHead head;
  head.impl_.reset(new Impl{checkpoint, config, compute, options, {}, {}, {}});
  head.impl_->norm = TETRAD_TRY(load_vector(checkpoint, "model.norm.weight", config.hidden, options.precision));
  head.impl_->weight = TETRAD_TRY(head_weight(checkpoint, config));
  const DenseMatrix matrix = {&head.impl_->weight, config.tie_embeddings ? "model.embed_tokens" : "lm_head"};
  head.impl_->dense = TETRAD_TRY(quantize_dense(checkpoint, compute, options.dense, {&matrix, 1}));
  return head;
}

OutputHead::OutputHead() = default;
OutputHead::OutputHead(OutputHead&&) noexcept = default;
OutputHead::~OutputHead() = default;
WeightView& OutputHead::weight() { return impl_->weight; }

void OutputHead::logits(std::span<const float> hidden, std::int64_t rows, std::span<float> out) const {
  const Impl& impl = *impl_;
  const bool bf16 = impl.options.precision == Precision::kBF16;
  const std::int64_t width = impl.config.hidden, vocab = impl.config.vocab;
  std::vector<float> normed(static_cast<std::size_t>(rows * width));
  impl.compute.pool().run(
      static_cast<std::size_t>(rows),
      [&](std::size_t i, std::size_t) {
        const std::size_t at = i * static_cast<std::size_t>(width);
        impl.compute.kernels().rms_norm(hidden.data() + at, impl.norm.data(), width,
                                        static_cast<float>(impl.config.rms_eps), bf16, normed.data() + at);
      },
      16);
  Workspace workspace(impl.compute);
  const std::size_t row_bytes = std::max<std::size_t>(impl.weight.data.size() / static_cast<std::size_t>(vocab), 1);
  const std::int64_t unit = impl.weight.format == WeightFormat::kFp8Block ? impl.weight.block_rows : 1;
  const std::int64_t slab =
      std::max<std::int64_t>(static_cast<std::int64_t>(kHeadSlabBytes / row_bytes) / unit, 1) * unit;
  for (std::int64_t begin = 0; begin < vocab; begin += slab) {
    const WeightView part = slice_rows(impl.weight, begin, std::min(slab, vocab - begin));
    const LinearJob job = {&part, normed.data(), rows, width, out.data() + begin, vocab};
    linear(impl.compute, workspace, {&job, 1}, {.bf16 = bf16});
    if (slab < vocab && rows >= kReleaseRows) impl.checkpoint.release(part);
  }
}

}  // namespace tetrad
