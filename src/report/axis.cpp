#include "report/axis.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>

#include "report/figures.h"
#include "report/page.h"

namespace tetrad::report {
namespace {

constexpr int kMaxAxisDecades = 15;
constexpr double kTiny = 1e-290, kHuge = 1e290;  // beyond these steps and powers of ten leave double's range

// Trailing zeros carry nothing on an axis: "0.5", not "0.5000".
std::string tick_text(double value) {
  const std::string text = fmt::format("{:.4g}", value);
  return text.find('e') == std::string::npos ? text : figure(value, 2);
}

}  // namespace

Scale Scale::from_zero(double largest, int ticks) {
  Scale scale;
  const double end = std::isfinite(largest) && largest > kTiny ? std::min(largest, kHuge) : 1;
  const double rough = end / ticks;
  const double power = std::pow(10.0, std::floor(std::log10(rough)));
  double step = 10 * power;
  for (const double factor : {5.0, 2.0, 1.0})
    if (factor * power >= rough * (1 - 1e-9)) step = factor * power;
  const int count = std::max(1, static_cast<int>(std::ceil(end / step - 1e-9)));
  scale.high_ = step * count;
  for (int i = 0; i <= count; ++i) scale.add_tick(step * i, tick_text(step * i));
  return scale;
}

Scale Scale::logarithmic(double smallest, double largest) {
  Scale scale;
  scale.log_ = true;
  const double low = std::log10(std::clamp(smallest, kTiny, kHuge)),
               high = std::log10(std::clamp(largest, kTiny, kHuge));
  const int last = std::max(static_cast<int>(std::ceil(high - 1e-9)), static_cast<int>(std::floor(low)) + 1);
  const int first = std::max(static_cast<int>(std::floor(low + 1e-9)), last - kMaxAxisDecades);
  scale.low_ = first;
  scale.high_ = last;
  const int every = (last - first + 7) / 8;
  for (int e = first; e <= last; e += every) scale.add_tick(std::pow(10.0, e), power_of_ten(e));
  if (last - first <= 2)
    for (int e = first; e < last; ++e)
      for (const double factor : {2.0, 5.0})
        scale.add_tick(factor * std::pow(10.0, e), tick_text(factor * std::pow(10.0, e)));
  return scale;
}

Scale Scale::over(const std::vector<Series>& series, bool log) {
  double smallest = 0, largest = 0;
  for (const Series& s : series)
    for (std::size_t i = 0; i < s.values.size(); ++i) {
      if (!std::isfinite(s.values[i]) || s.values[i] <= 0) continue;
      const double error = i < s.errors.size() && std::isfinite(s.errors[i]) ? s.errors[i] : 0;
      smallest = smallest == 0 ? s.values[i] : std::min(smallest, s.values[i]);
      largest = std::max(largest, std::min(s.values[i] + error, kHuge));
    }
  if (!log) return from_zero(largest, 5);
  return largest > 0 ? logarithmic(smallest, largest) : logarithmic(0.1, 1);
}

double Scale::place(double value) const {
  if (log_ && value <= 0) return 0;
  return std::clamp(((log_ ? std::log10(value) : value) - low_) / (high_ - low_), 0.0, 1.0);
}

bool Scale::shows(double value) const { return std::isfinite(value) && (!log_ || value > 0); }

void Scale::add_tick(double value, std::string text) { ticks_.push_back({place(value), std::move(text)}); }

std::size_t colour(const std::vector<Series>& series, std::size_t index) {
  std::size_t number = 0;
  for (std::size_t s = 1; s <= index; ++s) number += !series[s].dashed;
  return number % kMaxSeries;
}

std::string key(const std::vector<Series>& series) {
  if (series.empty() || (series.size() == 1 && series[0].name.empty())) return {};
  std::string text = "<div class=\"key\">";
  for (std::size_t s = 0; s < series.size(); ++s)
    text += fmt::format("<span><i class=\"k{}{}\"></i>{}</span>", colour(series, s), series[s].dashed ? " dash" : "",
                        escape(series[s].name));
  return text + "</div>\n";
}

std::vector<std::size_t> labelled(const std::vector<std::string>& names, std::size_t step) {
  std::vector<std::size_t> every, round;
  for (std::size_t i = 0; i < names.size(); ++i) {
    if (i % step == 0) every.push_back(i);
    std::size_t number = 0;
    const auto [end, status] = std::from_chars(names[i].data(), names[i].data() + names[i].size(), number);
    if (status == std::errc() && end == names[i].data() + names[i].size() && number % step == 0) round.push_back(i);
  }
  return round.size() > names.size() / (step + 1) / 2 && round.size() <= every.size() + 1 ? round : every;
}

std::string text_at(double x, double y, std::string_view anchor, std::string_view text, std::string_view more) {
  return fmt::format("<text class=\"label\" x=\"{:.1f}\" y=\"{:.1f}\" text-anchor=\"{}\"{}>{}</text>\n", x, y, anchor,
                     more, escape(text));
}

std::string axis_line(double x0, double y0, double x1, double y1) {
  return fmt::format("<path class=\"axis\" d=\"M{:.1f} {:.1f}L{:.1f} {:.1f}\"/>\n", x0, y0, x1, y1);
}

std::string hit(double x, double y, double width, double height, std::string_view title) {
  return fmt::format(
      "<rect class=\"hit\" x=\"{:.1f}\" y=\"{:.1f}\" width=\"{:.1f}\" height=\"{:.1f}\"><title>{}</title></rect>\n", x,
      y, width, height, escape(title));
}

std::string svg(double width, double height, std::string_view label, std::string_view body) {
  return fmt::format("<svg viewBox=\"0 0 {:.0f} {:.0f}\" role=\"img\" aria-label=\"{}\">\n{}</svg>\n", width, height,
                     escape(label), body);
}

std::string empty_chart() { return "<p class=\"subtitle\">Nothing to show.</p>\n"; }

std::string Frame::draw(const Scale& scale, std::string_view x_title, std::string_view y_title) const {
  std::string body;
  for (const Tick& tick : scale.ticks())
    body +=
        axis_line(left, y(tick.place), right, y(tick.place)) + text_at(left - 6, y(tick.place) + 4, "end", tick.text);
  return body + text_at((left + right) / 2, height - 6, "middle", x_title) + text_at(2, 13, "start", y_title);
}

}  // namespace tetrad::report
