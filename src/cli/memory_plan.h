// How much memory a model takes, worked out before anything is loaded, and what to do when there is less: keep part of
// the experts (model/expert_cache.h). Used by serve, chat, generate and bench.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "base/error.h"
#include "cli/command.h"

namespace tetrad {

struct MemoryRequest {
  std::uint64_t weight_bytes = 0, bytes_per_token = 0;
  std::uint64_t resident_bytes = 0;                      // of weight_bytes: made at load, not mapped
  std::uint64_t expert_bytes = 0, one_expert_bytes = 0;  // of weight_bytes
  std::uint64_t dense_bytes = 0;                         // what each token needs; of weight_bytes
  std::int64_t context_length = 0;
  double fraction = 0.85;             // of the machine's memory, for weights, keys and values together
  std::int64_t max_total_tokens = 0;  // 0: what fits, at most kContexts contexts
  std::uint64_t machine_bytes = 0, available_bytes = 0;
  std::int64_t step_tokens = 512;  // of the largest step; what is available must hold its buffers too
  std::uint64_t buffer_bytes_per_token = 0;
  std::optional<std::uint64_t> expert_cache;  // bytes; 0: off; nothing: when the model does not fit
};

struct MemoryPlan {
  std::int64_t pool_tokens = 0;
  std::uint64_t expert_cache_bytes = 0;  // 0: weights stay mapped
  std::string text;                      // for people, one line
  std::string warning;                   // empty: none
};

// What the model, this machine, --expert-cache ("auto", "off", a size) and --dense-weights say. kUsage for another
// value.
Result<MemoryRequest> memory_request(const Model& model, const std::string& expert_cache,
                                     DenseWeights dense = DenseWeights::kStored);
// Whether weights and the largest pool that is worth having (kContexts contexts) fit.
bool fits_whole(const MemoryRequest& request);
// kOutOfMemory when weights (or, with an expert cache, those that every token needs) and the smallest useful pool don't
// fit.
Result<MemoryPlan> plan_memory(const MemoryRequest& request);
// Of a pool that is given: the expert cache's bytes, 0 for none. For generate and bench; `hint`: what to try if it does
// not fit, since their flags are not the server's.
Result<std::uint64_t> plan_expert_cache(MemoryRequest request, std::int64_t pool_tokens, const char* hint);
void add_expert_cache_option(CLI::App& command, std::string& value);

}  // namespace tetrad
