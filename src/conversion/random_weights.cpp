#include "conversion/random_weights.h"

#include <cmath>

#include "arch/tensor_table.h"
#include "base/rng.h"

namespace tetrad {
namespace {

constexpr float kNormSpread = 0.1F, kBiasSpread = 0.02F, kScaleSpread = 0.1F;
// Largest inputs of gate and up (a row of deviation 1), and of down (a product of two such), over 6 * 448.
constexpr float kWideInputScale = 6.0F / 2688, kDownInputScale = 20.0F / 2688;
// Streams of random numbers that are not the pool's.
constexpr std::uint64_t kStarts = std::uint64_t{1} << 40, kTensorScales = std::uint64_t{1} << 41;

class Builder {
 public:
  Builder(const ModelConfig& config, std::uint64_t seed, ValuePool& pool) : config_(config), seed_(seed), pool_(pool) {}

  RandomWeights run() {
    for (const TensorRow& row : tensor_table(config_)) {
      std::uint64_t elements = 1;
      for (const std::int64_t size : row.shape) elements *= static_cast<std::uint64_t>(size);
      weights_.parameters += elements;
      add_row(row);
    }
    return std::move(weights_);
  }

 private:
  void add_row(const TensorRow& row) {
    const std::string name = row.module + row.suffix;
    const bool expert = row.role == Role::kExpert, fp8 = config_.stored == StoredFormat::kFp8Block;
    if (expert && config_.stored == StoredFormat::kNvfp4ModelOpt) return add_nvfp4(row);
    if (fp8 && row.linear && (expert || row.role == Role::kAttention)) return add_fp8(row);
    if (row.role == Role::kRouter) return add(name, DType::kF32, row.shape, pool_.ring(RingKind::kF32, 0, spread(row)));
    if (row.role == Role::kRouterBias)
      return add(name, DType::kF32, row.shape, pool_.ring(RingKind::kF32, 0, kBiasSpread));
    if (row.role == Role::kNorm) return add(name, DType::kBF16, row.shape, pool_.ring(RingKind::kBF16, 1, kNormSpread));
    const RingKind kind = row.role == Role::kEmbedding ? RingKind::kBF16Shuffled : RingKind::kBF16;
    add(name, DType::kBF16, row.shape, pool_.ring(kind, 0, spread(row)));
  }

  // Standard deviation of a matrix's weights.
  float spread(const TensorRow& row) const {
    const auto layers = static_cast<float>(config_.layers), inputs = static_cast<float>(row.shape[1]);
    if (row.role == Role::kEmbedding) return 1;
    float size = 1;  // of the outputs, for inputs of 1
    if (row.role == Role::kHead) size = 2;
    if (row.role == Role::kAttention && row.module.ends_with("o_proj")) size = 1 / std::sqrt(layers);
    // The weighted mean of k independent experts is 1 / sqrt(k) of each.
    if (row.role == Role::kExpert && identify_tensor(config_, row.module + row.suffix).projection == 2)
      size = std::sqrt(static_cast<float>(config_.experts_per_token) / layers);
    return size / std::sqrt(inputs);
  }

  void add_fp8(const TensorRow& row) {
    const auto blocks = [](std::int64_t size, std::int64_t block) { return (size + block - 1) / block; };
    const float scale = spread(row) / kFp8Scale;
    add(row.module + ".weight", DType::kF8E4M3, row.shape, pool_.ring(RingKind::kFp8));
    add(row.module + ".weight_scale_inv", DType::kF32,
        {blocks(row.shape[0], config_.fp8_block_rows), blocks(row.shape[1], config_.fp8_block_cols)},
        pool_.ring(RingKind::kF32, scale, kScaleSpread * scale));
  }

  void add_nvfp4(const TensorRow& row) {
    const TensorIdentity id = identify_tensor(config_, row.module + row.suffix);
    const std::int64_t rows = row.shape[0], cols = row.shape[1];
    const ValueRing& codes = pool_.ring(RingKind::kNvfp4Codes);
    const std::uint64_t start = next_start(codes);
    // One number for gate and up of an expert, another for down.
    const auto pair = static_cast<std::uint64_t>(2 * (id.layer * config_.experts + id.expert) + id.projection / 2);
    const double factor = 0.9 + 0.2 * Rng(seed_, kTensorScales + pair).uniform();
    const float scale = static_cast<float>(factor) * pool_.nvfp4_tensor_scale() * spread(row);
    put({row.module + ".weight", DType::kU8, {rows, cols / 2}}, {&codes, start, 0});
    put({row.module + ".weight_scale", DType::kF8E4M3, {rows, cols / 16}},
        {&pool_.ring(RingKind::kNvfp4Scales), start, 0});
    put({row.module + ".weight_scale_2", DType::kF32, {}}, {nullptr, 0, scale});
    put({row.module + ".input_scale", DType::kF32, {}},
        {nullptr, 0, id.projection == 2 ? kDownInputScale : kWideInputScale});
  }

  void add(std::string name, DType dtype, const Shape& shape, const ValueRing& ring) {
    put({std::move(name), dtype, shape}, {&ring, next_start(ring), 0});
  }
  void put(TensorSpec spec, RandomTensor tensor) {
    weights_.specs.push_back(std::move(spec));
    weights_.tensors.push_back(tensor);
  }
  std::uint64_t next_start(const ValueRing& ring) const {
    return Rng(seed_, kStarts + weights_.specs.size()).below(ring.units());
  }

  const ModelConfig& config_;
  std::uint64_t seed_;
  ValuePool& pool_;
  RandomWeights weights_;
};

}  // namespace

RandomWeights random_weights(const ModelConfig& config, std::uint64_t seed, ValuePool& pool) {
  return Builder(config, seed, pool).run();
}

}  // namespace tetrad
