// The model's own probabilities of a token and of its likeliest alternatives. Used by engine.cpp.
#pragma once

#include <cstdint>
#include <span>

#include "engine/request.h"

namespace tetrad {

// log-softmax in double over all logits; the `top` likeliest, ties to the lower id. `id` itself is not added to them.
OutputToken token_logprobs(std::span<const float> logits, std::int32_t id, std::int64_t top);

}  // namespace tetrad
