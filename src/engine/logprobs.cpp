#include "engine/logprobs.h"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace tetrad {

OutputToken token_logprobs(std::span<const float> logits, std::int32_t id, std::int64_t top) {
  float largest = -std::numeric_limits<float>::infinity();
  for (const float logit : logits)
    if (logit > largest) largest = logit;
  double sum = 0;
  for (const float logit : logits) sum += std::exp(static_cast<double>(logit) - static_cast<double>(largest));
  const double total = static_cast<double>(largest) + std::log(sum);
  const auto logprob = [&](std::int32_t i) {
    return static_cast<float>(static_cast<double>(logits[static_cast<std::size_t>(i)]) - total);
  };
  OutputToken token{id, logprob(id), {}};
  if (top <= 0) return token;
  std::vector<std::int32_t> order(logits.size());
  std::iota(order.begin(), order.end(), 0);
  const auto count = std::min(static_cast<std::size_t>(top), order.size());
  std::partial_sort(order.begin(), order.begin() + static_cast<std::ptrdiff_t>(count), order.end(),
                    [&](std::int32_t a, std::int32_t b) {
                      const float x = logits[static_cast<std::size_t>(a)], y = logits[static_cast<std::size_t>(b)];
                      return x != y ? x > y : a < b;
                    });
  for (std::size_t i = 0; i < count; ++i) token.top.push_back({order[i], logprob(order[i])});
  return token;
}

}  // namespace tetrad
