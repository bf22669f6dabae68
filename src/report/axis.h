// What the charts share: scales, ticks, labels, the key. Used inside this folder.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "report/chart.h"

namespace tetrad::report {

inline constexpr double kWidth =
    520;  // of a chart's own coordinates: about CSS pixels on a desk, 0.7 of them on a phone
inline constexpr std::size_t kColours = 6;

// About `count` round numbers from 0 to at least `largest` (> 0); the last is the axis' end.
std::vector<double> round_ticks(double largest, int count);
std::string tick_text(double value);                                         // 0.002, 150, 2e-05
std::string power_text(int exponent);                                        // 10⁻³
std::string value_text(double value);                                        // four significant digits
double largest_finite(const std::vector<Series>& series, bool with_errors);  // 0 when there is none

std::string key(const std::vector<Series>& series);  // colours and names; nothing for one series without a name
std::string text_at(double x, double y, std::string_view anchor, std::string_view text, std::string_view more = {});
std::string axis_line(double x0, double y0, double x1, double y1);
std::string svg(double width, double height, std::string_view label, std::string_view body);
std::string empty_chart();

}  // namespace tetrad::report
