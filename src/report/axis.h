// What the charts share: scales, ticks, labels, the key. Used inside this folder.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "report/chart.h"

namespace tetrad::report {

// Of a chart's own coordinates: about CSS pixels on a desk, 0.7 of them on a phone, where the style makes text larger.
inline constexpr double kWidth = 520;

struct Tick {
  double place;  // 0 .. 1 along the axis
  std::string text;
};

// Values to places on an axis.
class Scale {
 public:
  static Scale from_zero(double largest, int ticks);               // to a round number
  static Scale logarithmic(double smallest, double largest);       // both > 0; at most 15 decades
  static Scale over(const std::vector<Series>& series, bool log);  // of the values (and errors) that can be shown
  double place(double value) const;                                // 0 .. 1, clamped
  bool shows(double value) const;                                  // finite, and positive where it must be
  const std::vector<Tick>& ticks() const { return ticks_; }

 private:
  void add_tick(double value, std::string text);

  double low_ = 0, high_ = 1;  // log10 of the ends for a logarithmic scale
  bool log_ = false;
  std::vector<Tick> ticks_;
};

std::string key(const std::vector<Series>& series);  // colours and names; nothing for one series without a name
std::size_t colour(const std::vector<Series>& series, std::size_t index);
// Which of these names get a label when every step-th can: those that are multiples of it, so that 10, 20, 30 stand
// rather than 1, 11, 21; every step-th name where they aren't numbers.
std::vector<std::size_t> labelled(const std::vector<std::string>& names, std::size_t step);
std::string text_at(double x, double y, std::string_view anchor, std::string_view text, std::string_view more = {});
std::string axis_line(double x0, double y0, double x1, double y1);
std::string hit(double x, double y, double width, double height,
                std::string_view title);  // an unseen box with a tooltip
std::string svg(double width, double height, std::string_view label, std::string_view body);
std::string empty_chart();

// The frame of a chart with a vertical scale: grid lines with their values, the titles of both axes.
struct Frame {
  double left = 62, right = kWidth - 18, top = 26, bottom = 250, height = 300;
  double y(double place) const { return bottom - (bottom - top) * place; }
  std::string draw(const Scale& scale, std::string_view x_title, std::string_view y_title) const;
};

}  // namespace tetrad::report
