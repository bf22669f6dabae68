// Figures worked out by hand, by NumPy 2 and by a plain softmax in long double.
#include "eval/statistics.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "base/rng.h"

namespace tetrad {
namespace {

using Row = std::vector<float>;

Row random_row(Rng& rng, std::size_t vocab, double spread) {
  Row row(vocab);
  for (float& logit : row) logit = static_cast<float>((rng.uniform() - 0.5) * spread);
  return row;
}

// ln of the softmax, the plain way: shifted by the maximum, everything in long double.
std::vector<long double> log_softmax(const Row& row) {
  long double top = static_cast<long double>(row[0]), sum = 0;
  for (const float logit : row) top = std::max(top, static_cast<long double>(logit));
  for (const float logit : row) sum += std::exp(static_cast<long double>(logit) - top);
  std::vector<long double> result;
  for (const float logit : row) result.push_back(static_cast<long double>(logit) - top - std::log(sum));
  return result;
}

double slow_kld(const Row& reference, const Row& candidate) {
  const auto p = log_softmax(reference), q = log_softmax(candidate);
  long double kld = 0;
  for (std::size_t v = 0; v < p.size(); ++v) kld += std::exp(p[v]) * (p[v] - q[v]);
  return static_cast<double>(kld);
}

TEST(ReferenceRow, DivergenceAndLossesEqualASoftmaxInLongDouble) {
  Rng rng(1);
  for (const double spread : {0.01, 1.0, 20.0, 200.0})
    for (const std::size_t vocab : {1U, 2U, 17U, 1000U}) {
      const Row reference = random_row(rng, vocab, spread), candidate = random_row(rng, vocab, spread);
      const std::size_t next = rng.below(vocab);
      const RowComparison row = ReferenceRow(reference).compare(candidate, static_cast<std::int64_t>(next));
      ASSERT_TRUE(row.finite);
      const double kld = slow_kld(reference, candidate);
      EXPECT_NEAR(row.kld, kld, 1e-12 * kld + 1e-14) << "vocabulary " << vocab << ", spread " << spread;
      EXPECT_NEAR(row.reference_nll, static_cast<double>(-log_softmax(reference)[next]), 1e-12 * spread + 1e-13);
      EXPECT_NEAR(row.candidate_nll, static_cast<double>(-log_softmax(candidate)[next]), 1e-12 * spread + 1e-13);
    }
}

TEST(ReferenceRow, DivergenceByHand) {
  // P = (3/4, 1/4), Q = (1/2, 1/2): KLD = ln 2 - H(P). Not symmetric: the other way around it is -ln(sqrt(3)/2).
  const Row p = {static_cast<float>(std::log(3.0)), 0}, q = {0, 0};
  EXPECT_NEAR(ReferenceRow(p).compare(q, 0).kld, 0.75 * std::log(1.5) + 0.25 * std::log(0.5), 1e-7);
  EXPECT_NEAR(ReferenceRow(q).compare(p, 0).kld, std::log(2 / std::sqrt(3.0)), 1e-7);
  EXPECT_NEAR(ReferenceRow(q).compare(p, 1).candidate_nll, std::log(4.0), 1e-7);
}

TEST(ReferenceRow, ARowAgainstItselfDivergesByExactlyZero) {
  Rng rng(2);
  for (int i = 0; i < 50; ++i) {
    const Row row = random_row(rng, 333, 30.0);
    const RowComparison same = ReferenceRow(row).compare(row, 5);
    EXPECT_EQ(same.kld, 0.0);
    EXPECT_EQ(same.reference_nll, same.candidate_nll);
    EXPECT_TRUE(same.same_top1);
  }
}

TEST(ReferenceRow, AConstantAddedToAllLogitsChangesNothingAndNothingIsBelowZero) {
  Rng rng(3);
  for (int i = 0; i < 50; ++i) {
    const Row row = random_row(rng, 257, 8.0);
    Row shifted = row;
    for (float& logit : shifted) logit += 3.0F;
    const double kld = ReferenceRow(row).compare(shifted, 0).kld;
    EXPECT_GE(kld, 0.0);
    EXPECT_LT(kld, 1e-12);  // the additions round in F32
  }
}

TEST(ReferenceRow, TiesGoToTheLowerId) {
  const Row tied = {0, 2, 1, 2, 2}, lower = {0, 5, 1, 2, 2}, higher = {0, 2, 1, 5, 2};
  EXPECT_EQ(ReferenceRow(tied).top1(), 1);
  EXPECT_TRUE(ReferenceRow(tied).compare(lower, 0).same_top1);
  EXPECT_FALSE(ReferenceRow(tied).compare(higher, 0).same_top1);
  EXPECT_TRUE(ReferenceRow(lower).compare(tied, 0).same_top1);
  EXPECT_FALSE(ReferenceRow(higher).compare(tied, 0).same_top1);
}

TEST(ReferenceRow, NonFiniteLogitsAreMarked) {
  const Row good = {1, 2, 3};
  for (const float bad : {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity(),
                          -std::numeric_limits<float>::infinity()})
    for (std::size_t at = 0; at < good.size(); ++at) {
      Row row = good;
      row[at] = bad;
      EXPECT_FALSE(ReferenceRow(good).compare(row, 0).finite);
      EXPECT_FALSE(ReferenceRow(row).finite());
      EXPECT_FALSE(ReferenceRow(row).compare(good, 0).finite);
    }
  EXPECT_TRUE(ReferenceRow(good).compare(good, 0).finite);
}

TEST(ReferenceRow, HugeLogitsDoNotOverflow) {
  constexpr float kMost = std::numeric_limits<float>::max();
  const Row one = {kMost, -kMost, 0}, other = {-kMost, kMost, 0}, thousand = {1000, 0, -1000};
  const RowComparison apart = ReferenceRow(one).compare(other, 0);
  EXPECT_TRUE(apart.finite);
  EXPECT_DOUBLE_EQ(apart.kld, 2 * static_cast<double>(kMost));
  EXPECT_EQ(apart.reference_nll, 0);
  EXPECT_DOUBLE_EQ(apart.candidate_nll, 2 * static_cast<double>(kMost));
  EXPECT_EQ(ReferenceRow(thousand).compare(thousand, 1).kld, 0);
  EXPECT_DOUBLE_EQ(ReferenceRow(thousand).nll(2), 2000);
}

TEST(Summarize, StandardErrorByHand) {
  // Windows (1, 3), (2), (6, 8, 10): mean 5. Sums of deviations: -6, -3, 9; squares 36 + 9 + 81 = 126; m = 3, N = 6.
  const std::vector<double> values = {1, 3, 2, 6, 8, 10};
  const std::vector<std::uint32_t> window = {0, 0, 1, 7, 7, 7};
  const KldSummary summary = summarize(values, window);
  EXPECT_DOUBLE_EQ(summary.mean, 5);
  EXPECT_DOUBLE_EQ(summary.standard_error, std::sqrt(1.5 * 126) / 6);
  EXPECT_DOUBLE_EQ(summary.max, 10);
}

TEST(Summarize, WindowsOfOnePositionGiveTheUsualStandardError) {
  const std::vector<double> values = {2, 4, 4, 4, 5, 5, 7, 9};  // sum of squared deviations 32
  const std::vector<std::uint32_t> window = {0, 1, 2, 3, 4, 5, 6, 7};
  EXPECT_DOUBLE_EQ(summarize(values, window).standard_error, std::sqrt(32.0 / 7) / std::sqrt(8.0));
}

TEST(Summarize, OneWindowHasNoStandardErrorAndNoValuesGiveNoNumbers) {
  const std::vector<double> values = {1, 2, 6};
  const KldSummary one = summarize(values, std::vector<std::uint32_t>{4, 4, 4});
  EXPECT_DOUBLE_EQ(one.mean, 3);
  EXPECT_EQ(one.standard_error, 0);
  const KldSummary none = summarize({}, {});
  for (const double value : {none.mean, none.standard_error, none.median, none.p999, none.max})
    EXPECT_TRUE(std::isnan(value));  // 0 would be the figure of a perfect model
  EXPECT_EQ(percentile({}, 0.5), 0);
}

TEST(Summarize, PercentilesAreThoseOfNumPy) {
  // numpy.percentile([0.5, 3.25, 1, 8, 2.75, 13, 5], [50, 95, 99, 99.9])
  const std::vector<double> values = {0.5, 3.25, 1, 8, 2.75, 13, 5};
  const KldSummary summary = summarize(values, std::vector<std::uint32_t>(7, 0));
  EXPECT_DOUBLE_EQ(summary.median, 3.25);
  EXPECT_DOUBLE_EQ(summary.p95, 11.499999999999996);
  EXPECT_DOUBLE_EQ(summary.p99, 12.699999999999998);
  EXPECT_DOUBLE_EQ(summary.p999, 12.970000000000002);
  EXPECT_EQ(summary.max, 13);
  const std::vector<double> four = {1, 2, 4, 8}, single = {42};
  EXPECT_DOUBLE_EQ(percentile(four, 0), 1);
  EXPECT_DOUBLE_EQ(percentile(four, 0.5), 3);
  EXPECT_DOUBLE_EQ(percentile(four, 0.9), 6.8);
  EXPECT_DOUBLE_EQ(percentile(four, 1), 8);
  EXPECT_DOUBLE_EQ(percentile(single, 0.99), 42);
}

}  // namespace
}  // namespace tetrad
