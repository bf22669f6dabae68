#include "engine/scheduler.h"

#include <algorithm>

namespace tetrad {
namespace {

constexpr std::size_t kLeastPrefill = 16;  // tokens of prompts in a step, however many sequences generate
constexpr std::int64_t kHeadroom = 8;      // slots a running sequence should find free when another one is let in

// Higher priority, then earlier arrival.
bool served_before(const std::unique_ptr<Sequence>& a, const std::unique_ptr<Sequence>& b) {
  return a->request.priority != b->request.priority ? a->request.priority > b->request.priority : a->id < b->id;
}

void insert_sorted(std::vector<std::unique_ptr<Sequence>>& list, std::unique_ptr<Sequence> sequence) {
  const auto place = std::upper_bound(list.begin(), list.end(), sequence, served_before);
  list.insert(place, std::move(sequence));
}

bool generates(const Sequence& s) { return s.computed + 1 == s.tokens.size() && s.tokens.size() > s.prompt_size; }

}  // namespace

Scheduler::Scheduler(const EngineOptions& options, std::int64_t pool_tokens)
    : options_(options), pool_(pool_tokens), cache_(pool_) {}

void Scheduler::add(std::unique_ptr<Sequence> sequence) { insert_sorted(queue_, std::move(sequence)); }

// Hands the computed tokens to the prefix cache, which the sequence then shares.
void Scheduler::store(Sequence& s) {
  if (!options_.prefix_cache) return;
  const auto old = s.handle;
  s.handle =
      cache_.insert(std::span(s.tokens).first(s.computed), std::span(s.slots).first(s.computed), s.request.cache_salt);
  cache_.release(old);
}

void Scheduler::free_slots(Sequence& s) {
  if (s.slots.size() > s.computed) pool_.give(std::span(s.slots).subspan(s.computed));
  s.slots.resize(s.computed);
  if (options_.prefix_cache) {
    store(s);
    cache_.release(s.handle);
    s.handle = nullptr;
  } else {
    pool_.give(s.slots);
  }
  s.slots.clear();
  s.computed = 0;
}

std::vector<Sequence*> Scheduler::in_order() const {
  std::vector<Sequence*> order;
  for (const auto& sequence : running_) order.push_back(sequence.get());
  return order;
}

bool Scheduler::is_running(const Sequence* sequence) const {
  return std::any_of(running_.begin(), running_.end(), [&](const auto& other) { return other.get() == sequence; });
}

void Scheduler::preempt(std::size_t index) {
  std::unique_ptr<Sequence> sequence = std::move(running_[index]);
  running_.erase(running_.begin() + static_cast<std::ptrdiff_t>(index));
  std::erase_if(parts_, [&](const PlannedPart& part) { return part.sequence == sequence.get(); });
  free_slots(*sequence);
  insert_sorted(queue_, std::move(sequence));
  ++preemptions_;
}

// Sees to `tokens` free slots; may preempt sequences that are served after `keep`, planned or not.
bool Scheduler::make_room(std::size_t tokens, const Sequence& keep) {
  const auto need = static_cast<std::int64_t>(tokens);
  for (;;) {
    if (pool_.free() < need) cache_.evict(need - pool_.free());
    if (pool_.free() >= need) return true;
    if (running_.back().get() == &keep) return false;
    preempt(running_.size() - 1);
  }
}

// Plans the next `tokens` of a running sequence and, behind the last one, drafts.
bool Scheduler::add_part(Sequence& s, std::size_t tokens, bool drafting) {
  PlannedPart part{&s, {}, 0, 0};
  const auto first = s.tokens.begin() + static_cast<std::ptrdiff_t>(s.computed);
  part.ids.assign(first, first + static_cast<std::ptrdiff_t>(tokens));
  const bool reaches_end = s.computed + tokens == s.tokens.size();
  if (drafting && s.max_size > s.tokens.size() + 1) {
    const std::size_t limit = std::min(static_cast<std::size_t>(std::max<std::int64_t>(options_.max_draft_tokens, 0)),
                                       s.max_size - s.tokens.size() - 1);
    const auto draft = s.drafter.propose(s.tokens, limit);
    // A guess is not worth anybody's memory.
    if (pool_.free() >= static_cast<std::int64_t>(tokens + draft.size())) {
      part.drafts = draft.size();
      part.ids.insert(part.ids.end(), draft.begin(), draft.end());
    }
  }
  if (!make_room(part.ids.size(), s)) return false;
  for (std::size_t i = 0; i < part.ids.size(); ++i) s.slots.push_back(pool_.take());
  if (reaches_end && s.request.max_tokens > 0) part.logit_rows = static_cast<std::int64_t>(1 + part.drafts);
  if (s.request.prompt_logprobs >= 0 && s.computed + 1 < s.prompt_size)
    part.logit_rows = static_cast<std::int64_t>(part.ids.size());
  parts_.push_back(std::move(part));
  return true;
}

// Plans a chunk of a prompt; returns its tokens, 0 when memory does not allow it.
std::size_t Scheduler::add_prompt(Sequence& s, std::size_t budget) {
  const std::size_t count = std::min(budget, s.tokens.size() - s.computed);
  return add_part(s, count, false) ? count : 0;
}

// Moves the first of the queue to the running ones if there is memory for all of it.
Sequence* Scheduler::admit_next() {
  if (queue_.empty() || running() >= options_.max_running_requests) return nullptr;
  Sequence* s = queue_.front().get();
  PrefixCache::Match match;
  // The last token is always computed, for its logits; with prompt_logprobs all are.
  if (options_.prefix_cache && s->request.prompt_logprobs < 0)
    match = cache_.match(std::span(s->tokens).first(s->tokens.size() - 1), s->request.cache_salt);
  const auto need = static_cast<std::int64_t>(s->tokens.size() - match.slots.size()) + 1;
  if (!running_.empty() && need + kHeadroom * running() > pool_.free() + cache_.evictable()) {
    cache_.release(match.handle);
    return nullptr;
  }
  s->computed = match.slots.size();
  s->slots = std::move(match.slots);
  s->handle = match.handle;
  if (s->cached_tokens < 0) s->cached_tokens = static_cast<std::int64_t>(s->computed);
  insert_sorted(running_, std::move(queue_.front()));
  queue_.erase(queue_.begin());
  return s;
}

std::vector<PlannedPart> Scheduler::plan() {
  parts_.clear();
  const auto chunk = static_cast<std::size_t>(std::max<std::int64_t>(options_.chunked_prefill_size, 1));
  std::size_t generated = 0;
  for (Sequence* s : in_order())
    if (is_running(s) && generates(*s) && add_part(*s, 1, options_.ngram_speculation))
      generated += parts_.back().ids.size();
  std::size_t budget = std::max(generated < chunk ? chunk - generated : 0, std::min(kLeastPrefill, chunk));
  for (Sequence* s : in_order())
    if (budget > 0 && is_running(s) && !generates(*s)) budget -= add_prompt(*s, budget);
  while (budget > 0) {
    Sequence* s = admit_next();
    if (s == nullptr) break;
    const std::size_t count = add_prompt(*s, budget);
    if (count == 0) break;
    budget -= count;
  }
  return std::move(parts_);
}

void Scheduler::advance(const PlannedPart& part, std::size_t valid) {
  Sequence& s = *part.sequence;
  const bool was_prompt = s.computed < s.prompt_size;
  s.computed += valid;
  pool_.give(std::span(s.slots).subspan(s.computed));
  s.slots.resize(s.computed);
  if (part.drafts > 0) s.drafter.learn(part.drafts, valid - (part.ids.size() - part.drafts));
  // A prompt is shared as soon as it is there: requests that came together find it.
  if (was_prompt && s.computed >= s.prompt_size) store(s);
}

std::unique_ptr<Sequence> Scheduler::remove(RequestId id) {
  for (List* list : {&running_, &queue_})
    for (auto place = list->begin(); place != list->end(); ++place)
      if ((*place)->id == id) {
        std::unique_ptr<Sequence> sequence = std::move(*place);
        list->erase(place);
        if (list == &running_) free_slots(*sequence);
        return sequence;
      }
  return nullptr;
}

std::vector<RequestId> Scheduler::ids() const {
  std::vector<RequestId> ids;
  for (const List* list : {&running_, &queue_})
    for (const auto& sequence : *list) ids.push_back(sequence->id);
  return ids;
}

bool Scheduler::flush() {
  if (!running_.empty()) return false;
  cache_.evict(cache_.evictable());
  return true;
}

}  // namespace tetrad
