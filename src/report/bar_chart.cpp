#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "base/utf8.h"
#include "report/axis.h"
#include "report/page.h"

namespace tetrad::report {
namespace {

constexpr double kLeft = 118, kRight = kWidth - 16, kTop = 4, kBar = 13, kGap = 12;
constexpr std::size_t kNameLength = 17;  // characters that fit left of the axis

std::string shortened(const std::string& name) {
  std::size_t offset = 0, count = 0;
  const std::string text = utf8_lossy(name);
  while (offset < text.size() && count < kNameLength - 1) {
    utf8_next(text, offset);
    ++count;
  }
  return utf8_count(text) <= kNameLength ? text : text.substr(0, offset) + "…";
}

std::string error_bar(double low, double high, double y) {
  return fmt::format("<path class=\"error\" d=\"M{0:.1f} {2:.1f}H{1:.1f}M{0:.1f} {3:.1f}v6M{1:.1f} {3:.1f}v6\"/>\n",
                     low, high, y, y - 3);
}

}  // namespace

std::string BarChart::html() const {
  if (groups.empty() || series.empty()) return empty_chart();
  const double largest = largest_finite(series, true);
  const std::vector<double> ticks = round_ticks(largest > 0 ? largest : 1, 4);
  const auto x_of = [&](double v) { return kLeft + (kRight - kLeft) * std::clamp(v / ticks.back(), 0.0, 1.0); };
  const double group_height = kBar * static_cast<double>(series.size()) + kGap;
  const double bottom = kTop + group_height * static_cast<double>(groups.size());

  std::string body;
  for (const double tick : ticks)
    body +=
        axis_line(x_of(tick), kTop, x_of(tick), bottom) + text_at(x_of(tick), bottom + 16, "middle", tick_text(tick));
  body += text_at((kLeft + kRight) / 2, bottom + 36, "middle", x_title);
  for (std::size_t g = 0; g < groups.size(); ++g) {
    const double top = kTop + kGap / 2 + group_height * static_cast<double>(g);
    body += fmt::format("<text x=\"{:.1f}\" y=\"{:.1f}\" text-anchor=\"end\">{}<title>{}</title></text>\n", kLeft - 8,
                        top + kBar * static_cast<double>(series.size()) / 2 + 4, escape(shortened(groups[g])),
                        escape(groups[g]));
    for (std::size_t s = 0; s < series.size(); ++s) {
      const double value = g < series[s].values.size() ? series[s].values[g] : std::nan("");
      if (!std::isfinite(value)) continue;
      const double y = top + kBar * static_cast<double>(s);
      const double error = g < series[s].errors.size() ? series[s].errors[g] : 0;
      const std::string spread = error > 0 ? " ± " + value_text(error) : "";
      body += fmt::format(
          "<rect x=\"{:.1f}\" y=\"{:.1f}\" width=\"{:.1f}\" height=\"{:.1f}\" fill=\"var(--s{})\"><title>{}: "
          "{}{}</title></rect>\n",
          kLeft, y, x_of(value) - kLeft, kBar - 2, s % kColours, escape(groups[g]), value_text(value), spread);
      if (error > 0) body += error_bar(x_of(value - error), x_of(value + error), y + kBar / 2 - 1);
    }
  }
  return key(series) + svg(kWidth, bottom + 44, x_title, body);
}

}  // namespace tetrad::report
