#include "report/chart.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "report/axis.h"
#include "report/html_check.h"

namespace tetrad::report {
namespace {

constexpr double kNan = std::numeric_limits<double>::quiet_NaN(), kInf = std::numeric_limits<double>::infinity();
constexpr const char* kHostile = "<x onload='1'>&\"";

std::vector<std::string> texts(const Scale& scale) {
  std::vector<std::string> all;
  for (const Tick& tick : scale.ticks()) all.push_back(tick.text);
  return all;
}

TEST(Scale, RoundsLinearTicks) {
  EXPECT_EQ(texts(Scale::from_zero(0.11, 5)), (std::vector<std::string>{"0", "0.05", "0.1", "0.15"}));
  EXPECT_EQ(texts(Scale::from_zero(100, 5)), (std::vector<std::string>{"0", "20", "40", "60", "80", "100"}));
  EXPECT_DOUBLE_EQ(Scale::from_zero(100, 5).place(50), 0.5);
  EXPECT_DOUBLE_EQ(Scale::from_zero(100, 5).place(1e9), 1);
  EXPECT_DOUBLE_EQ(Scale::from_zero(100, 5).place(-1), 0);
}

TEST(Scale, LogarithmicTicksAreDecades) {
  EXPECT_EQ(texts(Scale::logarithmic(0.002, 30)), (std::vector<std::string>{"0.001", "0.01", "0.1", "1", "10", "100"}));
  const Scale narrow = Scale::logarithmic(2, 8);
  EXPECT_EQ(texts(narrow), (std::vector<std::string>{"1", "10", "2", "5"}));
  EXPECT_NEAR(narrow.place(std::sqrt(10.0)), 0.5, 1e-12);
  EXPECT_FALSE(narrow.shows(0));
  EXPECT_FALSE(narrow.shows(kNan));
}

TEST(Scale, SurvivesAnyRange) {
  for (const double largest : {0.0, -1.0, 5e-324, 1e-300, 1e300, std::numeric_limits<double>::max(), kInf, kNan}) {
    const Scale scale = Scale::from_zero(largest, 5);
    EXPECT_GE(scale.ticks().size(), 2U);
    for (const Tick& tick : scale.ticks()) EXPECT_TRUE(tick.place >= 0 && tick.place <= 1);
  }
  for (const double smallest : {5e-324, 1e-20, 1.0})
    for (const double largest : {5e-324, 1.0, 1000.0, 1e308}) {
      const Scale scale = Scale::logarithmic(smallest, largest);
      EXPECT_GE(scale.ticks().size(), 2U);
      EXPECT_LE(scale.ticks().size(), 16U);
      EXPECT_TRUE(std::isfinite(scale.place(largest)));
    }
}

TEST(Labels, FallOnRoundNumbers) {
  EXPECT_EQ(labelled({"3", "4", "5", "6", "7", "8", "9", "10"}, 5), (std::vector<std::size_t>{2, 7}));
  EXPECT_EQ(labelled({"a", "b", "c"}, 2), (std::vector<std::size_t>{0, 2}));
  EXPECT_EQ(labelled({"1", "3", "7"}, 10), (std::vector<std::size_t>{0}));  // none is a multiple
}

TEST(LineChart, DrawsGapsForMissingValues) {
  const LineChart chart{"layer", "error", {{"one", {1, 2, kNan, 3, kInf, 4}}, {kHostile, {0.5}}}};
  const std::string html = chart.html();
  EXPECT_EQ(page_fault(html), "");
  EXPECT_EQ(count_of(html, "<circle"), 5U);
  const std::size_t path = html.find("class=\"line c0\"");
  ASSERT_NE(path, std::string::npos);
  EXPECT_EQ(count_of(html.substr(path, html.find("/>", path) - path), "M"), 3U);
  EXPECT_NE(html.find("not finite"), std::string::npos);  // the tooltip says why there is a gap
}

TEST(LineChart, TakesOnePointNoneAndZeros) {
  EXPECT_EQ(count_of(LineChart{"x", "y", {{"a", {1}}}}.html(), "<circle"), 1U);
  EXPECT_EQ(LineChart({"x", "y", {}}).html(), empty_chart());
  EXPECT_EQ(LineChart({"x", "y", {{"a", {}}}}).html(), empty_chart());
  for (const bool log : {false, true})
    for (const double value : {0.0, kNan, -1.0, 5e-324, 1e308})
      EXPECT_EQ(page_fault(LineChart{"x", "y", {{"a", {value, value}}}, {}, log}.html()), "") << value;
}

TEST(LineChart, DashedLinesShareTheColourBefore) {
  LineChart chart{"x", "y", {{"a", {1, 2}}, {"b", {1, 3}}, {"c", {2, 2}}}};
  chart.series[1].dashed = true;
  const std::string html = chart.html();
  EXPECT_NE(html.find("line c0 dashed"), std::string::npos);
  EXPECT_NE(html.find("class=\"line c1\""), std::string::npos);
  EXPECT_EQ(html.find("line c2"), std::string::npos);
}

TEST(BarChart, ShowsErrorsAndWhatIsNotFinite) {
  const BarChart chart{
      "KLD", {"short", kHostile, "a name far too long for the margin"}, {{"s", {1, kNan, 0}, {0.5, 1, kNan}}}};
  const std::string html = chart.html();
  EXPECT_EQ(page_fault(html), "");
  EXPECT_EQ(count_of(html, "class=\"bar f0\""), 2U);
  EXPECT_EQ(count_of(html, "class=\"error\""), 1U);
  EXPECT_EQ(count_of(html, ">not finite<"), 1U);
  EXPECT_NE(html.find("a name far too …<title>a name far too long for the margin</title>"), std::string::npos);
  EXPECT_EQ(BarChart({"x", {}, {}}).html(), empty_chart());
}

TEST(LogHistogram, CountsEachValueOnce) {
  std::vector<double> values(100000);
  for (std::size_t i = 0; i < values.size(); ++i)
    values[i] = i % 4 == 0 ? 0 : std::pow(10.0, -6 + static_cast<double>(i % 7));
  values.push_back(kNan);  // left out
  const LogHistogram chart{"KLD", "% of positions", 1e-9, {{"a", values}}};
  const std::string html = chart.html();
  EXPECT_EQ(page_fault(html), "");
  EXPECT_NE(html.find("<title>zero a: 25.00 %</title>"), std::string::npos);
  EXPECT_LT(html.size(), 40000U);
  double total = 0;
  for (std::size_t at = html.find(" a: "); at != std::string::npos; at = html.find(" a: ", at + 1))
    total += std::stod(html.substr(at + 4));
  EXPECT_NEAR(total, 100, 0.1);
}

TEST(LogHistogram, PutsTheSmallestApart) {
  const std::string html = LogHistogram{"KLD", "%", 1e-6, {{"", {1e-30, 0, 1e-5, 2e-5}}}}.html();
  EXPECT_NE(html.find("below 0.000010, zero included 50.00 %"), std::string::npos) << html;
  EXPECT_NE(html.find(">less</text>"), std::string::npos);
}

TEST(LogHistogram, TakesDegenerateValues) {
  EXPECT_EQ(LogHistogram({"x", "y", 1e-9, {{"a", {kNan}}, {"b", {}}}}).html(), empty_chart());
  for (const double value : {0.0, 1.0, 1e-300, 1e300, -1.0}) {
    LogHistogram chart{"x", "y", 1e-9, {{"a", {value}}}};
    chart.series[0].mark = value;
    EXPECT_EQ(page_fault(chart.html()), "") << value;
  }
}

TEST(HeatMap, MarksZerosAndOrdersLevels) {
  const HeatMap map{"layer", "expert", "tokens", "no token", {"0", "7"}, {{0, 1, 1000}, {30, 0}}};
  const std::string html = map.html();
  EXPECT_EQ(page_fault(html), "");
  EXPECT_EQ(count_of(html, "<path class=\"h0\""), 2U);
  EXPECT_EQ(count_of(html, "<path class=\"h1\""), 1U);
  EXPECT_EQ(count_of(html, "<path class=\"h10\""), 1U);
  EXPECT_NE(html.find("<title>layer 7, expert 0: 30</title>"), std::string::npos);
}

TEST(HeatMap, TakesOneCellNoneAndAllZeros) {
  EXPECT_EQ(page_fault(HeatMap{"r", "c", "v", kHostile, {"0"}, {{5}}}.html()), "");
  EXPECT_EQ(page_fault(HeatMap{"r", "c", "v", "z", {"0"}, {{0, 0}}}.html()), "");
  EXPECT_EQ(HeatMap({"r", "c", "v", "z", {}, {}}).html(), empty_chart());
  EXPECT_EQ(HeatMap({"r", "c", "v", "z", {"0"}, {{}}}).html(), empty_chart());
}

TEST(HeatMap, StaysSmallWhenTheModelIsLarge) {
  HeatMap map{"layer", "expert", "tokens", "no token", {}, {}};
  for (int layer = 0; layer < 62; ++layer) {
    map.row_names.push_back(std::to_string(layer));
    auto& row = map.values.emplace_back(256);
    for (std::size_t e = 0; e < row.size(); ++e) row[e] = static_cast<std::int64_t>(e * e) * 7919 % 1000003;
  }
  EXPECT_LT(map.html().size(), 2000000U);
  EXPECT_NE(map.html().find("layer 61, expert 255:"), std::string::npos);
  for (auto& row : map.values) row.resize(1024, 3);  // too many cells for a tooltip each
  EXPECT_LT(map.html().size(), 4000000U);
  EXPECT_EQ(page_fault(map.html()), "");
}

}  // namespace
}  // namespace tetrad::report
