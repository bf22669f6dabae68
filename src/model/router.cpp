#include <limits>

#include "model/decoder.h"

namespace tetrad {
namespace {

// The k largest of score + bias, largest first, the lower index on a tie; a NaN counts as the smallest. Weights: the
// scores without bias over their sum.
void choose(const float* scores, std::span<const float> bias, std::int64_t k, std::int32_t* experts, float* weights) {
  constexpr float kLowest = -std::numeric_limits<float>::infinity();
  std::vector<float> choice(bias.size());
  for (std::size_t e = 0; e < choice.size(); ++e) {
    const float value = scores[e] + bias[e];
    choice[e] = value == value ? value : kLowest;
  }
  std::vector<bool> taken(bias.size());
  float total = 0;
  for (std::int64_t i = 0; i < k; ++i) {
    std::size_t best = choice.size();
    for (std::size_t e = 0; e < choice.size(); ++e)
      if (!taken[e] && (best == choice.size() || choice[e] > choice[best])) best = e;
    taken[best] = true;
    experts[i] = static_cast<std::int32_t>(best);
    weights[i] = scores[best];
    total += scores[best];
  }
  for (std::int64_t i = 0; i < k; ++i) weights[i] /= total;
}

}  // namespace

void route(const DecoderContext& context, const LayerWeights& weights, const float* hidden, std::int64_t rows,
           std::int64_t first, Routing& routing, float* normed) {
  const OpTimer timer(context.profile, Op::kRouter);
  const ModelConfig& config = context.config;
  const KernelTable& kernels = context.compute.kernels();
  const auto n = static_cast<std::size_t>(rows);
  const auto eps = static_cast<float>(config.rms_eps);
  context.compute.pool().run(
      n,
      [&](std::size_t i, std::size_t) {
        const std::int64_t at = static_cast<std::int64_t>(i) * config.hidden;
        kernels.rms_norm(hidden + at, weights.post_norm.data(), config.hidden, eps, context.bf16(), normed + at);
      },
      16);
  std::vector<float> scores(n * static_cast<std::size_t>(config.experts));
  const LinearJob job = {&weights.router, normed, rows, config.hidden, scores.data(), config.experts};
  linear(context.compute, context.workspace, {&job, 1}, {.bf16 = weights.router_in_bf16});
  context.compute.pool().run(
      n,
      [&](std::size_t i, std::size_t) {
        float* row = scores.data() + i * static_cast<std::size_t>(config.experts);
        kernels.sigmoid(row, config.experts, row);
        const std::int64_t at = (first + static_cast<std::int64_t>(i)) * routing.per_token;
        choose(row, weights.router_bias, routing.per_token, routing.experts.data() + at, routing.weights.data() + at);
      },
      16);
}

}  // namespace tetrad
