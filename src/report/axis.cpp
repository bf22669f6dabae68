#include "report/axis.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "report/page.h"

namespace tetrad::report {

std::vector<double> round_ticks(double largest, int count) {
  const double rough = largest / count;
  const double power = std::pow(10.0, std::floor(std::log10(rough)));
  double step = 10 * power;
  for (const double factor : {1.0, 2.0, 5.0})
    if (factor * power >= rough) {
      step = factor * power;
      break;
    }
  std::vector<double> ticks;
  for (int i = 0; ticks.empty() || ticks.back() < largest * (1 - 1e-9); ++i) ticks.push_back(step * i);
  if (ticks.size() == 1) ticks.push_back(step);
  return ticks;
}

std::string tick_text(double value) { return fmt::format("{:.4g}", value); }

std::string power_text(int exponent) {
  static constexpr const char* kDigits[] = {"⁰", "¹", "²", "³", "⁴", "⁵", "⁶", "⁷", "⁸", "⁹"};
  std::string text = "10";
  if (exponent < 0) text += "⁻";
  for (const char digit : std::to_string(std::abs(exponent))) text += kDigits[digit - '0'];
  return text;
}

std::string value_text(double value) { return fmt::format("{:.4g}", value); }

double largest_finite(const std::vector<Series>& series, bool with_errors) {
  double largest = 0;
  for (const Series& s : series)
    for (std::size_t i = 0; i < s.values.size(); ++i) {
      const double value = s.values[i] + (with_errors && i < s.errors.size() ? s.errors[i] : 0.0);
      if (std::isfinite(value)) largest = std::max(largest, value);
    }
  return largest;
}

std::string key(const std::vector<Series>& series) {
  if (series.size() < 2 && (series.empty() || series[0].name.empty())) return {};
  std::string text = "<div class=\"key\">";
  for (std::size_t s = 0; s < series.size(); ++s)
    text += fmt::format("<span><i style=\"background:var(--s{})\"></i>{}</span>", s % kColours, escape(series[s].name));
  return text + "</div>\n";
}

std::string text_at(double x, double y, std::string_view anchor, std::string_view text, std::string_view more) {
  return fmt::format("<text class=\"label\" x=\"{:.1f}\" y=\"{:.1f}\" text-anchor=\"{}\"{}>{}</text>\n", x, y, anchor,
                     more, escape(text));
}

std::string axis_line(double x0, double y0, double x1, double y1) {
  return fmt::format("<path class=\"axis\" d=\"M{:.1f} {:.1f}L{:.1f} {:.1f}\"/>\n", x0, y0, x1, y1);
}

std::string svg(double width, double height, std::string_view label, std::string_view body) {
  return fmt::format("<svg viewBox=\"0 0 {:.0f} {:.0f}\" role=\"img\" aria-label=\"{}\">\n{}</svg>\n", width, height,
                     escape(label), body);
}

std::string empty_chart() { return "<p class=\"subtitle\">Nothing to show.</p>\n"; }

}  // namespace tetrad::report
