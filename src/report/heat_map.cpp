#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "report/axis.h"
#include "report/page.h"

namespace tetrad::report {
namespace {

constexpr double kFullWidth = 1080, kLeft = 52, kTop = 8;
constexpr int kLevels = 8;
constexpr std::size_t kHoverCells = 4096;  // more cells than these get a title a row instead: 16,000 titles are 2 MB

struct Grid {
  std::size_t rows, columns;
  double width, height;  // of a cell
  std::int64_t least = 0, most = 0;

  int level(std::int64_t value) const {  // 1 .. kLevels; 0 for zero
    if (value <= 0) return 0;
    if (most <= least) return kLevels;
    const double t = std::log(static_cast<double>(value) / static_cast<double>(least)) /
                     std::log(static_cast<double>(most) / static_cast<double>(least));
    return std::clamp(1 + static_cast<int>(t * kLevels), 1, kLevels);
  }
};

double opacity(int level) { return 0.10 + 0.90 * level / kLevels; }

std::size_t label_step(double cell, double room) {
  std::size_t step = 1;
  for (const std::size_t next : {2U, 5U, 10U, 20U, 50U, 100U, 200U, 500U})
    if (static_cast<double>(step) * cell < room) step = next;
  return step;
}

Grid grid_of(const std::vector<std::vector<std::int64_t>>& values) {
  Grid grid{values.size(), values[0].size(), 0, 0, 0, 0};
  grid.width = std::clamp((kFullWidth - kLeft) / static_cast<double>(grid.columns), 1.0, 30.0);
  grid.height = std::clamp(grid.width * 1.6, 9.0, 22.0);
  for (const auto& row : values)
    for (const std::int64_t v : row)
      if (v > 0) {
        grid.least = grid.least == 0 ? v : std::min(grid.least, v);
        grid.most = std::max(grid.most, v);
      }
  return grid;
}

std::string legend(const HeatMap& map, const Grid& grid) {
  std::string text = fmt::format("<div class=\"key\"><span>{}: {} </span><span>", escape(map.value_title), grid.least);
  for (int level = 1; level <= kLevels; ++level)
    text += fmt::format("<i style=\"background:var(--heat);opacity:{:.2f};margin-right:1px\"></i>", opacity(level));
  return text + fmt::format(" {}</span><span><i style=\"background:var(--bad)\"></i>{}</span></div>\n", grid.most,
                            escape(map.zero_title));
}

std::string cells(const HeatMap& map, const Grid& grid) {
  const bool hover = grid.rows * grid.columns <= kHoverCells;
  std::array<std::string, kLevels + 1> by_level;
  const double gap = grid.width > 6 ? 1 : 0;
  for (std::size_t r = 0; r < grid.rows; ++r)
    for (std::size_t c = 0; c < grid.columns && c < map.values[r].size(); ++c) {
      const std::int64_t value = map.values[r][c];
      const double x = kLeft + grid.width * static_cast<double>(c), y = kTop + grid.height * static_cast<double>(r);
      const double w = grid.width - gap, h = grid.height - 1;
      std::string& out = by_level[static_cast<std::size_t>(grid.level(value))];
      if (hover)
        out += fmt::format("<path d=\"M{:.1f} {:.1f}h{:.1f}v{:.1f}h{:.1f}z\"><title>{} {}, {} {}: {}</title></path>\n",
                           x, y, w, h, -w, escape(map.row_title), map.row_names[r], escape(map.column_title), c, value);
      else
        out += fmt::format("M{:.1f} {:.1f}h{:.1f}v{:.0f}h{:.1f}z", x, y, w, h, -w);
    }
  std::string body;
  for (int level = 0; level <= kLevels; ++level) {
    const std::string& part = by_level[static_cast<std::size_t>(level)];
    if (part.empty()) continue;
    const std::string style =
        level == 0 ? "class=\"none\"" : fmt::format("class=\"heat\" fill-opacity=\"{:.2f}\"", opacity(level));
    body += hover ? fmt::format("<g {}>\n{}</g>\n", style, part) : fmt::format("<path {} d=\"{}\"/>\n", style, part);
  }
  return body;
}

// What a row holds, for large maps.
std::string row_titles(const HeatMap& map, const Grid& grid) {
  std::string body;
  for (std::size_t r = 0; r < grid.rows; ++r) {
    auto sorted = map.values[r];
    if (sorted.empty()) continue;
    std::sort(sorted.begin(), sorted.end());
    const auto zeros = std::count(sorted.begin(), sorted.end(), 0);
    body += fmt::format(
        "<rect class=\"hit\" x=\"{}\" y=\"{:.1f}\" width=\"{:.1f}\" height=\"{:.1f}\"><title>{} {}: {} to {}, median "
        "{}; {} with "
        "{}</title></rect>\n",
        kLeft, kTop + grid.height * static_cast<double>(r), grid.width * static_cast<double>(grid.columns), grid.height,
        escape(map.row_title), map.row_names[r], sorted.front(), sorted.back(), sorted[sorted.size() / 2], zeros,
        escape(map.zero_title));
  }
  return body;
}

}  // namespace

std::string HeatMap::html() const {
  if (values.empty() || values[0].empty() || row_names.size() != values.size()) return empty_chart();
  const Grid grid = grid_of(values);
  const double bottom = kTop + grid.height * static_cast<double>(grid.rows);
  const double right = kLeft + grid.width * static_cast<double>(grid.columns);
  std::string body = cells(*this, grid);
  if (grid.rows * grid.columns > kHoverCells) body += row_titles(*this, grid);
  for (std::size_t r = 0; r < grid.rows; r += label_step(grid.height, 13))
    body += text_at(kLeft - 6, kTop + grid.height * (static_cast<double>(r) + 0.5) + 4, "end",
                    std::to_string(row_names[r]));
  for (std::size_t c = 0; c < grid.columns; c += label_step(grid.width, 26))
    body += text_at(kLeft + grid.width * (static_cast<double>(c) + 0.5), bottom + 15, "middle", std::to_string(c));
  body += text_at((kLeft + right) / 2, bottom + 34, "middle", column_title);
  body += text_at(12, (kTop + bottom) / 2, "middle", row_title,
                  fmt::format(" transform=\"rotate(-90 12 {:.1f})\"", (kTop + bottom) / 2));
  return legend(*this, grid) + "<div class=\"scroll wide\">" +
         svg(std::max(right + 4, 700.0), bottom + 42, value_title, body) + "</div>\n";
}

}  // namespace tetrad::report
