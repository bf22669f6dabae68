// A checkpoint of a known model's shape with random weights, to measure speed and memory with where the model itself is
// not at hand. Used by `tetrad make-model`.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "arch/model_config.h"
#include "base/json.h"
#include "base/thread_pool.h"

namespace tetrad {

struct RandomModelOptions {
  std::filesystem::path destination;
  std::filesystem::path tokenizer;    // a model directory to copy the tokenizer's files from; "": none
  std::string like = "minimax-m2.7";  // one of known_model_shapes(); what is not set below is as it is there
  std::optional<std::int64_t> layers, experts, vocab, hidden, width, heads, kv_heads, head_dim, top_k;
  StoredFormat format = StoredFormat::kFp8Block;  // or kPlain (BF16) or kNvfp4ModelOpt
  std::uint64_t shard_size = 10'000'000'000;      // bytes
  std::uint64_t seed = 0;
  bool overwrite = false;
};

struct RandomModelResult {
  std::string destination, like, format;
  ModelConfig config;
  std::uint64_t tensors = 0, parameters = 0, shards = 0, bytes = 0;  // bytes: of tensors
  std::uint64_t seed = 0, peak_rss_bytes = 0;
  double seconds = 0;
};
Json to_json(const RandomModelResult& result);
std::string to_text(const RandomModelResult& result);

std::vector<std::string> known_model_shapes();
std::string random_format_name(StoredFormat format);  // "fp8", "bf16", "nvfp4"

// Writes DST.partial/ and renames it when whole; a failure leaves nothing. The same bytes for the same options,
// whatever the threads and the machine. Numbers that make no model are errors of code kUsage.
Result<RandomModelResult> make_random_model(const RandomModelOptions& options, ThreadPool& threads);

}  // namespace tetrad
