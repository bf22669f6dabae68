#include "model/dense_weights.h"

#include <fmt/format.h>
#include <sys/mman.h>

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <cstring>
#include <vector>

#include "base/interrupt.h"
#include "kernels/kernel_table.h"

namespace tetrad {
namespace {

constexpr std::uint64_t kSlabBytes = std::uint64_t{64} << 20;  // of originals that are mapped at once
constexpr std::int64_t kTaskRows = 16;
constexpr std::size_t kAlignment = 64;

bool replaceable(const WeightView& weight) {
  return weight.format == WeightFormat::kF32 || weight.format == WeightFormat::kF16 ||
         weight.format == WeightFormat::kBF16;
}

std::size_t aligned(std::size_t bytes) { return (bytes + kAlignment - 1) / kAlignment * kAlignment; }
std::size_t code_bytes(const WeightView& weight) { return static_cast<std::size_t>(weight.rows * weight.cols); }
std::size_t scale_bytes(const WeightView& weight) { return static_cast<std::size_t>(weight.rows) * sizeof(float); }
std::size_t needed(const WeightView& weight) { return aligned(code_bytes(weight)) + aligned(scale_bytes(weight)); }

// In huge pages where there are some: each token reads all of it.
Result<std::shared_ptr<std::byte>> reserve(std::size_t bytes) {
  void* data = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (data == MAP_FAILED) return io_error("cannot reserve memory", "dense weights", errno);
  ::madvise(data, bytes, MADV_HUGEPAGE);
  return std::shared_ptr<std::byte>(static_cast<std::byte*>(data), [bytes](std::byte* p) { ::munmap(p, bytes); });
}

class RowQuantizer {
 public:
  RowQuantizer(const Checkpoint& checkpoint, const Compute& compute, WeightFormat format)
      : checkpoint_(checkpoint), compute_(compute), format_(format), buffers_(compute.pool().size()) {}

  // `weight` becomes codes at `to`, needed(weight) bytes.
  Status run(WeightView& weight, const std::string& module, std::byte* to) {
    std::byte* scales = to + aligned(code_bytes(weight));
    const std::int64_t row_bytes = static_cast<std::int64_t>(weight.data.size()) / weight.rows;
    const std::int64_t slab = std::max<std::int64_t>(static_cast<std::int64_t>(kSlabBytes) / row_bytes, 1);
    for (std::int64_t begin = 0; begin < weight.rows; begin += slab) {
      TETRAD_TRY(check_interrupt());
      const std::int64_t end = std::min(begin + slab, weight.rows);
      run_rows(weight, begin, end, to, scales);
      checkpoint_.release(weight.data.subspan(static_cast<std::size_t>(begin * row_bytes),
                                              static_cast<std::size_t>((end - begin) * row_bytes)));
    }
    for (std::int64_t row = 0; row < weight.rows; ++row) {
      float scale = 0;
      std::memcpy(&scale, scales + 4 * row, sizeof(scale));
      if (std::isnan(scale))
        return invalid_input(
            "can't quantize a weight", fmt::format("{}: tensor {}.weight", checkpoint_.directory().string(), module),
            fmt::format("row {} holds a value that is not finite", row), "without --dense-weights it is read as it is");
    }
    weight.format = format_;
    weight.scales = {scales, scale_bytes(weight)};
    weight.data = {to, code_bytes(weight)};
    return {};
  }

 private:
  void run_rows(const WeightView& weight, std::int64_t begin, std::int64_t end, std::byte* codes, std::byte* scales) {
    const RawWeight raw = raw_weight(weight);
    const std::int64_t stride = (raw.cols + 15) / 16 * 16;
    const KernelTable& kernels = compute_.kernels();
    compute_.pool().run(
        static_cast<std::size_t>((end - begin + kTaskRows - 1) / kTaskRows), [&](std::size_t task, std::size_t worker) {
          std::vector<float>& values = buffers_[worker];
          values.resize(static_cast<std::size_t>(stride));
          const std::int64_t first = begin + static_cast<std::int64_t>(task) * kTaskRows;
          for (std::int64_t row = first; row < std::min(first + kTaskRows, end); ++row) {
            kernels.decode_rows(raw, row, 1, values.data(), stride);
            const float scale = kernels.quantize_row(values.data(), raw.cols, format_, codes + row * raw.cols);
            std::memcpy(scales + 4 * row, &scale, sizeof(scale));
          }
        });
  }

  const Checkpoint& checkpoint_;
  const Compute& compute_;
  WeightFormat format_;
  std::vector<std::vector<float>> buffers_;  // a decoded row of each worker
};

}  // namespace

std::string_view dense_weights_name(DenseWeights dense) {
  return dense == DenseWeights::kStored ? "stored" : dense == DenseWeights::kFp8 ? "fp8" : "int8";
}

Result<std::shared_ptr<std::byte>> quantize_dense(const Checkpoint& checkpoint, const Compute& compute,
                                                  DenseWeights dense, std::span<const DenseMatrix> matrices) {
  std::size_t bytes = 0;
  if (dense != DenseWeights::kStored)
    for (const DenseMatrix& matrix : matrices)
      if (replaceable(*matrix.weight)) {
        bytes += needed(*matrix.weight);
        checkpoint.prefetch(*matrix.weight);
      }
  if (bytes == 0) return nullptr;
  std::shared_ptr<std::byte> memory = TETRAD_TRY(reserve(bytes));
  RowQuantizer quantizer(checkpoint, compute,
                         dense == DenseWeights::kFp8 ? WeightFormat::kFp8Row : WeightFormat::kInt8Row);
  std::byte* to = memory.get();
  for (const DenseMatrix& matrix : matrices) {
    if (!replaceable(*matrix.weight)) continue;
    const std::size_t taken = needed(*matrix.weight);
    TETRAD_TRY(quantizer.run(*matrix.weight, matrix.module, to));
    to += taken;
  }
  return memory;
}

Status quantize_dense(const Checkpoint& checkpoint, const ModelConfig& config, const Compute& compute,
                      DenseWeights dense, std::int64_t layer, LayerWeights& weights) {
  const std::string attention = config.layer_prefix(layer) + "self_attn.";
  const DenseMatrix matrices[] = {{&weights.q, attention + "q_proj"},
                                  {&weights.k, attention + "k_proj"},
                                  {&weights.v, attention + "v_proj"},
                                  {&weights.o, attention + "o_proj"}};
  weights.dense = TETRAD_TRY(quantize_dense(checkpoint, compute, dense, matrices));
  return {};
}

Result<DenseBytes> dense_bytes(const Checkpoint& checkpoint, const ModelConfig& config, DenseWeights dense) {
  DenseBytes bytes;
  if (dense == DenseWeights::kStored) return bytes;
  TETRAD_TRY(check_runnable(config));
  const auto add = [&bytes](const WeightView& weight, bool needed_still) {
    if (!replaceable(weight)) return;
    bytes.replaced += needed_still ? 0 : weight.bytes();
    bytes.resident += code_bytes(weight) + scale_bytes(weight);
  };
  for (std::int64_t layer = 0; layer < config.layers; ++layer) {
    const LayerWeights weights = TETRAD_TRY(load_layer(checkpoint, config, layer, Precision::kF32));
    for (const WeightView* weight : {&weights.q, &weights.k, &weights.v, &weights.o}) add(*weight, false);
  }
  add(TETRAD_TRY(head_weight(checkpoint, config)), config.tie_embeddings);
  return bytes;
}

}  // namespace tetrad
