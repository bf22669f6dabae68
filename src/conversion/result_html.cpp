// The page of `tetrad quantize --html`.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <tuple>

#include "arch/tensor_table.h"
#include "base/units.h"
#include "conversion/result.h"
#include "report/chart.h"
#include "report/figures.h"
#include "report/page.h"
#include "report/table.h"

namespace tetrad {
namespace {

using report::Column;
using report::figure;
using report::grouped;
using report::percent;
using report::Width;

constexpr std::size_t kWorst = 20;

std::string count(std::int64_t number) {
  return grouped(static_cast<std::uint64_t>(std::max<std::int64_t>(0, number)));
}

// |W - What| / |W| over all matrices of a layer and projection together.
double relative_error(const LayerResult& layer, std::size_t projection) {
  QuantizationError sum;
  for (const auto& expert : layer.experts) {
    sum.squared_error += expert.error[projection].squared_error;
    sum.squared_norm += expert.error[projection].squared_norm;
  }
  return sum.relative();
}

double relative_error(const QuantizeResult& r) {
  QuantizationError sum;
  for (const auto& layer : r.layers)
    for (const auto& expert : layer.experts)
      for (const auto& error : expert.error) {
        sum.squared_error += error.squared_error;
        sum.squared_norm += error.squared_norm;
      }
  return sum.relative();
}

bool calibrated(const QuantizeResult& r) { return r.calibration_tokens > 0; }

void add_cards(report::Page& page, const QuantizeResult& r) {
  const double share = static_cast<double>(r.bytes_out) / static_cast<double>(std::max<std::uint64_t>(1, r.bytes_in));
  page.cards({{"weights quantized", format_count(r.quantized_weights),
               fmt::format("{} of {} tensors", grouped(r.quantized_tensors), grouped(r.tensors))},
              {"bytes in → out", format_bytes(r.bytes_in) + " → " + format_bytes(r.bytes_out),
               percent(share, 1) + " of the source"},
              {"relative error", figure(relative_error(r), 3), "‖W − Ŵ‖ / ‖W‖ over all experts"},
              {"algorithm", r.algorithm, r.recipe},
              {"calibration", calibrated(r) ? count(r.calibration_tokens) + " tokens" : "none",
               calibrated(r) ? count(r.calibration_sequences) + " sequences" : "from the weights alone"},
              {"time", format_seconds(r.seconds), "peak memory " + format_bytes(r.peak_rss_bytes)}});
}

struct Matrix {
  std::int64_t layer, expert, tokens;
  std::size_t projection;
  double error;
  bool finite() const { return std::isfinite(error); }
};

// Largest error first; non-finite ones before all.
std::vector<Matrix> worst_matrices(const QuantizeResult& r) {
  std::vector<Matrix> all;
  for (const auto& layer : r.layers)
    for (const auto& expert : layer.experts)
      for (std::size_t p = 0; p < 3; ++p)
        all.push_back({layer.layer, expert.expert, expert.activity.tokens, p, expert.error[p].relative()});
  const std::size_t kept = std::min(kWorst, all.size());
  std::partial_sort(all.begin(), all.begin() + static_cast<std::ptrdiff_t>(kept), all.end(),
                    [](const Matrix& a, const Matrix& b) {
                      if (a.finite() != b.finite()) return b.finite();
                      if (a.finite() && a.error != b.error) return a.error > b.error;
                      return std::tie(a.layer, a.expert, a.projection) < std::tie(b.layer, b.expert, b.projection);
                    });
  all.resize(kept);
  return all;
}

std::string worst_table(const QuantizeResult& r) {
  std::vector<Column> columns = {{"layer"}, {"expert"}, {"matrix", Column::Kind::kText}, {"relative error"}};
  if (calibrated(r)) columns.push_back({"calibration tokens"});
  report::Table table(columns);
  for (const Matrix& m : worst_matrices(r)) {
    std::vector<std::string> cells = {std::to_string(m.layer), std::to_string(m.expert), kProjections[m.projection],
                                      figure(m.error)};
    if (calibrated(r)) cells.push_back(count(m.tokens));
    table.row(cells);
  }
  return table.html();
}

std::vector<std::string> layer_names(const QuantizeResult& r) {
  std::vector<std::string> names;
  for (const auto& layer : r.layers) names.push_back(std::to_string(layer.layer));
  return names;
}

std::string error_lines(const QuantizeResult& r) {
  report::LineChart chart{"layer", "relative error", {}, layer_names(r)};
  for (std::size_t p = 0; p < 3; ++p) {
    report::Series series{kProjections[p], {}};
    for (const auto& layer : r.layers) series.values.push_back(relative_error(layer, p));
    chart.series.push_back(std::move(series));
  }
  return chart.html();
}

// The largest |input| of each of a layer's experts with tokens, ascending.
std::vector<double> inputs_of(const LayerResult& layer, bool down) {
  std::vector<double> inputs;
  for (const auto& expert : layer.experts) {
    const auto amax = static_cast<double>(down ? expert.activity.down_amax : expert.activity.gate_up_amax);
    if (expert.activity.tokens > 0 && std::isfinite(amax)) inputs.push_back(amax);
  }
  std::sort(inputs.begin(), inputs.end());
  return inputs;
}

std::string amax_lines(const QuantizeResult& r) {
  report::LineChart chart{"layer", "largest |input|", {}, layer_names(r), true};
  for (const bool down : {false, true}) {
    const std::string name = down ? "down" : "gate and up";
    report::Series largest{name, {}}, median{name + ", median expert", {}};
    median.dashed = true;
    for (const auto& layer : r.layers) {
      const std::vector<double> inputs = inputs_of(layer, down);
      largest.values.push_back(inputs.empty() ? std::nan("") : inputs.back());
      median.values.push_back(inputs.empty() ? std::nan("") : inputs[inputs.size() / 2]);
    }
    chart.series.push_back(std::move(largest));
    chart.series.push_back(std::move(median));
  }
  return chart.html();
}

std::string coverage(const QuantizeResult& r) {
  report::HeatMap map{"layer", "expert", "tokens", "no token", layer_names(r), {}};
  for (const auto& layer : r.layers) {
    auto& row = map.values.emplace_back();
    for (const auto& expert : layer.experts) row.push_back(expert.activity.tokens);
  }
  return map.html();
}

void add_charts(report::Page& page, const QuantizeResult& r) {
  page.section(
      "Error of the weights, layer by layer",
      "‖W − Ŵ‖ / ‖W‖ over all experts of a layer. NVFP4 costs 0.08 to 0.1 nearly everywhere; a layer that stands "
      "out has weights that 4 bits suit badly.",
      error_lines(r), calibrated(r) ? Width::kHalf : Width::kFull);
  if (calibrated(r)) {
    page.section("Inputs seen in calibration, layer by layer",
                 "The largest |input| of any expert, which sets the layer's input_scale, and that of the median "
                 "expert. Where the two "
                 "lie far apart, one expert's outliers coarsen the 4-bit activations of all.",
                 amax_lines(r), Width::kHalf);
    page.section(
        "Which experts the calibration reached",
        "Calibration tokens routed to each expert. Experts without tokens take their layer's input_scale; many "
        "of them mean that the data are too few or too uniform.",
        coverage(r), Width::kFull);
  }
}

std::string origin(const QuantizeResult& r) {
  report::Table table({{"", Column::Kind::kText}, {"", Column::Kind::kPath}});
  table.row({"source", r.source});
  table.row({"result", r.destination + (r.already_complete ? " (was complete already)" : "")});
  table.row({"recipe", r.recipe});
  table.row({"algorithm", r.algorithm});
  table.row({"tensors", fmt::format("{}, {} of them quantized", grouped(r.tensors), grouped(r.quantized_tensors))});
  table.row({"calibration", calibrated(r) ? fmt::format("{} tokens in {} sequences; {} non-finite rows dropped",
                                                        count(r.calibration_tokens), count(r.calibration_sequences),
                                                        count(r.nonfinite_rows()))
                                          : "none"});
  table.row({"time", format_seconds(r.seconds)});
  table.row({"peak memory", format_bytes(r.peak_rss_bytes)});
  return table.html();
}

}  // namespace

std::string to_html(const QuantizeResult& r) {
  report::Page page("Quantized to NVFP4", r.source + " → " + r.destination);
  add_cards(page, r);
  page.warnings(r.warnings);
  if (!r.layers.empty()) {
    add_charts(page, r);
    page.section(
        "Largest errors",
        "The matrices that lost most. Values within a few percent of each other are how a healthy model looks; "
        "a matrix far above the rest deserves a look at its weights (outliers, or nearly all zeros).",
        worst_table(r), Width::kHalf);
  }
  page.section("How it was made", "", origin(r), r.layers.empty() ? Width::kFull : Width::kHalf);
  return page.html();
}

}  // namespace tetrad
