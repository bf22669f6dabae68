// Charts as inline SVG for report pages. Values that are not finite are left out and leave a gap. Colours come from the
// page's style; hovering a mark shows its value. All functions are pure; the output depends on the input alone.
#pragma once

#include <cstdint>
#include <limits>
#include <string>
#include <vector>

namespace tetrad::report {

inline constexpr std::size_t kMaxSeries = 6;  // as many as have colours of their own; charts show no more

struct Series {
  std::string name;
  std::vector<double> values;
  std::vector<double> errors = {};                         // BarChart: half-widths of error bars; empty: none
  bool dashed = false;                                     // LineChart: takes the colour of the series before it
  double mark = std::numeric_limits<double>::quiet_NaN();  // LogHistogram: a dashed line here, the mean say
};

// Lines over names or over 0, 1, 2, ...: one value an index and series. The y axis begins at 0, or is logarithmic:
// values that are not positive are left out then.
struct LineChart {
  std::string x_title, y_title;
  std::vector<Series> series;
  std::vector<std::string> x_names = {};  // one an index; empty: its number
  bool log_y = false;
  std::string html() const;
};

// Groups of horizontal bars, one bar a series in each.
struct BarChart {
  std::string x_title;
  std::vector<std::string> groups;
  std::vector<Series> series;  // values[i] belongs to groups[i]
  std::string html() const;
};

// Distributions of positive values on a logarithmic axis. Values below `smallest`, zero included, are counted in one
// bin of their own at the left. The y axis is each series' share of its values.
struct LogHistogram {
  std::string x_title, y_title;
  double smallest = 1e-8;
  std::vector<Series> series;
  std::string html() const;
};

// Counts in rows and columns, darker for more, on a logarithmic scale; zeros have a colour of their own.
struct HeatMap {
  std::string row_title, column_title, value_title;
  std::string zero_title;                         // what a zero means: "no tokens"
  std::vector<std::string> row_names;             // one a row
  std::vector<std::vector<std::int64_t>> values;  // a row may be shorter than others
  std::string html() const;
};

}  // namespace tetrad::report
