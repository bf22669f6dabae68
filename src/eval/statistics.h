// From per-position figures to what is reported. Sums are in double, in the order of positions: results don't depend on
// threads.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace tetrad {

// One row of logits against another.
struct RowComparison {
  double kld = 0;  // sum over v of P_ref(v) ln(P_ref(v) / P_cand(v)), nats, full vocabulary, never below 0
  double reference_nll = 0, candidate_nll = 0;  // of the next token
  bool same_top1 = false;                       // ties go to the lower id
  bool finite = true;  // false: a candidate logit is NaN or infinite; the other fields mean nothing
};

// What the reference row gives once, for all candidates: softmax in double.
class ReferenceRow {
 public:
  explicit ReferenceRow(std::span<const float> logits);
  double nll(std::int64_t token) const {
    return log_sum_ - static_cast<double>(logits_[static_cast<std::size_t>(token)]);
  }
  std::int64_t top1() const { return top1_; }
  bool finite() const { return finite_; }
  RowComparison compare(std::span<const float> candidate, std::int64_t next_token) const;

 private:
  std::span<const float> logits_;
  double log_sum_ = 0;  // ln of the sum of exp(logit)
  std::int64_t top1_ = 0;
  bool finite_ = true;
};

struct KldSummary {
  double mean = 0, standard_error = 0, median = 0, p95 = 0, p99 = 0, p999 = 0, max = 0;
};

// `values` one a position, `window` its window. The standard error of the mean takes windows as the independent samples
// (positions of one window share their context): with n_w positions and sum s_w of window w, m windows, N positions,
// mean x: sqrt(m / (m - 1) * sum_w (s_w - n_w x)^2) / N. One window: 0. No values: NaN everywhere.
// Percentiles are the nearest-rank ones with linear interpolation (NumPy's default).
KldSummary summarize(std::span<const double> values, std::span<const std::uint32_t> window);

double percentile(std::span<const double> sorted, double q);  // q in [0, 1]

}  // namespace tetrad
