// Runs a model as the server's engine does, on random tokens, and measures it; the memory's rate in turn with it.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "arch/model_config.h"
#include "base/rng.h"
#include "cli/bench_profile.h"
#include "cli/bench_result.h"
#include "model/paged_model.h"

namespace tetrad {

struct BenchRuns {
  std::int64_t generate = 32, repeat = 5, chunk = 512;
  bool profile = false;
  std::uint64_t seed = 0;
  double dense_bytes = 0;                // of all weights but experts and embedding, as they are read: by each step
  std::uint64_t kv_bytes_per_token = 0;  // what a step reads of each token before it
};

// Not thread-safe; `config` and `meter`, which may be null, must outlive it.
class BenchRunner {
 public:
  BenchRunner(PagedModel model, const ModelConfig& config, ReadMeter* meter, const BenchRuns& runs)
      : model_(std::move(model)), config_(config), meter_(meter), runs_(runs), rng_(runs.seed) {}

  Result<Prefill> prefill(std::int64_t tokens);
  Result<Decode> decode(std::int64_t concurrency, std::int64_t context);
  const std::vector<PassProfile>& profiles() const { return profiles_; }

 private:
  void begin_profile();
  void end_profile(std::string name, std::int64_t passes);
  std::int32_t token() { return static_cast<std::int32_t>(rng_.below(static_cast<std::uint64_t>(config_.vocab))); }
  Status fill(std::int64_t tokens, std::int64_t slot);
  Status step_all(std::int64_t concurrency, std::int64_t room, std::int64_t position);

  PagedModel model_;
  const ModelConfig& config_;
  ReadMeter* meter_;
  BenchRuns runs_;
  Rng rng_;
  OpProfile times_;
  std::vector<PassProfile> profiles_;
};

}  // namespace tetrad
