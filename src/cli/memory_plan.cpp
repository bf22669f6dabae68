#include "cli/memory_plan.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>

#include "audit/inspect.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/units.h"
#include "model/decoder.h"
#include "model/dense_weights.h"
#include "model/expert_pass.h"

namespace tetrad {
namespace {

// A pool of more contexts than this keeps prefixes nobody comes back for; 64 K tokens is plenty for a small model.
constexpr std::int64_t kContexts = 8, kUsefulTokens = 65'536, kLeastTokens = 256;
// Of what is available now: the rest is for buffers, and for programs that grow.
constexpr double kOfAvailable = 0.95;
// Of what dense weights leave, when experts don't fit: keys and values. The rest keeps experts.
constexpr std::uint64_t kPoolShare = 4;

std::int64_t most_tokens(const MemoryRequest& request) {
  return request.max_total_tokens > 0 ? request.max_total_tokens
                                      : std::max(kContexts * request.context_length, kUsefulTokens);
}

std::int64_t least_tokens(const MemoryRequest& request) {
  if (request.max_total_tokens > 0) return request.max_total_tokens;
  return std::min(request.context_length, kLeastTokens);
}

std::uint64_t per_token(const MemoryRequest& request) { return std::max<std::uint64_t>(request.bytes_per_token, 1); }

struct Budget {
  std::uint64_t bytes = 0;
  std::string text;
};

Budget budget_of(const MemoryRequest& request) {
  const double part = request.fraction * static_cast<double>(request.machine_bytes);
  const double buffers = static_cast<double>(request.step_tokens) * static_cast<double>(request.buffer_bytes_per_token);
  const double free = std::max(0.0, kOfAvailable * static_cast<double>(request.available_bytes) - buffers);
  Budget budget;
  budget.bytes = static_cast<std::uint64_t>(std::min(part, free));
  budget.text =
      fmt::format("{} ({})", format_bytes(budget.bytes),
                  free < part ? fmt::format("{:g} of {} available, less {} of buffers", kOfAvailable,
                                            format_bytes(request.available_bytes),
                                            format_bytes(static_cast<std::uint64_t>(buffers)))
                              : fmt::format("{:g} of {}", request.fraction, format_bytes(request.machine_bytes)));
  return budget;
}

bool wants_cache(const MemoryRequest& request, const Budget& budget) {
  if (request.expert_bytes == 0) return false;
  if (request.expert_cache) return *request.expert_cache > 0;
  const double least = static_cast<double>(per_token(request)) * static_cast<double>(least_tokens(request));
  return static_cast<double>(request.weight_bytes) + least > static_cast<double>(budget.bytes);
}

Unexpected does_not_fit(const MemoryRequest& request, const Budget& budget, std::uint64_t weights, const char* what,
                        std::string hint) {
  const std::int64_t tokens = least_tokens(request);
  return make_error(ErrorCode::kOutOfMemory, "the model does not fit", budget.text,
                    fmt::format("{} take {}, and {} tokens of keys and values {}", what, format_bytes(weights), tokens,
                                format_bytes(per_token(request) * static_cast<std::uint64_t>(tokens))),
                    std::move(hint));
}

// `fixed`: bytes that the pool can't have.
Status check_pool(const MemoryRequest& request, const Budget& budget, std::uint64_t fixed) {
  const std::uint64_t most = budget.bytes > fixed ? (budget.bytes - fixed) / per_token(request) : 0;
  if (static_cast<std::uint64_t>(request.max_total_tokens) <= most) return {};
  return make_error(ErrorCode::kOutOfMemory, "the key/value pool does not fit", budget.text,
                    fmt::format("{} tokens of {} each", request.max_total_tokens, format_bytes(per_token(request))) +
                        (fixed == 0 ? "" : fmt::format(", beside {} of weights", format_bytes(fixed))),
                    most > 0 ? fmt::format("--max-total-tokens {} fits", most) : "raise --mem-fraction-static");
}

// Of an expert cache's size that is given: no more than all experts take.
std::uint64_t given_cache(const MemoryRequest& request) {
  return std::min(request.expert_cache.value_or(0), request.expert_bytes + request.expert_bytes / 50);  // whole blocks
}
std::uint64_t least_resident(const MemoryRequest& request) {
  return request.dense_bytes + std::max(given_cache(request), request.one_expert_bytes);
}

std::string short_pool(const MemoryRequest& request, std::int64_t tokens) {
  if (tokens >= request.context_length) return {};
  return fmt::format("the key/value pool holds {} tokens, less than one context of {}", tokens, request.context_length);
}

// Dense weights resident, then keys and values, and experts in what is left (or the other way round, when the cache's
// size is given).
Result<MemoryPlan> plan_with_cache(const MemoryRequest& request, const Budget& budget) {
  const std::uint64_t most_cache = request.expert_bytes + request.expert_bytes / 50;  // slots are whole blocks
  const std::uint64_t given = given_cache(request), fixed = least_resident(request);
  const auto fail = [&] {
    return does_not_fit(request, budget, fixed, given > 0 ? "dense weights and the expert cache" : "dense weights",
                        "raise --mem-fraction-static, or lower --max-total-tokens or --expert-cache");
  };
  if (fixed >= budget.bytes) return fail();
  const std::uint64_t room = budget.bytes - fixed;
  const auto least = static_cast<std::uint64_t>(least_tokens(request));
  if (least > room / per_token(request)) return fail();
  MemoryPlan plan;
  const std::uint64_t share = given > 0 ? room : room / kPoolShare;
  plan.pool_tokens = static_cast<std::int64_t>(std::min<std::uint64_t>(
      std::max(least, share / per_token(request)), static_cast<std::uint64_t>(most_tokens(request))));
  const std::uint64_t pool = per_token(request) * static_cast<std::uint64_t>(plan.pool_tokens);
  plan.expert_cache_bytes = given > 0 ? given : std::min(budget.bytes - request.dense_bytes - pool, most_cache);
  plan.warning = short_pool(request, plan.pool_tokens);
  const std::uint64_t kept = std::min(plan.expert_cache_bytes, request.expert_bytes);
  plan.text = fmt::format(
      "memory: larger than memory: dense weights {}, {} of {} of experts ({:.0f} %), keys and values {} ({} tokens of "
      "{}), of {}; other experts are read from disk when they are wanted",
      format_bytes(request.dense_bytes), format_bytes(kept), format_bytes(request.expert_bytes),
      100 * static_cast<double>(kept) / static_cast<double>(std::max<std::uint64_t>(request.expert_bytes, 1)),
      format_bytes(pool), plan.pool_tokens, format_bytes(per_token(request)), budget.text);
  return plan;
}

Result<MemoryPlan> plan_mapped(const MemoryRequest& request, const Budget& budget) {
  MemoryPlan plan;
  plan.pool_tokens = request.max_total_tokens;
  if (plan.pool_tokens == 0) {
    const std::uint64_t room = budget.bytes > request.weight_bytes ? budget.bytes - request.weight_bytes : 0;
    plan.pool_tokens = static_cast<std::int64_t>(
        std::min<std::uint64_t>(room / per_token(request), static_cast<std::uint64_t>(most_tokens(request))));
    if (plan.pool_tokens < least_tokens(request))
      return does_not_fit(request, budget, request.weight_bytes, "weights",
                          "raise --mem-fraction-static, or let --expert-cache auto keep part of the experts");
  }
  if (request.max_total_tokens > 0) TETRAD_TRY(check_pool(request, budget, request.resident_bytes));
  const std::uint64_t pool = per_token(request) * static_cast<std::uint64_t>(plan.pool_tokens);
  if (request.weight_bytes + pool > budget.bytes)
    plan.warning =
        fmt::format("weights of {} and a pool of {} are more than {}: weights will be read from disk again and again",
                    format_bytes(request.weight_bytes), format_bytes(pool), budget.text);
  else
    plan.warning = short_pool(request, plan.pool_tokens);
  const std::string resident =
      request.resident_bytes == 0 ? "" : fmt::format(" ({} of them resident)", format_bytes(request.resident_bytes));
  plan.text = fmt::format("memory: weights {}{}, keys and values {} ({} tokens of {}), of {}",
                          format_bytes(request.weight_bytes), resident, format_bytes(pool), plan.pool_tokens,
                          format_bytes(per_token(request)), budget.text);
  return plan;
}

}  // namespace

Result<MemoryRequest> memory_request(const Model& model, const std::string& expert_cache, DenseWeights dense) {
  MemoryRequest request;
  const Inspection inspection = inspect(model.checkpoint, model.config);
  request.weight_bytes = request.dense_bytes = inspection.weight_bytes;
  for (const Tally& tally : inspection.by_role) {
    if (tally.name == role_name(Role::kExpert)) {
      request.expert_bytes = tally.bytes;
      request.dense_bytes -= tally.bytes;
    }
    if (tally.name == role_name(Role::kEmbedding) && !model.config.tie_embeddings) request.dense_bytes -= tally.bytes;
  }
  const DenseBytes changed = TETRAD_TRY(dense_bytes(model.checkpoint, model.config, dense));
  request.resident_bytes = changed.resident;
  for (std::uint64_t* bytes : {&request.weight_bytes, &request.dense_bytes})
    *bytes = *bytes - changed.replaced + changed.resident;
  request.one_expert_bytes = request.expert_bytes / static_cast<std::uint64_t>(std::max<std::int64_t>(
                                                        1, model.config.layers * model.config.experts));
  request.context_length = model.config.max_position;
  request.buffer_bytes_per_token =
      AttentionBuffers::bytes_per_row(model.config) +
      static_cast<std::uint64_t>(model.config.experts_per_token) * expert_bytes_per_row(model.config) +
      2 * static_cast<std::uint64_t>(model.config.hidden) * sizeof(float);
  const MemoryLimits limits = memory_limits();
  request.machine_bytes = limits.total;
  request.available_bytes = limits.available;
  if (expert_cache == "auto") return request;
  const auto bytes = expert_cache == "off" ? Result<std::uint64_t>(0) : parse_bytes(expert_cache);
  if (!bytes)
    return make_error(ErrorCode::kUsage, "unsupported value", "--expert-cache " + expert_cache,
                      "auto, off or a size such as 8GiB");
  if (*bytes > 0 && *bytes < request.one_expert_bytes)
    return make_error(ErrorCode::kUsage, "too small", "--expert-cache " + expert_cache,
                      fmt::format("one expert takes {}", format_bytes(request.one_expert_bytes)));
  request.expert_cache = *bytes;
  return request;
}

bool fits_whole(const MemoryRequest& request) {
  const double pool = static_cast<double>(request.bytes_per_token) * static_cast<double>(most_tokens(request));
  return static_cast<double>(request.weight_bytes) + pool <= static_cast<double>(budget_of(request).bytes);
}

Result<MemoryPlan> plan_memory(const MemoryRequest& request) {
  const Budget budget = budget_of(request);
  if (!wants_cache(request, budget)) return plan_mapped(request, budget);
  if (request.max_total_tokens > 0) TETRAD_TRY(check_pool(request, budget, least_resident(request)));
  return plan_with_cache(request, budget);
}

Result<std::uint64_t> plan_expert_cache(MemoryRequest request, std::int64_t pool_tokens, const char* hint) {
  request.max_total_tokens = pool_tokens;
  if (!wants_cache(request, budget_of(request))) return std::uint64_t{0};
  auto plan = plan_memory(request);
  if (!plan) return Unexpected(std::move(plan).error().with_hint(hint));
  log_note(plan->text);
  return plan->expert_cache_bytes;
}

void add_expert_cache_option(CLI::App& command, std::string& value) {
  command.add_option("--expert-cache", value,
                     "memory for experts when the model is larger than memory: auto (default: what is left, if weights "
                     "do not fit), off (weights are mapped), or a size such as 8GiB");
}

}  // namespace tetrad
