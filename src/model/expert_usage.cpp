#include "model/expert_usage.h"

#include <algorithm>
#include <cmath>

namespace tetrad {
namespace {

// Nobody stays below for ever: one use must outweigh a long silence.
constexpr double kLeastShare = 1e-6;
// Uses of an average expert within a half-life. Hit rates are flat around it: 2 to 4 are best by 0.003, 32 costs 0.01.
constexpr double kUses = 4;

}  // namespace

ExpertUsage::ExpertUsage(std::size_t layers, std::size_t experts, std::int64_t per_token)
    : layers_(layers),
      experts_(experts),
      half_life_(kUses * static_cast<double>(experts) / static_cast<double>(per_token)) {
  const double even = static_cast<double>(per_token) / static_cast<double>(experts);
  share_.assign(layers * experts, even);
  wait_.assign(layers * experts, 1 / even - 1);
}

void ExpertUsage::visit(std::size_t layer, std::span<const std::int64_t> rows, std::int64_t tokens) {
  now_ = layer;
  const auto n = static_cast<double>(tokens);
  const double keep = std::exp2(-n / half_life_);
  for (std::size_t e = 0; e < experts_; ++e) {
    double& share = share_[layer * experts_ + e];
    share = std::max(keep * share + (1 - keep) * static_cast<double>(rows[e]) / n, kLeastShare);
    const double used = -std::expm1(n * std::log1p(-std::min(share, 1 - kLeastShare)));  // by a step of n tokens
    wait_[layer * experts_ + e] = 1 / used - 1;
  }
}

}  // namespace tetrad
