// Experts of a model that is larger than memory: a fixed number of slots in anonymous memory, one expert each (codes
// and scales of gate, up and down), filled from the shards by a few reading threads as soon as the router has spoken.
// Who is evicted: expert_usage.h. An expert that the running pass needs never is; a pass may want more experts than
// there are slots, it then gets them by turns. Used by expert_pass.cpp; made by PagedModel and CausalModel.
//
// Passes come from one thread, one at a time. stop() and stats() are thread-safe.
#pragma once

#include <array>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <vector>

#include "base/read_queue.h"
#include "checkpoint/checkpoint.h"
#include "model/expert_usage.h"
#include "model/layer_weights.h"
#include "model/reservation.h"

namespace tetrad {

struct ExpertCacheStats {
  std::uint64_t hits = 0, misses = 0;  // experts that a pass wanted: were there, had to be read
  std::uint64_t foreseen = 0;          // of the misses: reading had begun before the router spoke
  std::uint64_t bytes_read = 0, slots = 0, capacity_bytes = 0, resident_bytes = 0;
  double wait_seconds = 0;  // that passes had nothing to compute
  double read_seconds = 0;  // that something was being read
  double hit_rate() const {
    return hits + misses == 0 ? 0.0 : static_cast<double>(hits) / static_cast<double>(hits + misses);
  }
};

class ExpertCache {
 public:
  using Views = std::array<WeightView, 3>;  // gate, up, down
  struct Ready {
    std::size_t expert;
    const Views* views;  // valid until Pass::done()
  };
  // Reads in flight. A virtual disk reaches its rate with 4, NVMe with 8 to 16 of a MiB.
  static constexpr std::size_t kReaders = 8;
  // Of one read: smaller ones cost rate, larger ones make a pass wait longer for its first expert.
  static constexpr std::size_t kChunk = std::size_t{1} << 20;
  // The bytes of a slot, to plan with.
  static std::uint64_t slot_bytes(const Checkpoint& checkpoint, const LayerWeights& layer);

  // `layers` are only read here. As many slots as fit in `bytes` (at least one), but no more than there are experts.
  static Result<std::unique_ptr<ExpertCache>> create(const Checkpoint& checkpoint, std::span<const LayerWeights> layers,
                                                     std::int64_t experts_per_token, std::uint64_t bytes);
  ~ExpertCache();
  ExpertCache(const ExpertCache&) = delete;

  // The experts of one layer that a batch was routed to. The constructor asks for all of them.
  class Pass {
   public:
    // rows: how many of `tokens` rows go to each expert of the layer.
    Pass(ExpertCache& cache, std::size_t layer, std::span<const std::int64_t> rows, std::int64_t tokens);
    ~Pass();
    Pass(const Pass&) = delete;
    // Those that are in memory now and were not given before; waits for at least one, empty when all were given.
    // Errors: a shard can't be read; kInterrupted after stop() or, if set, a signal.
    Result<std::vector<Ready>> next();
    void done(std::span<const Ready> ready);  // their slots may be taken
    // Experts that the next layer will probably want, the likeliest first: they are read while nothing else is to be
    // read, in place of experts that are not wanted for long. A wrong guess costs what of it was read by then.
    void foresee(std::span<const std::int32_t> experts);

   private:
    ExpertCache& cache_;
    const std::size_t first_;           // of the layer's experts
    std::vector<std::size_t> absent_;   // wanted, no slot yet; the next one last
    std::vector<std::size_t> awaited_;  // have a slot, not given yet
  };

  void set_interruptible(bool on) { interruptible_ = on; }  // whether a signal ends a pass
  void stop();                                              // every pass fails from now on
  ExpertCacheStats stats() const;

 private:
  // A run of whole blocks of a shard that holds parts of an expert.
  struct Extent {
    std::size_t shard;
    std::uint64_t offset;
    std::size_t bytes, need, at;  // at: in the slot
  };
  static constexpr std::size_t kParts = 6;  // codes and scales of three matrices
  struct Home {
    const Views* views;  // as the checkpoint maps them
    std::vector<Extent> extents;
    std::array<std::optional<std::size_t>, kParts> at;  // of each part in the slot; nothing: it is in no file
    std::optional<std::size_t> slot;
  };
  struct Slot {
    std::optional<std::size_t> expert;
    std::size_t reads = 0;    // that are still to come
    bool pinned = false;      // a pass wants it
    bool foreseen = false;    // the next layer probably wants it
    bool incomplete = false;  // was foreseen, wrongly: only part of it is read
    std::optional<Error> error;
    Views views;
  };
  static Home home_of(const Checkpoint& checkpoint, const Views& views);

  ExpertCache(std::size_t layers, std::size_t experts, std::int64_t per_token);
  bool usable(std::size_t expert) const;  // in memory whole, or being read
  void start_reads(std::vector<std::size_t>& absent, std::vector<std::size_t>& awaited);
  struct Candidate {
    double next_use;
    std::size_t slot;
  };
  std::vector<Candidate> candidates(std::size_t count) const;
  void read_into(std::size_t slot, std::size_t expert, bool urgent);
  void forget(Slot& slot);
  void settle_guesses(std::size_t layer, std::span<const std::int64_t> rows);
  void on_read(const ReadJob& job, const Status& status);

  std::vector<DirectFile> files_;
  std::vector<Home> homes_;  // of each expert of all layers
  std::size_t experts_, slot_bytes_ = 0;
  std::unique_ptr<Reservation> memory_;

  mutable std::mutex mutex_;  // around what follows
  std::condition_variable news_;
  std::vector<Slot> slots_;
  ExpertUsage usage_;
  ExpertCacheStats stats_;
  std::size_t reads_ = 0;  // of all slots that are still to come
  std::chrono::steady_clock::time_point reading_since_;
  bool stopped_ = false, interruptible_ = false;

  std::unique_ptr<ReadQueue> queue_;  // last: its threads use all of the above
};

}  // namespace tetrad
