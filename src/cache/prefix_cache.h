// Which token sequences have their keys and values in the pool: a radix tree over token ids, a slot a token. Requests
// that begin alike share slots; what no request uses is kept until the room is needed, the least recently used first.
// Prompts and answers alike are in it. After SGLang's RadixAttention (Zheng et al., 2024) at token granularity. Not
// thread-safe.
//
// The tree owns the slots it holds. A handle keeps the path to its node from being evicted.
#pragma once

#include <cstdint>
#include <list>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "cache/slot_pool.h"

namespace tetrad {

class PrefixCache {
 public:
  struct Node;
  using Handle = Node*;  // nullptr: nothing

  explicit PrefixCache(SlotPool& pool);
  ~PrefixCache();
  PrefixCache(const PrefixCache&) = delete;
  PrefixCache& operator=(const PrefixCache&) = delete;

  struct Match {
    std::vector<Slot> slots;  // of the longest known prefix
    Handle handle = nullptr;  // locked; give it to release()
  };
  // Sequences with different salts share nothing.
  Match match(std::span<const std::int32_t> tokens, const std::string& salt);

  // Hands over tokens and their slots (equal lengths). Where a part is known already the given slots are freed and
  // replaced in `slots` by the known ones. Returns the handle of the whole sequence, locked.
  Handle insert(std::span<const std::int32_t> tokens, std::span<Slot> slots, const std::string& salt);

  void release(Handle handle);

  std::int64_t evictable() const { return evictable_; }  // slots that nobody has locked
  std::int64_t held() const { return held_; }
  // Frees `count` slots, or as many as are evictable; returns how many. The ends of sequences go first.
  std::int64_t evict(std::int64_t count);

 private:
  Node* step_down(Node* node, std::span<const std::int32_t> rest, std::size_t& same);
  Node* split(Node* node, std::size_t length);
  void lock(Node* node);
  void trim(Node* leaf, std::size_t count);
  void touch(Node* node);

  SlotPool& pool_;
  std::map<std::string, std::unique_ptr<Node>> roots_;
  std::list<Node*> leaves_;  // unlocked leaves, least recently used first
  std::int64_t evictable_ = 0, held_ = 0;
};

}  // namespace tetrad
