#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "report/axis.h"
#include "report/figures.h"
#include "report/page.h"

namespace tetrad::report {
namespace {

constexpr double kRoom = 1030, kMapLeft = 58, kMapTop = 4;
constexpr int kLevels = 10;
constexpr std::size_t kHoverCells =
    30000;  // 75 bytes a cell: 16,000 are 1.2 MB. More cells get a tooltip a row instead

struct Grid {
  std::size_t rows = 0, columns = 0;
  double width = 0, height = 0;  // of a cell
  std::int64_t least = 0, most = 0;

  bool hover() const { return rows * columns <= kHoverCells; }
  double right() const { return kMapLeft + width * static_cast<double>(columns); }
  double bottom() const { return y(rows); }
  double y(std::size_t row) const { return kMapTop + height * static_cast<double>(row); }
  int level(std::int64_t value) const {  // 1 .. kLevels; 0 for zero
    if (value <= 0) return 0;
    if (most <= least) return kLevels;
    const double t = std::log(static_cast<double>(value) / static_cast<double>(least)) /
                     std::log(static_cast<double>(most) / static_cast<double>(least));
    return std::clamp(1 + static_cast<int>(t * kLevels), 1, kLevels);
  }
};

std::size_t map_label_step(double cell, double room) {
  std::size_t step = 1;
  for (const std::size_t next : {2U, 5U, 10U, 20U, 50U, 100U, 200U, 500U})
    if (static_cast<double>(step) * cell < room) step = next;
  return step;
}

Grid grid_of(const std::vector<std::vector<std::int64_t>>& values) {
  Grid grid;
  grid.rows = values.size();
  for (const auto& row : values) {
    grid.columns = std::max(grid.columns, row.size());
    for (const std::int64_t v : row)
      if (v > 0) {
        grid.least = grid.least == 0 ? v : std::min(grid.least, v);
        grid.most = std::max(grid.most, v);
      }
  }
  // Whole pixels: cells of one size, no seams. Beyond 500 columns cells are 2 wide and the map scrolls.
  grid.width = grid.columns == 0 ? 0 : std::clamp(std::floor(kRoom / static_cast<double>(grid.columns)), 2.0, 30.0);
  grid.height = std::clamp(std::ceil(grid.width * 1.6), 8.0, 22.0);
  return grid;
}

std::string legend(const HeatMap& map, const Grid& grid) {
  std::string text = "<div class=\"key\">";
  if (grid.most > 0) {
    text += fmt::format("<span>{}: {} <span class=\"ramp\">", escape(map.value_title),
                        grouped(static_cast<std::uint64_t>(grid.least)));
    for (int level = 1; level <= kLevels; ++level) text += fmt::format("<i class=\"h{}\"></i>", level);
    text += fmt::format("</span> {} (logarithmic)</span>", grouped(static_cast<std::uint64_t>(grid.most)));
  }
  return text + fmt::format("<span><i class=\"h0\"></i>{}</span></div>\n", escape(map.zero_title));
}

// A cell is a path within its row's group; classes carry the colours.
std::string cells(const HeatMap& map, const Grid& grid, std::size_t row) {
  std::string body = fmt::format("<g transform=\"translate({} {})\">", kMapLeft, grid.y(row));
  const double w = grid.width - (grid.width > 6 ? 1 : 0), h = grid.height - 1;
  for (std::size_t c = 0; c < map.values[row].size(); ++c) {
    const std::int64_t value = map.values[row][c];
    body += fmt::format("<path class=\"h{}\" d=\"M{} 0h{}v{}h-{}z\"", grid.level(value),
                        grid.width * static_cast<double>(c), w, h, w);
    if (grid.hover())
      body += fmt::format("><title>{} {}, {} {}: {}</title></path>", escape(map.row_title), escape(map.row_names[row]),
                          escape(map.column_title), c, value);
    else
      body += "/>";
  }
  return body + "</g>\n";
}

// What a row holds, for maps too large for a tooltip a cell.
std::string row_hit(const HeatMap& map, const Grid& grid, std::size_t row) {
  auto sorted = map.values[row];
  if (sorted.empty()) return {};
  std::sort(sorted.begin(), sorted.end());
  return hit(kMapLeft, grid.y(row), grid.width * static_cast<double>(sorted.size()), grid.height,
             fmt::format("{} {}: {} to {}, median {}; {}: {}", map.row_title, map.row_names[row], sorted.front(),
                         sorted.back(), sorted[sorted.size() / 2], map.zero_title,
                         std::count(sorted.begin(), sorted.end(), 0)));
}

}  // namespace

std::string HeatMap::html() const {
  const Grid grid = grid_of(values);
  if (grid.columns == 0 || row_names.size() != values.size()) return empty_chart();
  const double bottom = grid.bottom();
  std::string body;
  for (std::size_t r = 0; r < grid.rows; ++r)
    body += cells(*this, grid, r) + (grid.hover() ? "" : row_hit(*this, grid, r));
  for (const std::size_t r : labelled(row_names, map_label_step(grid.height, 14)))
    body += text_at(kMapLeft - 6, grid.y(r) + grid.height / 2 + 4, "end", row_names[r]);
  for (std::size_t c = 0; c < grid.columns; c += map_label_step(grid.width, 30))
    body += text_at(kMapLeft + grid.width * (static_cast<double>(c) + 0.5), bottom + 16, "middle", std::to_string(c));
  body += text_at(kMapLeft, bottom + 36, "start", column_title);
  body += text_at(14, kMapTop, "end", row_title, fmt::format(" transform=\"rotate(-90 14 {:.1f})\"", kMapTop));
  // Its natural size in pixels: small maps aren't blown up, large ones scroll in their box.
  const double width = std::max(grid.right() + 4, 180.0), height = std::max(bottom + 42, 90.0);
  return legend(*this, grid) + fmt::format("<div class=\"scroll\"><div style=\"width:{:.0f}px\">", width) +
         svg(width, height, value_title, body) + "</div></div>\n";
}

}  // namespace tetrad::report
