// Runs many sequences through a model one layer at a time: each layer's weights are read once, for all tokens, then
// dropped from memory. Calibration and evaluation stand on this. Memory: two [tokens, hidden] F32 stores (in RAM, or
// beyond `memory_limit` in unlinked temporary files), the routing table and working buffers; never more than a few
// experts' weights. A token's values don't depend on other sequences, their order, the memory limit or threads.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "arch/model_config.h"
#include "checkpoint/checkpoint.h"
#include "kernels/compute.h"

namespace tetrad {

enum class Precision : std::uint8_t {
  kF32,   // everything in F32
  kBF16,  // every op's result rounded to BF16 where PyTorch on a CPU does (transformers in bfloat16)
};
enum class ActivationFormat : std::uint8_t {
  kBF16,   // experts see the activations as they are
  kNvfp4,  // W4A4: inputs of NVFP4 experts quantized per 16 values with the checkpoint's input_scale (nvfp4-loading
           // rule: E4M3 block scale of g*amax/6)
};

enum class DenseWeights : std::uint8_t {
  kStored,  // as the checkpoint has them
  kFp8,     // attention's projections and the output head, where stored in 16 bits or more, as E4M3 or 8-bit integers
  kInt8,    // with a scale for each row (dense_weights.h)
};

struct ForwardOptions {
  Precision precision = Precision::kF32;
  ActivationFormat activations = ActivationFormat::kBF16;
  DenseWeights dense = DenseWeights::kStored;
  bool int8_inputs = false;  // NVFP4 experts multiply by 8-bit integers, not 16-bit ones (kernels/linear.h); not when
                             // their inputs are in NVFP4 themselves
  bool drop_nonfinite = false;  // calibration: an expert's rows with a non-finite value are counted, contribute nothing
                                // and enter no statistic

  bool computes_in_int8() const { return int8_inputs && activations != ActivationFormat::kNvfp4; }
};
inline std::string expert_inputs_name(const ForwardOptions& options, const Compute& compute) {
  return options.computes_in_int8() && compute.has_int8_inputs() ? "int8" : "int16";
}

struct ExpertActivity {
  std::int64_t tokens = 0;  // rows routed here
  double route_mass = 0;    // sum of their routing weights
  float gate_up_amax = 0;   // largest |input| of gate and up over the finite rows
  float down_amax = 0;      // largest |silu(gate) * up|
  std::int64_t nonfinite_rows = 0;
};
struct LayerActivity {
  std::int64_t layer = 0;
  std::vector<ExpertActivity> experts;  // empty for a dense layer
};

// Gets experts whose rows are all done, while their weights are still in memory: each expert of the layer once, in
// ascending order, those without tokens too. Calibration quantizes here, so that a weight is read once.
using ExpertVisitor = std::function<Status(std::span<const std::int64_t> experts)>;

class LayerStream {
 public:
  struct Limits {
    std::uint64_t memory_bytes = 0;             // for the stores and buffers together; 0: no limit
    std::filesystem::path temporary_directory;  // where spilled stores go
  };
  // `sequences`: token ids, each checked against the vocabulary; each is its own context, positions from 0. Nothing is
  // padded. An unsupported family or a missing/misshapen tensor is an error here, before any work.
  static Result<LayerStream> create(const Checkpoint& checkpoint, const ModelConfig& config, const Compute& compute,
                                    const ForwardOptions& options, std::vector<std::vector<std::int32_t>> sequences,
                                    const Limits& limits);
  LayerStream(LayerStream&&) noexcept;
  LayerStream& operator=(LayerStream&&) noexcept;
  ~LayerStream();

  std::int64_t tokens() const;
  bool spilled() const;
  std::int64_t next_layer() const;                                     // 0 after create(), which also embeds
  Result<LayerActivity> run_layer(const ExpertVisitor& visitor = {});  // runs layer next_layer()

  // Hidden states after the last layer run, rows [begin, begin + n) of all sequences one behind another. out: [n,
  // hidden].
  Status read_hidden(std::int64_t begin, std::int64_t n, std::span<float> out) const;

  // For resuming: the whole state after next_layer() - 1 layers, written atomically (fsync, rename) and read back with
  // its size and checksum tested.
  Status save(const std::filesystem::path& path) const;
  Status restore(const std::filesystem::path& path);

  struct Impl;  // layer_stream_impl.h, private to this folder
  const Impl& impl() const { return *impl_; }

 private:
  LayerStream();
  std::unique_ptr<Impl> impl_;
};

// Final norm and output projection.
class OutputHead {
 public:
  static Result<OutputHead> create(const Checkpoint& checkpoint, const ModelConfig& config, const Compute& compute,
                                   const ForwardOptions& options);
  OutputHead(OutputHead&&) noexcept;
  ~OutputHead();
  // hidden [rows, hidden] as read_hidden gives it -> logits [rows, vocab].
  void logits(std::span<const float> hidden, std::int64_t rows, std::span<float> out) const;
  WeightView& weight();  // for who keeps its bytes elsewhere

 private:
  OutputHead();
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace tetrad
