#include "eval/statistics.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace tetrad {
namespace {

struct SoftmaxSummary {
  double log_sum;
  std::int64_t top1;
  bool finite;
};

SoftmaxSummary summarize_row(std::span<const float> logits) {
  std::size_t best = 0;
  bool finite = true;
  for (std::size_t i = 0; i < logits.size(); ++i) {
    finite = finite && std::isfinite(logits[i]);
    if (logits[i] > logits[best]) best = i;
  }
  if (!finite) return {0, 0, false};
  const double top = logits[best];
  double sum = 0;
  for (const float logit : logits) sum += std::exp(static_cast<double>(logit) - top);
  return {top + std::log(sum), static_cast<std::int64_t>(best), true};
}

}  // namespace

ReferenceRow::ReferenceRow(std::span<const float> logits) : logits_(logits) {
  const auto [log_sum, top1, finite] = summarize_row(logits);
  log_sum_ = log_sum;
  top1_ = top1;
  finite_ = finite;
}

RowComparison ReferenceRow::compare(std::span<const float> candidate, std::int64_t next_token) const {
  const auto [log_sum, top1, finite] = summarize_row(candidate);
  RowComparison row;
  row.finite = finite && finite_;
  if (!row.finite) return row;
  double kld = 0;
  for (std::size_t v = 0; v < logits_.size(); ++v) {
    const double log_p = static_cast<double>(logits_[v]) - log_sum_;
    kld += std::exp(log_p) * (log_p - (static_cast<double>(candidate[v]) - log_sum));
  }
  row.kld = std::max(0.0, kld);  // rounding can leave -1e-17
  row.reference_nll = nll(next_token);
  row.candidate_nll = log_sum - static_cast<double>(candidate[static_cast<std::size_t>(next_token)]);
  row.same_top1 = top1 == top1_;
  return row;
}

double percentile(std::span<const double> sorted, double q) {
  if (sorted.empty()) return 0;
  const double rank = q * static_cast<double>(sorted.size() - 1);
  const auto low = static_cast<std::size_t>(rank);
  const std::size_t high = std::min(low + 1, sorted.size() - 1);
  return sorted[low] + (rank - static_cast<double>(low)) * (sorted[high] - sorted[low]);
}

KldSummary summarize(std::span<const double> values, std::span<const std::uint32_t> window) {
  KldSummary summary;
  if (values.empty()) {
    constexpr double kNone = std::numeric_limits<double>::quiet_NaN();
    return {kNone, kNone, kNone, kNone, kNone, kNone, kNone};
  }
  const auto n = static_cast<double>(values.size());
  double sum = 0;
  for (const double value : values) sum += value;
  summary.mean = sum / n;
  double squares = 0, windows = 0;
  for (std::size_t i = 0; i < values.size();) {
    double deviation = 0;
    const std::uint32_t w = window[i];
    for (; i < values.size() && window[i] == w; ++i) deviation += values[i] - summary.mean;
    squares += deviation * deviation;
    ++windows;
  }
  if (windows > 1) summary.standard_error = std::sqrt(windows / (windows - 1) * squares) / n;
  std::vector<double> sorted(values.begin(), values.end());
  std::sort(sorted.begin(), sorted.end());
  summary.median = percentile(sorted, 0.5);
  summary.p95 = percentile(sorted, 0.95);
  summary.p99 = percentile(sorted, 0.99);
  summary.p999 = percentile(sorted, 0.999);
  summary.max = sorted.back();
  return summary;
}

}  // namespace tetrad
