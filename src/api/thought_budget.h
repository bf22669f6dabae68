// A limit of the tokens that a thought may have. Used by chat_prompt.cpp.
#pragma once

#include <memory>

#include "sampling/token_constraint.h"

namespace tetrad {

// Lets `tokens` tokens of the thought come, then only its end (`think_end`, which doesn't count). Whatever `inner`
// wants holds as well; it may be null.
std::shared_ptr<TokenConstraint> limit_thought(std::int64_t tokens, std::int32_t think_end,
                                               std::shared_ptr<TokenConstraint> inner);

}  // namespace tetrad
