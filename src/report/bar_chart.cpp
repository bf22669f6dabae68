#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "base/utf8.h"
#include "report/axis.h"
#include "report/figures.h"
#include "report/page.h"

namespace tetrad::report {
namespace {

constexpr double kLeft = 142, kRight = kWidth - 26, kTop = 4, kBar = 14, kGap = 12;
constexpr std::size_t kNameLength = 16;  // characters that fit left of the axis

std::string shortened(const std::string& name) {
  std::size_t offset = 0, count = 0;
  const std::string text = utf8_lossy(name);
  while (offset < text.size() && count < kNameLength - 1) {
    utf8_next(text, offset);
    ++count;
  }
  return utf8_count(text) <= kNameLength ? text : text.substr(0, offset) + "…";
}

double x_of(const Scale& scale, double value) { return kLeft + (kRight - kLeft) * scale.place(value); }

std::string bar(const Scale& scale, const Series& series, std::size_t s, const std::string& group, std::size_t g,
                double y) {
  if (g >= series.values.size()) return {};
  const double value = series.values[g];
  const double error = g < series.errors.size() && std::isfinite(series.errors[g]) ? series.errors[g] : 0;
  if (!std::isfinite(value)) return text_at(kLeft + 5, y + kBar / 2 + 3, "start", figure(value));
  std::string body =
      fmt::format("<rect class=\"bar f{}\" x=\"{:.1f}\" y=\"{:.1f}\" width=\"{:.1f}\" height=\"{:.1f}\"/>\n", s, kLeft,
                  y, std::max(0.6, x_of(scale, value) - kLeft), kBar - 2);
  if (error > 0)
    body += fmt::format("<path class=\"error\" d=\"M{0:.1f} {2:.1f}H{1:.1f}M{0:.1f} {3:.1f}v6M{1:.1f} {3:.1f}v6\"/>\n",
                        x_of(scale, value - error), x_of(scale, value + error), y + kBar / 2 - 1, y + kBar / 2 - 4);
  const std::string title = group + "\n" + series.name + (series.name.empty() ? "" : ": ") + with_error(value, error);
  return body + hit(kLeft, y, kRight - kLeft, kBar, title);
}

}  // namespace

std::string BarChart::html() const {
  if (groups.empty() || series.empty()) return empty_chart();
  const Scale scale = Scale::over(series, false);
  const std::size_t shown = std::min(series.size(), kMaxSeries);
  const double group_height = kBar * static_cast<double>(shown) + kGap;
  const double bottom = kTop + group_height * static_cast<double>(groups.size());

  std::string body;
  for (const Tick& tick : scale.ticks()) {
    const double x = kLeft + (kRight - kLeft) * tick.place;
    body += axis_line(x, kTop, x, bottom) + text_at(x, bottom + 18, "middle", tick.text);
  }
  body += text_at((kLeft + kRight) / 2, bottom + 42, "middle", x_title);
  for (std::size_t g = 0; g < groups.size(); ++g) {
    const double top = kTop + kGap / 2 + group_height * static_cast<double>(g);
    body +=
        fmt::format("<text x=\"{:.1f}\" y=\"{:.1f}\" text-anchor=\"end\">{}<title>{}</title></text>\n", kLeft - 8,
                    top + kBar * static_cast<double>(shown) / 2 + 3, escape(shortened(groups[g])), escape(groups[g]));
    for (std::size_t s = 0; s < shown; ++s)
      body += bar(scale, series[s], s, groups[g], g, top + kBar * static_cast<double>(s));
  }
  return key(series) + svg(kWidth, bottom + 48, x_title, body);
}

}  // namespace tetrad::report
