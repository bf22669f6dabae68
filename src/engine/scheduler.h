// Which sequences run in the next step, and with how many tokens: single tokens of all that generate first, then chunks
// of prompts, then new requests as memory allows. Host bookkeeping only: no tensors, no threads. Used by engine.cpp.
//
// Memory: when slots run out, cached prefixes go first, then the sequence that would be served last is preempted: it
// returns to the queue, keeps its output, and is computed again later. So nothing is lost, and the first in line always
// gets on.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "cache/prefix_cache.h"
#include "engine/sequence.h"

namespace tetrad {

struct PlannedPart {
  Sequence* sequence = nullptr;
  std::vector<std::int32_t> ids;  // tokens to run, from sequence->computed on; the last `drafts` are guesses
  std::size_t drafts = 0;
  std::int64_t logit_rows = 0;  // logits wanted of the last so many
};

class Scheduler {
 public:
  Scheduler(const EngineOptions& options, std::int64_t pool_tokens);

  void add(std::unique_ptr<Sequence> sequence);
  std::vector<PlannedPart> plan();
  // After the step: `valid` of the part's ids were right (all but rejected drafts).
  void advance(const PlannedPart& part, std::size_t valid);
  // Takes the sequence out, running or queued; its tokens stay known to the prefix cache.
  std::unique_ptr<Sequence> remove(RequestId id);
  std::vector<RequestId> ids() const;

  bool idle() const { return running_.empty() && queue_.empty(); }
  bool flush();  // forgets cached prefixes; false while anything runs
  std::int64_t running() const { return static_cast<std::int64_t>(running_.size()); }
  std::int64_t queued() const { return static_cast<std::int64_t>(queue_.size()); }
  std::int64_t cached() const { return cache_.evictable(); }
  std::int64_t used() const { return pool_.size() - pool_.free() - cache_.evictable(); }
  std::uint64_t preemptions() const { return preemptions_; }

 private:
  using List = std::vector<std::unique_ptr<Sequence>>;

  std::vector<Sequence*> in_order() const;
  bool is_running(const Sequence* sequence) const;
  bool make_room(std::size_t tokens, const Sequence& keep);
  bool add_part(Sequence& sequence, std::size_t tokens, bool drafting);
  std::size_t add_prompt(Sequence& sequence, std::size_t budget);
  Sequence* admit_next();
  void preempt(std::size_t index);
  void store(Sequence& sequence);
  void free_slots(Sequence& sequence);

  EngineOptions options_;
  SlotPool pool_;
  PrefixCache cache_;
  List running_, queue_;            // both: the first to be served first
  std::vector<PlannedPart> parts_;  // of the step that is being planned
  std::uint64_t preemptions_ = 0;
};

}  // namespace tetrad
