#include "cli/memory_plan.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/units.h"

namespace tetrad {
namespace {

// A pool of more contexts than this keeps prefixes nobody comes back for; 64 K tokens is plenty for a small model.
constexpr std::int64_t kContexts = 8, kUsefulTokens = 65'536, kLeastTokens = 256;

std::int64_t most_tokens(const MemoryRequest& request) {
  return request.max_total_tokens > 0 ? request.max_total_tokens
                                      : std::max(kContexts * request.context_length, kUsefulTokens);
}

}  // namespace

bool fits_whole(const MemoryRequest& request) {
  const double pool = static_cast<double>(request.bytes_per_token) * static_cast<double>(most_tokens(request));
  return static_cast<double>(request.weight_bytes) + pool <=
         request.fraction * static_cast<double>(request.machine_bytes);
}

Result<MemoryPlan> plan_memory(const MemoryRequest& request) {
  const auto budget = static_cast<std::uint64_t>(request.fraction * static_cast<double>(request.machine_bytes));
  const std::uint64_t per_token = std::max<std::uint64_t>(request.bytes_per_token, 1);
  const std::uint64_t room = budget > request.weight_bytes ? budget - request.weight_bytes : 0;
  const std::string of =
      fmt::format("{} ({:g} of {})", format_bytes(budget), request.fraction, format_bytes(request.machine_bytes));
  const std::int64_t least = std::min(request.context_length, kLeastTokens);
  MemoryPlan plan;
  plan.pool_tokens = request.max_total_tokens;
  if (plan.pool_tokens == 0) {
    plan.pool_tokens = static_cast<std::int64_t>(
        std::min<std::uint64_t>(room / per_token, static_cast<std::uint64_t>(most_tokens(request))));
    if (plan.pool_tokens < least)
      return make_error(
          ErrorCode::kOutOfMemory, "the model does not fit", of,
          fmt::format("weights take {}, and {} tokens of keys and values {}", format_bytes(request.weight_bytes), least,
                      format_bytes(per_token * static_cast<std::uint64_t>(least))),
          "raise --mem-fraction-static, or choose --max-total-tokens to read weights from disk again and again");
  }
  const std::uint64_t pool = per_token * static_cast<std::uint64_t>(plan.pool_tokens);
  if (pool / per_token != static_cast<std::uint64_t>(plan.pool_tokens) || pool > budget)
    return make_error(ErrorCode::kOutOfMemory, "the key/value pool does not fit", of,
                      fmt::format("{} tokens of {} each", plan.pool_tokens, format_bytes(per_token)),
                      fmt::format("--max-total-tokens {} fits", budget / per_token));
  if (request.resident_bytes + pool > budget)
    return make_error(ErrorCode::kOutOfMemory, "the model does not fit", of,
                      fmt::format("8-bit weights take {}, keys and values {}", format_bytes(request.resident_bytes),
                                  format_bytes(pool)),
                      "choose a smaller --max-total-tokens, or leave --dense-weights out");
  if (request.weight_bytes + pool > budget)
    plan.warning =
        fmt::format("weights of {} and a pool of {} are more than {}: weights will be read from disk again and again",
                    format_bytes(request.weight_bytes), format_bytes(pool), of);
  else if (plan.pool_tokens < request.context_length)
    plan.warning = fmt::format("the key/value pool holds {} tokens, less than one context of {}", plan.pool_tokens,
                               request.context_length);
  const std::string resident = request.resident_bytes == 0
                                   ? std::string()
                                   : fmt::format(" ({} of them resident)", format_bytes(request.resident_bytes));
  plan.text = fmt::format("memory: weights {}{}, keys and values {} ({} tokens of {}), of {}",
                          format_bytes(request.weight_bytes), resident, format_bytes(pool), plan.pool_tokens,
                          format_bytes(per_token), of);
  return plan;
}

}  // namespace tetrad
