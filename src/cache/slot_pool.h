// Which slots of a key/value pool are free. A slot holds one token; there are no tensors here. Not thread-safe.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "base/check.h"

namespace tetrad {

using Slot = std::int32_t;

class SlotPool {
 public:
  explicit SlotPool(std::int64_t slots) : size_(slots) {
    free_.reserve(static_cast<std::size_t>(slots));
    for (std::int64_t i = slots; i > 0; --i) free_.push_back(static_cast<Slot>(i - 1));
  }
  std::int64_t size() const { return size_; }
  std::int64_t free() const { return static_cast<std::int64_t>(free_.size()); }
  Slot take() {
    TETRAD_CHECK(!free_.empty());
    const Slot slot = free_.back();
    free_.pop_back();
    return slot;
  }
  void give(std::span<const Slot> slots) {
    free_.insert(free_.end(), slots.begin(), slots.end());
    TETRAD_CHECK(free() <= size_);
  }

 private:
  std::int64_t size_;
  std::vector<Slot> free_;  // the last is taken next: what was used last is still in the CPU's cache
};

}  // namespace tetrad
