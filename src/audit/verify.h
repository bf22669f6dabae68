// Faults of a checkpoint that a loader would stumble over, or worse, would not notice: all of them, not the first one.
// Reads every tensor once, in parallel, and drops pages behind itself, so memory does not grow with the model. Used by
// the command line (verify). The rules for NVFP4 come from what NVIDIA ModelOpt 0.47 writes and what SGLang 0.5 and
// vLLM 0.33 do with it.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "arch/tensor_table.h"
#include "base/thread_pool.h"
#include "checkpoint/checkpoint.h"

namespace tetrad {

struct Fault {
  std::string where, what;  // tensor, module or file; and what is wrong with it. One line each, printable
};

// A quantized matrix of the checkpoint against the same matrix of the source: ||W - W'|| / ||W|| (Frobenius); 0 when
// both are zero.
struct MatrixError {
  std::string module;
  Role role;
  int projection;  // of experts: 0 gate, 1 up, 2 down; else -1
  double relative_error;
};

struct Verification {
  std::string directory, against;
  std::uint64_t tensors = 0;
  std::vector<Fault> faults;          // at most kMaxFaults of them, in the order of the model's tensors
  std::uint64_t fault_count = 0;      // all
  std::vector<MatrixError> matrices;  // with a source
  std::uint64_t equal_tensors = 0;    // with a source: tensors that are not quantized and hold the source's values

  static constexpr std::size_t kMaxFaults = 1000;
  bool good() const { return fault_count == 0; }
};

// Checkpoint and config are taken as opened; faults found while opening may be passed in `opening`.
Verification verify(const Checkpoint& checkpoint, const ModelConfig& config, const Checkpoint* against,
                    const std::vector<Error>& opening, ThreadPool& pool);

// The whole of `tetrad verify`: opens a maybe damaged directory. An error only when there is nothing to look at (no
// config.json, no tensors, an unknown architecture) or when the source, which must be whole, cannot be opened.
Result<Verification> verify_directory(const std::filesystem::path& directory,
                                      const std::optional<std::filesystem::path>& against, ThreadPool& pool);

std::string to_text(const Verification& verification);
Json to_json(const Verification& verification);

}  // namespace tetrad
