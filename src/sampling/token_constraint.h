// What may come next, decided by somebody else than the model: a grammar. The engine asks it before each draw and tells
// it what was drawn; it knows nothing of grammars. Implemented in grammar/.
#pragma once

#include <cstdint>
#include <span>

#include "base/error.h"

namespace tetrad {

// One request's state. Used by one thread at a time, not always the same one.
class TokenConstraint {
 public:
  virtual ~TokenConstraint() = default;
  // Works the next mask out ahead of time, so that mask() only has to apply it. May be left out.
  virtual void prepare() {}
  // Logits of tokens that may not come become -infinity. End tokens are among them until the text may end.
  virtual void mask(std::span<float> logits) = 0;
  // The token that came. An error means it was not allowed: a bug of the caller.
  virtual Status accept(std::int32_t token) = 0;
};

}  // namespace tetrad
