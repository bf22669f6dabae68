#include <gtest/gtest.h>

#include <limits>

#include "conversion/result.h"
#include "report/html_check.h"

namespace tetrad {
namespace {

QuantizeResult result(std::int64_t layers, std::int64_t experts, bool calibrated) {
  QuantizeResult r;
  r.source = "/models/original";
  r.destination = "/out/nvfp4";
  r.recipe = "nvfp4-experts";
  r.algorithm = "mse";
  r.tensors = 1000;
  r.quantized_tensors = 900;
  r.quantized_weights = 17200000;
  r.bytes_in = 2000000;
  r.bytes_out = 1140000;
  r.calibration_tokens = calibrated ? 4096 : 0;
  r.calibration_sequences = calibrated ? 16 : 0;
  for (std::int64_t l = 0; l < layers; ++l) {
    LayerResult& layer = r.layers.emplace_back();
    layer.layer = l + 3;
    for (std::int64_t e = 0; e < experts; ++e) {
      ExpertResult& expert = layer.experts.emplace_back();
      expert.expert = e;
      for (auto& error : expert.error) error = {0.01, 1, 0};
      if (calibrated) expert.activity = {e * (l + 1), 1.0, 3.5F, 12.0F, 0};
    }
  }
  return r;
}

TEST(QuantizePage, ShowsWhatTheResultHolds) {
  QuantizeResult r = result(4, 8, true);
  r.layers[2].experts[5].error[2] = {0.09, 1, 0};
  r.warnings = {"a warning"};
  const std::string html = to_html(r);
  EXPECT_EQ(report::page_fault(html), "");
  EXPECT_NE(html.find("17.2 M"), std::string::npos);
  EXPECT_NE(html.find("57.0 % of the source"), std::string::npos);
  EXPECT_NE(html.find("<li>a warning</li>"), std::string::npos);
  EXPECT_NE(html.find("layer 6, expert 7: 28"), std::string::npos);
  EXPECT_EQ(report::count_of(html, "<svg"), 3U);
  // The worst matrix is the first of the 20 in the table.
  const std::string row =
      "<tbody>\n<tr><td class=\"n\">5</td><td class=\"n\">5</td><td>down</td><td class=\"n\">0.3000</td>";
  EXPECT_NE(html.find(row), std::string::npos);
  EXPECT_EQ(report::count_of(html, "<td>gate</td>") + report::count_of(html, "<td>up</td>") +
                report::count_of(html, "<td>down</td>"),
            20U);
  EXPECT_EQ(html, to_html(r));
}

TEST(QuantizePage, WorksWithoutCalibrationAndWithoutLayers) {
  const std::string html = to_html(result(2, 2, false));
  EXPECT_EQ(report::page_fault(html), "");
  EXPECT_EQ(html.find("experts the calibration reached"), std::string::npos);
  EXPECT_NE(html.find("from the weights alone"), std::string::npos);
  EXPECT_EQ(report::page_fault(to_html(QuantizeResult{})), "");
  EXPECT_EQ(report::page_fault(to_html(result(1, 1, true))), "");
  EXPECT_EQ(report::page_fault(to_html(result(3, 0, true))), "");
}

TEST(QuantizePage, StaysSmallForALargeModel) {
  QuantizeResult r = result(62, 256, true);
  collect_warnings(r);
  const std::string html = to_html(r);
  EXPECT_LT(html.size(), 3000000U);
  EXPECT_EQ(report::page_fault(html), "");
}

TEST(QuantizePage, ExplainsWhatIsNotFiniteAndEscapes) {
  QuantizeResult r = result(2, 4, true);
  const double nan = std::numeric_limits<double>::quiet_NaN();
  r.layers[1].experts[2].error[0] = {nan, 1, 3};
  r.layers[1].experts[3].activity.gate_up_amax = std::numeric_limits<float>::infinity();
  r.source = r.destination = r.recipe = r.algorithm = "</style><b>'\"&\xc3";
  r.warnings = {r.source};
  const std::string html = to_html(r);
  EXPECT_EQ(report::page_fault(html), "");
  EXPECT_NE(html.find("not finite"), std::string::npos);
}

}  // namespace
}  // namespace tetrad
