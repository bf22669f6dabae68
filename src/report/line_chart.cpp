#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "report/axis.h"
#include "report/figures.h"

namespace tetrad::report {
namespace {

constexpr double kEdge = 12;  // between the frame's ends and the first and last index

// Every how many indices a label stands, so that at most ten do.
std::size_t label_step(std::size_t count) {
  for (std::size_t power = 1;; power *= 10)
    for (const std::size_t factor : {1U, 2U, 5U})
      if (count <= 10 * factor * power) return factor * power;
}

class LineDrawing {
 public:
  LineDrawing(const LineChart& chart, std::size_t count)
      : chart_(chart), count_(count), scale_(Scale::over(chart.series, chart.log_y)) {
    for (std::size_t i = 0; i < count; ++i)
      names_.push_back(i < chart.x_names.size() ? chart.x_names[i] : std::to_string(i));
  }

  std::string frame() const {
    std::string body = frame_.draw(scale_, chart_.x_title, chart_.y_title);
    for (const std::size_t i : labelled(names_, label_step(count_)))
      body += text_at(x(i), frame_.bottom + 18, "middle", names_[i]);
    return body;
  }

  std::string line(std::size_t s) const {
    const Series& series = chart_.series[s];
    std::string path, dots;
    bool pen_down = false;
    for (std::size_t i = 0; i < series.values.size(); ++i) {
      if (!scale_.shows(series.values[i])) {
        pen_down = false;
        continue;
      }
      const double y = frame_.y(scale_.place(series.values[i]));
      path += fmt::format("{}{:.1f} {:.1f}", pen_down ? "L" : "M", x(i), y);
      pen_down = true;
      if (!series.dashed)
        dots += fmt::format("<circle cx=\"{:.1f}\" cy=\"{:.1f}\" r=\"{}\"/>\n", x(i), y, count_ > 24 ? "2" : "3.2");
    }
    const std::size_t c = colour(chart_.series, s);
    return fmt::format("<path class=\"line c{}{}\" d=\"{}\"/>\n<g class=\"f{}\">{}</g>\n", c,
                       series.dashed ? " dashed" : "", path, c, dots);
  }

  // One unseen box an index, whose tooltip has all values there.
  std::string hits() const {
    std::string body;
    const double width = count_ == 1 ? frame_.right - frame_.left : x(1) - x(0);
    for (std::size_t i = 0; i < count_; ++i) {
      std::string title = chart_.x_title + " " + names_[i];
      for (const Series& s : chart_.series)
        if (i < s.values.size())
          title += fmt::format("\n{}{}{}", s.name, s.name.empty() ? "" : ": ", figure(s.values[i]));
      body += hit(x(i) - width / 2, frame_.top, width, frame_.bottom - frame_.top, title);
    }
    return body;
  }

  double height() const { return frame_.height; }

 private:
  double x(std::size_t i) const {
    if (count_ == 1) return (frame_.left + frame_.right) / 2;
    const double room = frame_.right - frame_.left - 2 * kEdge;
    return frame_.left + kEdge + room * static_cast<double>(i) / static_cast<double>(count_ - 1);
  }

  const LineChart& chart_;
  std::size_t count_;
  std::vector<std::string> names_;
  Frame frame_;
  Scale scale_;
};

}  // namespace

std::string LineChart::html() const {
  std::size_t count = 0;
  for (const Series& s : series) count = std::max(count, s.values.size());
  if (count == 0) return empty_chart();
  const LineDrawing drawing(*this, count);
  std::string body = drawing.frame();
  for (std::size_t s = 0; s < series.size(); ++s) body += drawing.line(s);
  body += drawing.hits();
  return key(series) + svg(kWidth, drawing.height(), y_title, body);
}

}  // namespace tetrad::report
