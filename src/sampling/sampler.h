// From logits to the next token: penalties, temperature, top-k, top-p, min-p, in the order vLLM and SGLang have them,
// then a draw from a generator that is a pure function of seed and position, so that the same request gives the same
// text wherever and with whatever else it runs.
#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <utility>
#include <vector>

#include "base/error.h"

namespace tetrad {

struct SamplingParams {
  double temperature = 1.0;                                 // >= 0; below 1e-6: the largest logit, ties to the lower id
  double top_p = 1.0;                                       // (0, 1]
  std::int64_t top_k = 0;                                   // 0 or -1: off
  double min_p = 0.0;                                       // [0, 1]
  double repetition_penalty = 1.0;                          // > 0, over prompt and output
  double presence_penalty = 0.0, frequency_penalty = 0.0;   // [-2, 2], over the output
  double typical_p = 1.0;                                   // (0, 1]; locally typical sampling (Meister et al., 2022)
  std::vector<std::pair<std::int32_t, double>> logit_bias;  // added to the logits of these ids, each in [-100, 100]
  std::uint64_t seed = 0;

  // Names the field that is out of range.
  Status validate() const;
};

// generation_config.json's temperature, top_p, top_k, min_p, repetition_penalty; do_sample false means temperature 0. A
// missing file gives the defaults.
Result<SamplingParams> read_generation_config(const std::filesystem::path& model_directory);

// The token at output position `position`. `logits` [vocab] is used as scratch; non-finite logits are never drawn (an
// error when no other is left).
Result<std::int32_t> sample(std::span<float> logits, const SamplingParams& params, std::span<const std::int32_t> prompt,
                            std::span<const std::int32_t> output, std::uint64_t position);

}  // namespace tetrad
