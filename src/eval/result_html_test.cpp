#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "eval/evaluate.h"
#include "report/html_check.h"

namespace tetrad {
namespace {

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

CandidateResult candidate(const std::string& path, std::size_t positions, std::size_t layers) {
  CandidateResult c;
  c.path = path;
  c.perplexity = 5.5;
  c.top1_agreement = 0.95;
  c.kld = {0.0123, 0.0011, 0.002, 0.05, 0.2, 1.5, 7};
  c.categories = {{"code", 100, 0.01, 0.002, 0.96, 3.2}, {"text", 100, 0.014, 0.003, 0.94, 7.2}};
  for (std::size_t i = 0; i < positions; ++i)
    c.position_kld.push_back(i % 50 == 0 ? 0 : std::pow(10.0, -6 + 0.001 * static_cast<double>(i % 6000)));
  for (std::size_t i = 0; i < layers; ++i) c.hidden_relative_error.push_back(0.01 * static_cast<double>(i + 1));
  return c;
}

EvalResult result(std::size_t candidates, std::size_t positions, std::size_t layers, std::size_t experts) {
  EvalResult r;
  r.reference = "/models/original";
  r.command_line = "tetrad eval /models/original";
  r.activations = "bf16";
  r.dense_weights = "stored";
  r.expert_inputs = "int16";
  r.data = {"eval.jsonl"};
  r.positions = static_cast<std::int64_t>(positions);
  r.windows = 10;
  r.context = r.stride = 2048;
  r.reference_perplexity = 5.4;
  for (std::size_t i = 0; i < candidates; ++i)
    r.candidates.push_back(candidate("/out/candidate" + std::to_string(i), positions, layers));
  for (std::size_t layer = 0; layer < layers; ++layer) {
    auto& activity = r.coverage.emplace_back();
    activity.layer = static_cast<std::int64_t>(layer);
    activity.experts.resize(experts);
    for (std::size_t e = 0; e < experts; ++e) activity.experts[e].tokens = static_cast<std::int64_t>(e * (layer + 1));
  }
  return r;
}

TEST(EvalPage, ShowsWhatTheResultHolds) {
  const std::string html = to_html(result(2, 3000, 4, 8));
  EXPECT_EQ(report::page_fault(html), "");
  EXPECT_NE(html.find("0.0123 ± 0.0011"), std::string::npos);
  EXPECT_NE(html.find("5.400 → 5.500"), std::string::npos);
  EXPECT_NE(html.find("95.00 %"), std::string::npos);
  EXPECT_NE(html.find("Where the divergence lies"), std::string::npos);
  EXPECT_NE(html.find("By category"), std::string::npos);
  EXPECT_NE(html.find("layer 3, expert 7: 28"), std::string::npos);
  EXPECT_NE(html.find("tetrad eval /<wbr>models/<wbr>original"), std::string::npos);
  EXPECT_EQ(report::count_of(html, "<svg"), 5U);
  EXPECT_EQ(html, to_html(result(2, 3000, 4, 8)));
}

TEST(EvalPage, StaysSmallForALargeModel) {
  const std::string html = to_html(result(3, 120000, 62, 256));
  EXPECT_LT(html.size(), 3000000U);
  EXPECT_EQ(report::page_fault(html), "");
}

TEST(EvalPage, SaysWhatIsMissing) {
  EXPECT_EQ(report::page_fault(to_html(EvalResult{})), "");
  EXPECT_NE(to_html(EvalResult{}).find("No position was compared"), std::string::npos);
  EXPECT_EQ(report::page_fault(to_html(result(1, 1, 1, 1))), "");
  EXPECT_EQ(report::page_fault(to_html(result(0, 10, 2, 4))), "");
  EvalResult dense = result(1, 10, 3, 0);
  EXPECT_EQ(to_html(dense).find("experts the data reach"), std::string::npos);
  dense.truncated = true;
  dense.windows = 1;
  dense.candidates[0].kld.standard_error = 0;
  EXPECT_NE(to_html(dense).find("one window: no standard error"), std::string::npos);
  EXPECT_NE(to_html(dense).find("cut at --max-tokens"), std::string::npos);
}

TEST(EvalPage, ExplainsWhatIsNotFinite) {
  EvalResult r = result(2, 20, 2, 2);
  r.reference_perplexity = kNan;
  CandidateResult& c = r.candidates[1];
  c.perplexity = c.top1_agreement = kNan;
  c.kld = {kNan, kNan, kNan, kNan, kNan, kNan, kNan};
  c.categories[0] = {"code", 0, kNan, kNan, kNan, kNan};
  c.hidden_relative_error.assign(2, kNan);
  c.position_kld.clear();
  c.nonfinite = 20;
  const std::string html = to_html(r);
  EXPECT_EQ(report::page_fault(html), "");
  EXPECT_NE(html.find("20 positions have a NaN or infinite logit"), std::string::npos);
  EXPECT_NE(html.find("not finite"), std::string::npos);
}

TEST(EvalPage, EscapesPathsAndCategories) {
  const std::string hostile = "</title><script>x</script>'\"&\xff";
  EvalResult r = result(2, 20, 2, 2);
  r.reference = r.command_line = r.activations = r.candidates[0].path = hostile;
  r.data = {hostile};
  for (auto& c : r.candidates) c.categories[0].name = hostile;
  EXPECT_EQ(report::page_fault(to_html(r)), "");
}

TEST(EvalPage, NamesCandidatesApart) {
  EvalResult r = result(2, 20, 2, 2);
  r.candidates[0].path = "/runs/max/model";
  r.candidates[1].path = "/runs/mse/model/";
  EXPECT_NE(to_html(r).find("<h2 class=\"group\">mse/model</h2>"), std::string::npos);
  r.candidates[1].path = "/runs/max/model";
  EXPECT_NE(to_html(r).find("<h2 class=\"group\">2. model</h2>"), std::string::npos);
  for (const char* odd : {"", "/", "//", ".", "model/", "a//"}) {
    r.candidates[1].path = odd;
    EXPECT_EQ(report::page_fault(to_html(r)), "") << odd;
  }
}

TEST(EvalPage, TakesCategoriesThatDiffer) {
  EvalResult r = result(2, 20, 2, 2);
  r.candidates[1].categories = {{"only here", 5, 0.5, 0.1, 0.9, 2}};
  const std::string html = to_html(r);
  EXPECT_EQ(report::page_fault(html), "");
  EXPECT_NE(html.find("only here"), std::string::npos);
  for (int i = 0; i < 100; ++i) r.candidates[0].categories.push_back({"c" + std::to_string(i), 5, 0.01 * i, 0, 0.9, 2});
  EXPECT_NE(to_html(r).find("By category: the 32 largest"), std::string::npos);
}

}  // namespace
}  // namespace tetrad
