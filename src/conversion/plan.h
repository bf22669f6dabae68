// The whole of a quantization before it begins: which source tensor becomes which output tensors, in which shard and at
// which offset, in which order of work. Made from headers alone, so `--dry-run` and every check of names and shapes
// cost no weight I/O. A pure function of source and options: a resumed run makes the same plan.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "arch/model_config.h"
#include "checkpoint/checkpoint.h"
#include "checkpoint/safetensors_writer.h"
#include "conversion/options.h"

namespace tetrad {

enum class DenseAction : std::uint8_t { kCopy, kToBF16 };

// A tensor that is not quantized: copied as it is, or (FP8 with block scales, F16, F32) rounded to BF16.
struct DenseTensor {
  std::string source;  // name in the source checkpoint
  DenseAction action;
  std::size_t output;  // index into ShardLayout::tensors()
};

// The three matrices of one expert; outputs in the order gate, up, down.
struct ExpertJob {
  std::int64_t expert;
  struct Output {
    WeightView source;
    std::size_t weight, weight_scale, weight_scale_2, input_scale;  // indices into ShardLayout::tensors()
  };
  std::array<Output, 3> projections;
};

// What is worked on, recorded and resumed as one: everything outside of the layers (layer = -1), or one layer.
struct WorkUnit {
  std::int64_t layer = -1;
  std::vector<DenseTensor> dense;
  std::vector<ExpertJob> experts;
};

struct QuantizePlan {
  ShardLayout layout;
  std::vector<WorkUnit> units;
  std::vector<std::string> quantized_modules;  // in the order of work
  std::vector<std::string> carried_files;      // file names copied from the source: tokenizer, template, licence, ...
  std::vector<std::string> warnings;
  std::uint64_t bytes_in = 0, bytes_out = 0;  // of tensors
  std::uint64_t quantized_weights = 0;        // elements
  std::string
      fingerprint;  // of the source's headers, a sample of its values, and the options that decide the output bytes
};

// Errors: a family without experts, a missing or misshapen expert matrix, a source that is NVFP4 already.
Result<QuantizePlan> make_plan(const Checkpoint& source, const ModelConfig& config, const QuantizeOptions& options);

// The plan as text for people: tensors, bytes in and out, memory, time.
std::string describe_plan(const QuantizePlan& plan, const ModelConfig& config, const QuantizeOptions& options,
                          std::int64_t calibration_tokens, std::size_t threads);

}  // namespace tetrad
