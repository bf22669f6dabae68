#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "report/axis.h"
#include "report/figures.h"

namespace tetrad::report {
namespace {

constexpr std::size_t kMany = 5000;  // values from which finer bins are smooth enough to read
constexpr int kMaxBinDecades = 24;

// Bin 0 is for values below the first decade; bin i covers 10^(first + (i - 1) / per_decade) to the next.
struct Bins {
  int first = 0, last = 0;  // exponents
  int per_decade = 5;
  bool small_values = false;  // whether bin 0 holds anything but zeros

  std::size_t count() const { return static_cast<std::size_t>(1 + (last - first) * per_decade); }
  std::size_t of(double value) const {
    if (!(value >= std::pow(10.0, first))) return 0;
    const double position = (std::log10(value) - first) * per_decade;
    return std::min(count() - 1, 1 + static_cast<std::size_t>(std::max(position, 0.0)));
  }
  std::string range(std::size_t bin) const {
    if (bin == 0) return small_values ? "below " + figure(std::pow(10.0, first), 2) + ", zero included" : "zero";
    const double low = first + static_cast<double>(bin - 1) / per_decade;
    return figure(std::pow(10.0, low), 2) + " to " + figure(std::pow(10.0, low + 1.0 / per_decade), 2);
  }
};

Bins bins_for(const std::vector<Series>& series, double smallest) {
  double low = 0, high = smallest;
  std::size_t most = 0;
  for (const Series& s : series) {
    most = std::max(most, s.values.size());
    for (const double v : s.values)
      if (std::isfinite(v) && v >= smallest) {
        low = low == 0 ? v : std::min(low, v);
        high = std::max(high, v);
      }
  }
  Bins bins;
  bins.per_decade = most < kMany ? 5 : 10;
  bins.first = static_cast<int>(std::floor(std::log10(low == 0 ? smallest : low)));
  bins.last =
      std::clamp(static_cast<int>(std::floor(std::log10(high))) + 1, bins.first + 1, bins.first + kMaxBinDecades);
  for (const Series& s : series)
    for (const double v : s.values) bins.small_values = bins.small_values || (v > 0 && bins.of(v) == 0);
  return bins;
}

// Percent of the finite values in each bin.
std::vector<double> shares(const std::vector<double>& values, const Bins& bins) {
  std::vector<double> share(bins.count());
  double total = 0;
  for (const double v : values)
    if (std::isfinite(v)) {
      share[bins.of(v)] += 1;
      total += 1;
    }
  for (double& s : share) s = total > 0 ? 100 * s / total : 0;
  return share;
}

class HistogramDrawing {
 public:
  HistogramDrawing(const LogHistogram& chart, const Bins& bins) : chart_(chart), bins_(bins) {
    for (const Series& s : chart.series) share_.push_back({s.name, shares(s.values, bins)});
    scale_ = Scale::over(share_, false);
    step_ = (frame_.right - frame_.left - kFirst) / static_cast<double>(bins.count() - 1);
  }

  std::string frame() const {
    std::string body = frame_.draw(scale_, chart_.x_title, chart_.y_title);
    const int every = (bins_.last - bins_.first + 8) / 9;  // decades a label
    for (int e = bins_.first; e <= bins_.last; e += every)
      body +=
          text_at(x(1) + step_ * bins_.per_decade * (e - bins_.first), frame_.bottom + 18, "middle", power_of_ten(e));
    // Under the axis' other labels when it needs the room of a word.
    const double y = frame_.bottom + (bins_.small_values ? 34 : 18);
    return body + text_at(x(0) + width(0) / 2, y, "middle", bins_.small_values ? "less" : "0");
  }

  std::string shape(std::size_t s) const {
    std::string path;
    for (std::size_t b = 0; b < bins_.count(); ++b) {
      const double y = frame_.y(scale_.place(share_[s].values[b]));
      if (b < 2) path += fmt::format("M{:.1f} {:.1f}", x(b), frame_.bottom);
      path += fmt::format("V{:.1f}H{:.1f}", y, x(b) + width(b));
      if (b == 0 || b + 1 == bins_.count()) path += fmt::format("V{:.1f}", frame_.bottom);
    }
    std::string body = fmt::format("<path class=\"area f{0} c{0}\" d=\"{1}\"/>\n", s, path);
    const double mark = chart_.series[s].mark;
    if (std::isfinite(mark) && bins_.of(mark) > 0) {
      const double at = std::min(frame_.right, x(1) + step_ * bins_.per_decade * (std::log10(mark) - bins_.first));
      body += fmt::format("<path class=\"line dashed c{}\" d=\"M{:.1f} {}V{}\"/>\n", s, at, frame_.top, frame_.bottom);
    }
    return body;
  }

  // One unseen box a bin, whose tooltip has all shares.
  std::string hits() const {
    std::string body;
    for (std::size_t b = 0; b < bins_.count(); ++b) {
      std::string title = bins_.range(b);
      for (const Series& s : share_)
        title += fmt::format("\n{}{}{:.2f} %", s.name, s.name.empty() ? "" : ": ", s.values[b]);
      body += hit(x(b), frame_.top, width(b), frame_.bottom - frame_.top, title);
    }
    return body;
  }

  double height() const { return frame_.height; }

 private:
  // Bin 0 is set apart by its own width and enough room for two labels side by side.
  static constexpr double kMargin = 8, kWidth0 = 10, kFirst = kMargin + kWidth0 + 22;

  double x(std::size_t bin) const {
    return frame_.left + (bin == 0 ? kMargin : kFirst + step_ * static_cast<double>(bin - 1));
  }
  double width(std::size_t bin) const { return bin == 0 ? kWidth0 : step_; }

  const LogHistogram& chart_;
  const Bins& bins_;
  std::vector<Series> share_;
  Frame frame_;
  Scale scale_;
  double step_ = 0;
};

}  // namespace

std::string LogHistogram::html() const {
  const bool any = std::any_of(series.begin(), series.end(), [](const Series& s) {
    return std::any_of(s.values.begin(), s.values.end(), [](double v) { return std::isfinite(v); });
  });
  if (!any) return empty_chart();
  const Bins bins = bins_for(series, smallest);
  const HistogramDrawing drawing(*this, bins);
  std::string body = drawing.frame();
  for (std::size_t s = 0; s < std::min(series.size(), kMaxSeries); ++s) body += drawing.shape(s);
  body += drawing.hits();
  return key(series) + svg(kWidth, drawing.height(), x_title, body);
}

}  // namespace tetrad::report
