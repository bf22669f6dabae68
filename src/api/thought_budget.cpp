#include "api/thought_budget.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

namespace tetrad {
namespace {

class ThoughtBudget final : public TokenConstraint {
 public:
  ThoughtBudget(std::int64_t tokens, std::int32_t think_end, std::shared_ptr<TokenConstraint> inner)
      : left_(tokens), think_end_(think_end), inner_(std::move(inner)) {}

  void prepare() override {
    if (inner_) inner_->prepare();
  }

  void mask(std::span<float> logits) override {
    if (inner_) inner_->mask(logits);
    if (!thinking_ || left_ > 0) return;
    const float end = logits[static_cast<std::size_t>(think_end_)];
    std::fill(logits.begin(), logits.end(), -std::numeric_limits<float>::infinity());
    logits[static_cast<std::size_t>(think_end_)] = std::isfinite(end) ? end : 0.0F;
  }

  Status accept(std::int32_t token) override {
    if (token == think_end_)
      thinking_ = false;
    else
      --left_;
    return inner_ ? inner_->accept(token) : Status();
  }

 private:
  std::int64_t left_;
  const std::int32_t think_end_;
  const std::shared_ptr<TokenConstraint> inner_;
  bool thinking_ = true;
};

}  // namespace

std::shared_ptr<TokenConstraint> limit_thought(std::int64_t tokens, std::int32_t think_end,
                                               std::shared_ptr<TokenConstraint> inner) {
  return std::make_shared<ThoughtBudget>(tokens, think_end, std::move(inner));
}

}  // namespace tetrad
