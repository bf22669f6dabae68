#include "model/expert_cache.h"

#include <algorithm>
#include <limits>

#include "base/check.h"
#include "base/interrupt.h"
#include "base/units.h"

namespace tetrad {
namespace {

// Gaps between an expert's tensors are read too when they are smaller (scales of a tensor, somebody else's norm).
constexpr std::uint64_t kGap = std::uint64_t{64} << 10;
constexpr std::size_t kBusy = std::size_t{32} << 20;  // bytes that keep the readers busy while an expert computes
constexpr double kNever = std::numeric_limits<double>::infinity();
constexpr std::chrono::milliseconds kLook{50};  // between looks at signals

std::array<std::span<const std::byte>, 6> parts_of(const std::array<WeightView, 3>& views) {
  return {views[0].data, views[0].scales, views[1].data, views[1].scales, views[2].data, views[2].scales};
}

}  // namespace

ExpertCache::Home ExpertCache::home_of(const Checkpoint& checkpoint, const Views& views) {
  const auto parts = parts_of(views);
  struct Piece {
    std::size_t part;
    Checkpoint::Place place;
  };
  std::vector<Piece> pieces;
  for (std::size_t p = 0; p < kParts; ++p)
    if (const auto place = checkpoint.place(parts[p])) pieces.push_back({p, *place});
  std::sort(pieces.begin(), pieces.end(), [](const Piece& a, const Piece& b) {
    return a.place.shard != b.place.shard ? a.place.shard < b.place.shard : a.place.offset < b.place.offset;
  });
  Home home;
  home.views = &views;
  std::size_t size = 0;
  for (const auto& [part, place] : pieces) {
    const std::uint64_t end = place.offset + parts[part].size();
    Extent* last = home.extents.empty() ? nullptr : &home.extents.back();
    if (last == nullptr || last->shard != place.shard || place.offset > last->offset + last->need + kGap) {
      home.extents.push_back({place.shard, place.offset / DirectFile::kBlock * DirectFile::kBlock, 0, 0, size});
      last = &home.extents.back();
    }
    last->need = std::max<std::size_t>(last->need, end - last->offset);
    last->bytes = (last->need + DirectFile::kBlock - 1) / DirectFile::kBlock * DirectFile::kBlock;
    size = last->at + last->bytes;
    home.at[part] = last->at + (place.offset - last->offset);
  }
  return home;
}

std::uint64_t ExpertCache::slot_bytes(const Checkpoint& checkpoint, const LayerWeights& layer) {
  std::uint64_t most = DirectFile::kBlock;
  for (const Views& views : layer.experts)
    for (const Extent& extent : home_of(checkpoint, views).extents)
      most = std::max<std::uint64_t>(most, extent.at + extent.bytes);
  return most;
}

ExpertCache::ExpertCache(std::size_t layers, std::size_t experts, std::int64_t per_token)
    : experts_(experts), usage_(layers, experts, per_token) {}

Result<std::unique_ptr<ExpertCache>> ExpertCache::create(const Checkpoint& checkpoint,
                                                         std::span<const LayerWeights> layers,
                                                         std::int64_t experts_per_token, std::uint64_t bytes) {
  TETRAD_CHECK(!layers.empty() && !layers.front().experts.empty());
  const std::size_t experts = layers.front().experts.size();
  std::unique_ptr<ExpertCache> cache(new ExpertCache(layers.size(), experts, experts_per_token));
  for (const auto& shard : checkpoint.shards()) cache->files_.push_back(TETRAD_TRY(DirectFile::open(shard)));
  for (const LayerWeights& layer : layers) {
    cache->slot_bytes_ = std::max<std::size_t>(cache->slot_bytes_, slot_bytes(checkpoint, layer));
    for (const Views& views : layer.experts) cache->homes_.push_back(home_of(checkpoint, views));
  }
  const std::size_t slots = std::clamp<std::size_t>(bytes / cache->slot_bytes_, 1, cache->homes_.size());
  cache->memory_ = TETRAD_TRY(Reservation::create(slots * cache->slot_bytes_, "expert cache"));
  cache->slots_.resize(slots);
  cache->stats_.slots = slots;
  cache->stats_.capacity_bytes = slots * cache->slot_bytes_;
  cache->queue_ = std::make_unique<ReadQueue>(
      kReaders, [raw = cache.get()](const ReadJob& job, const Status& status) { raw->on_read(job, status); });
  return cache;
}

ExpertCache::~ExpertCache() { queue_.reset(); }

void ExpertCache::stop() {
  {
    const std::lock_guard lock(mutex_);
    stopped_ = true;
  }
  news_.notify_all();
}

ExpertCacheStats ExpertCache::stats() const {
  const std::lock_guard lock(mutex_);
  ExpertCacheStats stats = stats_;
  for (const Slot& slot : slots_)
    if (slot.expert && slot.reads == 0 && !slot.error) stats.resident_bytes += slot_bytes_;
  return stats;
}

void ExpertCache::on_read(const ReadJob& job, const Status& status) {
  {
    const std::lock_guard lock(mutex_);
    Slot& slot = slots_[job.owner];
    if (status)
      stats_.bytes_read += job.out.size();
    else if (!slot.error)
      slot.error = status.error();
    if (--reads_ == 0) stats_.read_seconds += seconds_since(reading_since_);
    if (--slot.reads > 0) return;
    if (slot.incomplete) forget(slot);
  }
  news_.notify_all();
}

bool ExpertCache::usable(std::size_t expert) const {
  const auto& slot = homes_[expert].slot;
  return slot && !slots_[*slot].error && !slots_[*slot].incomplete;
}

void ExpertCache::forget(Slot& slot) {
  if (slot.expert && homes_[*slot.expert].slot == static_cast<std::size_t>(&slot - slots_.data()))
    homes_[*slot.expert].slot.reset();
  slot.expert.reset();
}

// The router of `layer` has spoken: what was rightly foreseen is read at once, what wrongly, no further.
void ExpertCache::settle_guesses(std::size_t layer, std::span<const std::int64_t> rows) {
  for (std::size_t s = 0; s < slots_.size(); ++s) {
    Slot& slot = slots_[s];
    if (!slot.foreseen) continue;
    slot.foreseen = false;
    const std::size_t e = *slot.expert - std::min(layer * experts_, *slot.expert);
    if (e < rows.size() && rows[e] > 0) {
      if (!slot.error) ++stats_.foreseen;
      queue_->hurry(s);
      continue;
    }
    const std::size_t dropped = queue_->drop(s);
    if (dropped == 0) continue;
    reads_ -= dropped;
    if (reads_ == 0) stats_.read_seconds += seconds_since(reading_since_);
    slot.reads -= dropped;
    slot.incomplete = true;
    if (slot.reads == 0) forget(slot);
  }
}

// Up to `count` slots to read into: those that hold nothing, then those whose experts are wanted the latest.
std::vector<ExpertCache::Candidate> ExpertCache::candidates(std::size_t count) const {
  std::vector<Candidate> all;
  for (std::size_t s = 0; s < slots_.size(); ++s) {
    const Slot& slot = slots_[s];
    if (slot.pinned || slot.reads > 0) continue;
    const bool holds = slot.expert && !slot.error;
    const double next_use = slot.foreseen ? 0 : holds ? usage_.next_use(*slot.expert) : kNever;
    all.push_back({next_use, s});
  }
  count = std::min(count, all.size());
  // Equal ones: the lower number, so that runs repeat.
  std::partial_sort(all.begin(), all.begin() + static_cast<std::ptrdiff_t>(count), all.end(),
                    [](const Candidate& a, const Candidate& b) {
                      return a.next_use != b.next_use ? a.next_use > b.next_use : a.slot < b.slot;
                    });
  all.resize(count);
  return all;
}

void ExpertCache::read_into(std::size_t s, std::size_t expert, bool urgent) {
  Slot& slot = slots_[s];
  if (slot.expert) homes_[*slot.expert].slot.reset();
  Home& home = homes_[expert];
  if (home.slot) slots_[*home.slot].expert.reset();  // where reading it failed, or was given up
  home.slot = s;
  slot.expert = expert;
  slot.error.reset();
  slot.foreseen = !urgent;
  slot.incomplete = false;
  slot.views = *home.views;
  std::byte* memory = memory_->data() + s * slot_bytes_;
  const auto parts = parts_of(slot.views);
  for (std::size_t p = 0; p < kParts; ++p) {
    if (!home.at[p]) continue;
    WeightView& view = slot.views[p / 2];
    (p % 2 == 0 ? view.data : view.scales) = {memory + *home.at[p], parts[p].size()};
  }
  std::vector<ReadJob> jobs;
  for (const Extent& extent : home.extents)
    for (std::size_t done = 0; done < extent.bytes; done += kChunk) {
      const std::size_t bytes = std::min(kChunk, extent.bytes - done);
      jobs.push_back({.file = &files_[extent.shard],
                      .offset = extent.offset + done,
                      .out = {memory + extent.at + done, bytes},
                      .need = std::min(bytes, extent.need - std::min(extent.need, done)),
                      .owner = s});
    }
  slot.reads = jobs.size();
  if (reads_ == 0) reading_since_ = std::chrono::steady_clock::now();
  reads_ += jobs.size();
  if (urgent)
    queue_->push(jobs);
  else
    queue_->later(jobs);
}

// A wanted expert takes the place of one that is wanted later than it will be again. Where none is (prompts, that use
// all experts), only as many are read at once as keep the disk busy, one behind another in the same few slots: so the
// rest of the cache stays what it is until its layer comes.
void ExpertCache::start_reads(std::vector<std::size_t>& absent, std::vector<std::size_t>& awaited) {
  if (absent.empty()) return;
  std::size_t reading = 0;
  for (const std::size_t expert : awaited) reading += slots_[*homes_[expert].slot].reads > 0 ? slot_bytes_ : 0;
  for (const Candidate& candidate : candidates(absent.size())) {
    if (candidate.next_use < usage_.next_use(absent.back()) && reading >= kBusy) break;
    slots_[candidate.slot].pinned = true;
    read_into(candidate.slot, absent.back(), true);
    awaited.push_back(absent.back());
    absent.pop_back();
    reading += slot_bytes_;
  }
}

ExpertCache::Pass::Pass(ExpertCache& cache, std::size_t layer, std::span<const std::int64_t> rows, std::int64_t tokens)
    : cache_(cache), first_(layer * cache.experts_) {
  const std::lock_guard lock(cache_.mutex_);
  cache_.usage_.visit(layer, rows, tokens);
  const std::uint64_t foreseen = cache_.stats_.foreseen;
  cache_.settle_guesses(layer, rows);
  cache_.stats_.misses += cache_.stats_.foreseen - foreseen;
  cache_.stats_.hits -= cache_.stats_.foreseen - foreseen;  // they count as there below
  for (std::size_t e = rows.size(); e-- > 0;) {
    if (rows[e] == 0) continue;
    const std::size_t expert = first_ + e;
    if (cache_.usable(expert)) {
      cache_.slots_[*cache_.homes_[expert].slot].pinned = true;
      awaited_.push_back(expert);
      ++cache_.stats_.hits;
    } else {
      absent_.push_back(expert);
      ++cache_.stats_.misses;
    }
  }
  cache_.start_reads(absent_, awaited_);
}

ExpertCache::Pass::~Pass() {
  const std::lock_guard lock(cache_.mutex_);
  for (std::size_t e = 0; e < cache_.experts_; ++e)
    if (const auto slot = cache_.homes_[first_ + e].slot) cache_.slots_[*slot].pinned = false;
}

Result<std::vector<ExpertCache::Ready>> ExpertCache::Pass::next() {
  std::vector<Ready> ready;
  const auto start = std::chrono::steady_clock::now();
  std::unique_lock lock(cache_.mutex_);
  for (;;) {
    if (cache_.interruptible_) TETRAD_TRY(check_interrupt());
    if (cache_.stopped_) return make_error(ErrorCode::kInterrupted, "interrupted", "", "");
    cache_.start_reads(absent_, awaited_);
    for (std::size_t i = awaited_.size(); i-- > 0;) {
      const Slot& slot = cache_.slots_[*cache_.homes_[awaited_[i]].slot];
      if (slot.reads > 0) continue;
      if (slot.error) return Unexpected(*slot.error);
      ready.push_back({awaited_[i] - first_, &slot.views});
      awaited_.erase(awaited_.begin() + static_cast<std::ptrdiff_t>(i));
    }
    if (!ready.empty() || (awaited_.empty() && absent_.empty())) break;
    cache_.news_.wait_for(lock, kLook);
  }
  cache_.stats_.wait_seconds += seconds_since(start);
  return ready;
}

void ExpertCache::Pass::done(std::span<const Ready> ready) {
  const std::lock_guard lock(cache_.mutex_);
  for (const Ready& one : ready) cache_.slots_[*cache_.homes_[first_ + one.expert].slot].pinned = false;
  cache_.start_reads(absent_, awaited_);
}

void ExpertCache::Pass::foresee(std::span<const std::int32_t> experts) {
  const std::lock_guard lock(cache_.mutex_);
  if (!absent_.empty()) return;  // there is no room for this layer
  std::vector<std::size_t> wanted;
  for (const std::int32_t e : experts) {
    const std::size_t expert = first_ + cache_.experts_ + static_cast<std::size_t>(e);
    TETRAD_CHECK(expert < cache_.homes_.size());
    if (!cache_.homes_[expert].slot && std::find(wanted.begin(), wanted.end(), expert) == wanted.end())
      wanted.push_back(expert);
  }
  const auto candidates = cache_.candidates(wanted.size());
  for (std::size_t i = 0; i < candidates.size() && candidates[i].next_use > 1; ++i)
    cache_.read_into(candidates[i].slot, wanted[i], false);
}

}  // namespace tetrad
