// How much memory a server takes, worked out before anything is loaded. Used by cmd_serve.cpp.
#pragma once

#include <cstdint>
#include <string>

#include "base/error.h"

namespace tetrad {

struct MemoryRequest {
  std::uint64_t weight_bytes = 0, bytes_per_token = 0;
  std::uint64_t resident_bytes = 0;  // of the weights: made at load, not mapped
  std::int64_t context_length = 0;
  double fraction = 0.85;             // of the machine's memory, for weights, keys and values together
  std::int64_t max_total_tokens = 0;  // 0: what fits, at most kContexts contexts
  std::uint64_t machine_bytes = 0;
};

struct MemoryPlan {
  std::int64_t pool_tokens = 0;
  std::string text;     // for people, one line
  std::string warning;  // empty: none
};

// Whether weights and the largest pool that is worth having (kContexts contexts) fit.
bool fits_whole(const MemoryRequest& request);
// kOutOfMemory when weights and the smallest useful pool don't fit.
Result<MemoryPlan> plan_memory(const MemoryRequest& request);

}  // namespace tetrad
