// Weights that every token needs, read from the shards into anonymous memory. Beside an ExpertCache they must not stay
// mapped: when memory is short the kernel drops mapped pages first, whatever they hold, and each token would read its
// attention weights from disk again. Used by PagedModel and CausalModel.
#pragma once

#include <memory>
#include <span>

#include "checkpoint/checkpoint.h"
#include "model/reservation.h"

namespace tetrad {

class ResidentWeights {
 public:
  // Reads what the views show and makes them show the copies, which live as long as the result. What is in no file
  // stays as it is.
  static Result<ResidentWeights> load(const Checkpoint& checkpoint, std::span<WeightView* const> views);
  std::uint64_t bytes() const { return bytes_; }

 private:
  std::unique_ptr<Reservation> memory_;
  std::uint64_t bytes_ = 0;
};

}  // namespace tetrad
