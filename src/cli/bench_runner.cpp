#include "cli/bench_runner.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>

#include "base/interrupt.h"
#include "base/units.h"
#include "model/expert_cache.h"

namespace tetrad {
namespace {

// What the cache does from construction on; nothing without one. Read rates are of the time that is measured.
class CacheWatch {
 public:
  explicit CacheWatch(PagedModel& model) : cache_(model.expert_cache()) {
    if (cache_ != nullptr) before_ = cache_->stats();
  }
  std::optional<CacheUse> use(std::int64_t steps, double seconds) const {
    if (cache_ == nullptr) return std::nullopt;
    ExpertCacheStats now = cache_->stats();
    const auto bytes = static_cast<double>(now.bytes_read - before_.bytes_read);
    now.hits -= before_.hits;
    now.misses -= before_.misses;
    return CacheUse{now.hit_rate(),
                    bytes / static_cast<double>(steps),
                    bytes / seconds / 1e9,
                    (now.wait_seconds - before_.wait_seconds) / seconds,
                    static_cast<double>(now.foreseen - before_.foreseen) /
                        static_cast<double>(std::max<std::uint64_t>(now.misses, 1)),
                    bytes / std::max(now.read_seconds - before_.read_seconds, 1e-9) / 1e9};
  }

 private:
  const ExpertCache* cache_;
  ExpertCacheStats before_;
};

Status ignore(std::size_t, std::int64_t, std::span<float>) { return {}; }

}  // namespace

Result<Prefill> BenchRunner::prefill(std::int64_t tokens) {
  TETRAD_TRY(fill(std::min<std::int64_t>(tokens, 64), 0));  // warm
  begin_profile();
  const CacheWatch watch(model_);
  std::vector<double> rates;
  double seconds = 0;
  for (std::int64_t r = 0; r < runs_.repeat; ++r) {
    const auto start = std::chrono::steady_clock::now();
    TETRAD_TRY(fill(tokens, 0));
    rates.push_back(static_cast<double>(tokens) / seconds_since(start));
    seconds += static_cast<double>(tokens) / rates.back();
  }
  end_profile(fmt::format("prefill {}", tokens), runs_.repeat);
  const std::int64_t chunks = (tokens + runs_.chunk - 1) / runs_.chunk;
  return Prefill{tokens, rate_of(rates), watch.use(runs_.repeat * chunks, seconds)};
}

Result<Decode> BenchRunner::decode(std::int64_t concurrency, std::int64_t context) {
  const std::int64_t room = context + runs_.generate, steps = runs_.repeat * runs_.generate;
  for (std::int64_t c = 0; c < concurrency; ++c) TETRAD_TRY(fill(context, c * room));
  begin_profile();
  const CacheWatch watch(model_);
  const std::uint64_t before = model_.expert_bytes_read();
  std::vector<double> rates;
  double seconds = 0;
  if (meter_ != nullptr) meter_->measure();
  for (std::int64_t r = 0; r < runs_.repeat; ++r) {
    const auto start = std::chrono::steady_clock::now();
    for (std::int64_t step = 0; step < runs_.generate; ++step) TETRAD_TRY(step_all(concurrency, room, context + step));
    const double took = seconds_since(start);
    rates.push_back(static_cast<double>(concurrency * runs_.generate) / took);
    seconds += took;
    if (meter_ != nullptr) meter_->measure();
  }
  end_profile(fmt::format("decode {}", concurrency), steps);
  const auto expert_bytes = static_cast<double>(model_.expert_bytes_read() - before);
  // A step finds `context` tokens and those that the run's steps before it wrote, and its own.
  const double tokens =
      static_cast<double>(concurrency) * (static_cast<double>(context) + static_cast<double>(runs_.generate + 1) / 2);
  return Decode{.concurrency = concurrency,
                .context = context,
                .rate = rate_of(rates),
                .weight_bytes = runs_.dense_bytes + expert_bytes / static_cast<double>(steps),
                .kv_bytes = tokens * static_cast<double>(runs_.kv_bytes_per_token),
                .cache = watch.use(steps, seconds)};
}

void BenchRunner::begin_profile() {
  if (!runs_.profile) return;
  times_.clear();
  model_.set_profile(&times_);
}

void BenchRunner::end_profile(std::string name, std::int64_t passes) {
  if (!runs_.profile) return;
  model_.set_profile(nullptr);
  profiles_.push_back({std::move(name), passes, times_});
}

// A prompt whose keys and values go to slots from `slot` on, chunk by chunk.
Status BenchRunner::fill(std::int64_t tokens, std::int64_t slot) {
  std::vector<std::int32_t> ids(static_cast<std::size_t>(tokens)), slots(ids.size());
  for (std::size_t i = 0; i < ids.size(); ++i) {
    ids[i] = token();
    slots[i] = static_cast<std::int32_t>(slot) + static_cast<std::int32_t>(i);
  }
  for (std::int64_t begin = 0; begin < tokens; begin += runs_.chunk) {
    TETRAD_TRY(check_interrupt());
    const std::int64_t count = std::min(runs_.chunk, tokens - begin);
    BatchPart part;
    part.ids = std::span(ids).subspan(static_cast<std::size_t>(begin), static_cast<std::size_t>(count));
    part.position = begin;
    part.slots = std::span(slots).first(static_cast<std::size_t>(begin + count));
    part.logit_rows = begin + count == tokens ? 1 : 0;
    TETRAD_TRY(model_.forward({&part, 1}, ignore));
  }
  return {};
}

Status BenchRunner::step_all(std::int64_t concurrency, std::int64_t room, std::int64_t position) {
  TETRAD_TRY(check_interrupt());
  std::vector<std::int32_t> ids(static_cast<std::size_t>(concurrency));
  std::vector<std::vector<std::int32_t>> slots(ids.size());
  std::vector<BatchPart> parts(ids.size());
  for (std::size_t c = 0; c < ids.size(); ++c) {
    ids[c] = token();
    for (std::int64_t p = 0; p <= position; ++p)
      slots[c].push_back(static_cast<std::int32_t>(static_cast<std::int64_t>(c) * room + p));
    parts[c].ids = std::span(&ids[c], 1);
    parts[c].position = position;
    parts[c].slots = slots[c];
    parts[c].logit_rows = 1;
  }
  return model_.forward(parts, ignore);
}

}  // namespace tetrad
