// The token sequences that a model is calibrated with: conversations from JSONL files, each under a random system
// prompt, rendered by the model's own template and tokenized; or ready-made ids. Deterministic in files and seed.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "arch/model_config.h"
#include "base/error.h"

namespace tetrad {

struct CalibrationOptions {
  std::vector<std::filesystem::path> conversations;  // JSONL
  std::filesystem::path ids;                         // JSON: [[ids...], ...]
  std::filesystem::path system_prompts;  // see read_system_prompts(). Empty path: each conversation keeps its own
  std::int64_t max_tokens = 65536;       // in all; 0: no limit. Ready-made ids are taken whole
  std::int64_t max_length = 2048;        // of a sequence; the rest of a longer conversation is dropped
  std::uint64_t seed = 0;

  bool empty() const { return conversations.empty() && ids.empty(); }
};

struct CalibrationSet {
  std::vector<std::vector<std::int32_t>>
      sequences;  // longest first, so that sequences of like length run together; never concatenated, never padded
  std::int64_t tokens = 0;
  std::int64_t conversations_read = 0, truncated = 0;
  std::string fingerprint;  // of all ids in order
  std::vector<std::string> warnings;
};

// Conversations of all files are shuffled together, so that a limit on tokens takes some of every kind.
Result<CalibrationSet> load_calibration_set(const CalibrationOptions& options,
                                            const std::filesystem::path& model_directory, const ModelConfig& config);

// [[ids...], ...] from a JSON file (or an object with that under "input_ids"): integers inside the vocabulary, no empty
// sequence. Also used by `logits` and `eval`.
Result<std::vector<std::vector<std::int32_t>>> read_id_sequences(const std::filesystem::path& path, std::int64_t vocab);

}  // namespace tetrad
