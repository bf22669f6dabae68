// The page of `tetrad eval --html`.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <set>
#include <utility>

#include "base/units.h"
#include "eval/evaluate.h"
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
using report::with_error;

constexpr std::size_t kMaxBars = 96;  // in the chart of categories; the table has them all
constexpr std::size_t kMaxRows = 40;  // of a table that is open from the start
constexpr std::size_t kMaxCards = 4;  // candidates with cards of their own; the table has them all

std::string count(std::int64_t number) {
  return grouped(static_cast<std::uint64_t>(std::max<std::int64_t>(0, number)));
}

// The last `parts` components of a path.
std::string tail(const std::string& path, std::size_t parts) {
  const std::size_t end = path.find_last_not_of('/');
  if (end == std::string::npos) return path;
  std::size_t begin = end + 1;
  for (; parts > 0 && begin > 0; --parts) {
    begin = path.rfind('/', begin - (begin > end ? 1 : 2));
    if (begin == std::string::npos) return path.substr(0, end + 1);
    ++begin;
  }
  return path.substr(begin, end + 1 - begin);
}

// What charts call the candidates: as little of the end of each path as tells them apart, at most three components.
std::vector<std::string> short_names(const std::vector<CandidateResult>& candidates) {
  std::vector<std::string> names;
  for (std::size_t parts = 1; parts <= 3; ++parts) {
    names.clear();
    for (const auto& c : candidates) names.push_back(tail(c.path, parts));
    if (std::set<std::string>(names.begin(), names.end()).size() == names.size()) return names;
  }
  for (std::size_t i = 0; i < names.size(); ++i) names[i] = fmt::format("{}. {}", i + 1, tail(candidates[i].path, 1));
  return names;
}

void add_cards(report::Page& page, const EvalResult& r, const std::vector<std::string>& names) {
  page.cards({{"positions", count(r.positions),
               fmt::format("{} windows of up to {} tokens", count(r.windows), count(r.context))},
              {"perplexity of the reference", figure(r.reference_perplexity), tail(r.reference, 1)},
              {"activations", r.activations, "of the candidates; the reference's are not quantized"}});
  for (std::size_t i = 0; i < std::min(kMaxCards, r.candidates.size()); ++i) {
    const CandidateResult& c = r.candidates[i];
    page.cards({{"KL divergence, mean", with_error(c.kld.mean, c.kld.standard_error),
                 r.windows > 1 ? "nats a token, ± standard error" : "nats a token; one window: no standard error"},
                {"perplexity", figure(r.reference_perplexity) + " → " + figure(c.perplexity),
                 report::change(r.reference_perplexity, c.perplexity)},
                {"same top-1 token", percent(c.top1_agreement), "of all positions"},
                {"99th percentile", figure(c.kld.p99), "KL divergence, nats"}},
               names[i]);
  }
}

std::vector<std::string> warnings_of(const EvalResult& r, const std::vector<std::string>& names) {
  std::vector<std::string> lines;
  if (r.positions == 0) lines.push_back("No position was compared: the figures below mean nothing.");
  if (r.truncated)
    lines.push_back("The data were cut at --max-tokens: later conversations and categories may be missing.");
  for (std::size_t i = 0; i < r.candidates.size(); ++i)
    if (r.candidates[i].nonfinite > 0)
      lines.push_back(fmt::format("{}: {} positions have a NaN or infinite logit; they are left out of every mean.",
                                  names[i], count(r.candidates[i].nonfinite)));
  return lines;
}

std::string comparison(const EvalResult& r) {
  report::Table table({{"model", Column::Kind::kPath},
                       {"KLD, mean ± s.e."},
                       {"perplexity"},
                       {"same top-1"},
                       {"median"},
                       {"p95"},
                       {"p99"},
                       {"p99.9"},
                       {"max"},
                       {"not finite"}});
  table.row({r.reference + " (reference)", "", figure(r.reference_perplexity), "", "", "", "", "", "", ""});
  for (const auto& c : r.candidates)
    table.row({c.path, with_error(c.kld.mean, c.kld.standard_error), figure(c.perplexity), percent(c.top1_agreement),
               figure(c.kld.median, 3), figure(c.kld.p95, 3), figure(c.kld.p99, 3), figure(c.kld.p999, 3),
               figure(c.kld.max, 3), count(c.nonfinite)});
  return table.html();
}

// Categories by name: candidates need not have the same ones in the same order.
const CategoryResult* find_category(const CandidateResult& c, const std::string& name) {
  for (const auto& category : c.categories)
    if (category.name == name) return &category;
  return nullptr;
}

std::vector<std::string> category_names(const EvalResult& r) {
  std::vector<std::string> names;
  for (const auto& c : r.candidates)
    for (const auto& category : c.categories)
      if (std::find(names.begin(), names.end(), category.name) == names.end()) names.push_back(category.name);
  return names;
}

std::string category_table(const EvalResult& r, const std::vector<std::string>& names) {
  report::Table table({{"category", Column::Kind::kPath},
                       {"candidate", Column::Kind::kPath},
                       {"positions"},
                       {"KLD, mean ± s.e."},
                       {"same top-1"},
                       {"perplexity"}});
  for (const std::string& name : category_names(r)) {
    std::string shown = name;
    for (std::size_t i = 0; i < r.candidates.size(); ++i) {
      const CategoryResult* category = find_category(r.candidates[i], name);
      if (category == nullptr) continue;
      table.row({shown, names[i], count(category->positions),
                 with_error(category->kld_mean, category->kld_standard_error), percent(category->top1_agreement),
                 figure(category->perplexity)});
      shown.clear();
    }
  }
  return table.html();
}

// What charts show of the candidates: as many as there are colours.
std::size_t charted(const EvalResult& r) { return std::min(r.candidates.size(), report::kMaxSeries); }

std::string histogram(const EvalResult& r, const std::vector<std::string>& names) {
  report::LogHistogram chart{"KL divergence at a position, nats", "% of positions", 1e-9, {}};
  for (std::size_t i = 0; i < charted(r); ++i) {
    chart.series.push_back({names[i], r.candidates[i].position_kld});
    chart.series.back().mark = r.candidates[i].kld.mean;
  }
  return chart.html();
}

std::string tails(const EvalResult& r, const std::vector<std::string>& names) {
  report::LineChart chart{"share of positions below", "KL divergence, nats", {}};
  chart.x_names = {"50 %", "95 %", "99 %", "99.9 %", "all"};
  chart.log_y = true;
  for (std::size_t i = 0; i < charted(r); ++i) {
    const KldSummary& k = r.candidates[i].kld;
    chart.series.push_back({names[i], {k.median, k.p95, k.p99, k.p999, k.max}});
  }
  return chart.html();
}

// As many categories as make a chart that can be taken in.
std::size_t max_categories(const EvalResult& r) { return std::clamp<std::size_t>(kMaxBars / charted(r), 8, 32); }

// All categories in their order; of too many, those with the largest divergence of any candidate, largest first.
std::vector<std::string> charted_categories(const EvalResult& r) {
  std::vector<std::string> all = category_names(r);
  if (all.size() <= max_categories(r)) return all;
  std::vector<std::pair<double, std::string>> ranked;
  for (const std::string& name : all) {
    double most = 0;
    for (const auto& c : r.candidates)
      if (const CategoryResult* category = find_category(c, name); category != nullptr && category->kld_mean > most)
        most = category->kld_mean;
    ranked.emplace_back(most, name);
  }
  std::stable_sort(ranked.begin(), ranked.end(), [](const auto& a, const auto& b) { return a.first > b.first; });
  all.clear();
  for (std::size_t i = 0; i < max_categories(r); ++i) all.push_back(ranked[i].second);
  return all;
}

std::string category_bars(const EvalResult& r, const std::vector<std::string>& names) {
  report::BarChart chart{"mean KL divergence, nats a token", charted_categories(r), {}};
  for (std::size_t i = 0; i < charted(r); ++i) {
    report::Series series{names[i], {}};
    for (const auto& name : chart.groups) {
      const CategoryResult* category = find_category(r.candidates[i], name);
      series.values.push_back(category == nullptr ? std::nan("") : category->kld_mean);
      series.errors.push_back(category == nullptr ? 0 : category->kld_standard_error);
    }
    chart.series.push_back(std::move(series));
  }
  return chart.html();
}

std::string hidden_error(const EvalResult& r, const std::vector<std::string>& names) {
  report::LineChart chart{"layer", "relative error", {}};
  for (std::size_t i = 0; i < charted(r); ++i)
    chart.series.push_back({names[i], r.candidates[i].hidden_relative_error});
  return chart.html();
}

std::string coverage(const EvalResult& r) {
  report::HeatMap map{"layer", "expert", "tokens", "no token", {}, {}};
  for (const auto& layer : r.coverage) {
    if (layer.experts.empty()) continue;  // a dense layer
    map.row_names.push_back(std::to_string(layer.layer));
    auto& row = map.values.emplace_back();
    for (const auto& expert : layer.experts) row.push_back(expert.tokens);
  }
  return map.html();
}

void add_charts(report::Page& page, const EvalResult& r, const std::vector<std::string>& names) {
  const std::string first =
      charted(r) < r.candidates.size() ? fmt::format(" Charts show the first {} candidates.", charted(r)) : "";
  page.section("Where the divergence lies",
               "How positions spread over KL divergence, on a logarithmic axis; the dashed line is the mean. One hump "
               "far to the left is good. A second hump, or mass right of 0.1, are tokens that come out differently." +
                   first,
               histogram(r, names), Width::kHalf);
  page.section(
      "Tail",
      "Half, 95 %, … of all positions lie below the value shown. A line that climbs steeply at the right means "
      "few but bad positions; one that lies higher throughout, a loss everywhere.",
      tails(r, names), Width::kHalf);
  const std::size_t categories = category_names(r).size();
  if (categories > 0)
    page.section(
        categories <= max_categories(r) ? "By category" : fmt::format("By category: the {} largest", max_categories(r)),
        "Mean KL divergence with its standard error (windows as samples). Bars whose error bars overlap hardly "
        "differ; a category far above the others is one that the calibration data may lack.",
        category_bars(r, names), Width::kHalf);
  page.section(
      "Error of the hidden states, layer by layer",
      "‖h − ĥ‖ / ‖h‖ of the hidden states after each layer. A slow rise is normal, since errors add up; a jump "
      "names the layer that quantization hurts.",
      hidden_error(r, names), Width::kHalf);
  if (categories > 0) {
    const std::size_t rows = categories * r.candidates.size();
    const std::string table = category_table(r, names);
    page.section("Categories in figures", "",
                 rows <= kMaxRows ? table : report::folded(fmt::format("{} categories", categories), table),
                 Width::kFull);
  }
}

std::string origin(const EvalResult& r) {
  report::Table table({{"", Column::Kind::kText}, {"", Column::Kind::kPath}});
  if (!r.command_line.empty()) table.row({"command", r.command_line});
  table.row({"reference", r.reference});
  for (const auto& c : r.candidates) table.row({"candidate", c.path});
  for (const auto& path : r.data) table.row({"data", path});
  table.row({"context, stride", fmt::format("{}, {} tokens", count(r.context), count(r.stride))});
  table.row({"activations", r.activations});
  table.row({"dense weights", r.dense_weights});
  table.row({"inputs of NVFP4 experts", r.expert_inputs});
  table.row({"time", format_seconds(r.seconds)});
  table.row({"peak memory", format_bytes(r.peak_rss_bytes)});
  return table.html();
}

}  // namespace

std::string to_html(const EvalResult& r) {
  const std::vector<std::string> names = short_names(r.candidates);
  report::Page page("What quantization changed", "Compared with " + r.reference);
  add_cards(page, r, names);
  page.warnings(warnings_of(r, names));
  page.section(
      "Comparison",
      "KL divergence (KLD) in nats a token between the reference's next-token distribution and the candidate's, "
      "over the whole vocabulary: 0 is identical. A tail (p99.9, max) far above the mean means rare tokens that "
      "come out quite differently.",
      comparison(r), Width::kFull);
  if (!r.candidates.empty()) add_charts(page, r, names);
  if (std::any_of(r.coverage.begin(), r.coverage.end(), [](const auto& layer) { return !layer.experts.empty(); }))
    page.section("Which experts the data reach",
                 "Tokens that the reference routed to each expert. The figures above say nothing of experts without "
                 "tokens; many of them mean that the data are too few or too uniform.",
                 coverage(r), Width::kFull);
  page.section("How it was made", "", origin(r), Width::kFull);
  return page.html();
}

}  // namespace tetrad
