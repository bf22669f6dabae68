#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "report/axis.h"

namespace tetrad::report {
namespace {

constexpr double kLeft = 58, kRight = kWidth - 12, kTop = 24, kBottom = 250, kHeight = 292;

// Every how many indices a label stands, so that at most ten do.
std::size_t label_step(std::size_t count) {
  for (std::size_t power = 1;; power *= 10)
    for (const std::size_t factor : {1U, 2U, 5U})
      if (count <= 10 * factor * power) return factor * power;
}

}  // namespace

std::string LineChart::html() const {
  std::size_t count = 0;
  for (const Series& s : series) count = std::max(count, s.values.size());
  if (count == 0) return empty_chart();
  const double largest = largest_finite(series, false);
  const std::vector<double> ticks = round_ticks(largest > 0 ? largest : 1, 5);
  const auto x_of = [&](std::size_t i) {
    return count == 1 ? (kLeft + kRight) / 2
                      : kLeft + 8 + (kRight - kLeft - 16) * static_cast<double>(i) / static_cast<double>(count - 1);
  };
  const auto y_of = [&](double v) { return kBottom - (kBottom - kTop) * v / ticks.back(); };

  std::string body;
  for (const double tick : ticks)
    body +=
        axis_line(kLeft, y_of(tick), kRight, y_of(tick)) + text_at(kLeft - 6, y_of(tick) + 4, "end", tick_text(tick));
  for (std::size_t i = 0; i < count; i += label_step(count))
    body += text_at(x_of(i), kBottom + 17, "middle", std::to_string(i));
  body += text_at((kLeft + kRight) / 2, kHeight - 6, "middle", x_title);
  body += text_at(2, 12, "start", y_title);
  for (std::size_t s = 0; s < series.size(); ++s) {
    std::string path, marks;
    bool pen_down = false;
    for (std::size_t i = 0; i < series[s].values.size(); ++i) {
      const double value = series[s].values[i];
      if (!std::isfinite(value)) {
        pen_down = false;
        continue;
      }
      path += fmt::format("{}{:.1f} {:.1f}", pen_down ? "L" : "M", x_of(i), y_of(value));
      pen_down = true;
      marks += fmt::format("<circle cx=\"{:.1f}\" cy=\"{:.1f}\" r=\"{}\"><title>{}: {}</title></circle>\n", x_of(i),
                           y_of(value), count > 24 ? "2" : "3", i, value_text(value));
    }
    body += fmt::format("<path class=\"line\" stroke=\"var(--s{0})\" d=\"{1}\"/>\n<g fill=\"var(--s{0})\">{2}</g>\n",
                        s % kColours, path, marks);
  }
  return key(series) + svg(kWidth, kHeight, y_title, body);
}

}  // namespace tetrad::report
