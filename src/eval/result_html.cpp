// The page of `tetrad eval --html`.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <set>

#include "base/units.h"
#include "eval/evaluate.h"
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
                       {"perplexity"},
                       {"KLD, mean ± s.e."},
                       {"median"},
                       {"p95"},
                       {"p99"},
                       {"p99.9"},
                       {"max"},
                       {"same top-1"},
                       {"not finite"}});
  table.row({r.reference + " (reference)", figure(r.reference_perplexity), "", "", "", "", "", "", "", ""});
  for (const auto& c : r.candidates)
    table.row({c.path, figure(c.perplexity), with_error(c.kld.mean, c.kld.standard_error), figure(c.kld.median, 3),
               figure(c.kld.p95, 3), figure(c.kld.p99, 3), figure(c.kld.p999, 3), figure(c.kld.max, 3),
               percent(c.top1_agreement), count(c.nonfinite)});
  return table.html();
}

std::string category_table(const EvalResult& r, const std::vector<std::string>& names) {
  report::Table table({{"category", Column::Kind::kPath},
                       {"candidate", Column::Kind::kPath},
                       {"positions"},
                       {"KLD, mean ± s.e."},
                       {"same top-1"},
                       {"perplexity"}});
  for (std::size_t k = 0; k < r.candidates[0].categories.size(); ++k)
    for (std::size_t i = 0; i < r.candidates.size(); ++i) {
      if (k >= r.candidates[i].categories.size()) continue;
      const CategoryResult& category = r.candidates[i].categories[k];
      table.row({i == 0 ? category.name : "", names[i], count(category.positions),
                 with_error(category.kld_mean, category.kld_standard_error), percent(category.top1_agreement),
                 figure(category.perplexity)});
    }
  return table.html();
}

std::string origin(const EvalResult& r) {
  report::Table table({{"", Column::Kind::kText}, {"", Column::Kind::kPath}});
  if (!r.command_line.empty()) table.row({"command", r.command_line});
  table.row({"reference", r.reference});
  for (const auto& c : r.candidates) table.row({"candidate", c.path});
  for (const auto& path : r.data) table.row({"data", path});
  table.row({"context, stride", fmt::format("{}, {} tokens", count(r.context), count(r.stride))});
  table.row({"activations", r.activations});
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
      "KL divergence (KLD) in nats a token between the reference's next-token distribution and the candidate's, over "
      "the "
      "whole vocabulary: 0 is identical. A tail (p99.9, max) far above the mean means rare tokens that come out quite "
      "differently.",
      comparison(r), Width::kFull);
  if (!r.candidates.empty() && !r.candidates[0].categories.empty())
    page.section("Categories in figures", "", category_table(r, names), Width::kFull);
  page.section("How it was made", "", origin(r), Width::kFull);
  return page.html();
}

}  // namespace tetrad
