#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "report/axis.h"

namespace tetrad::report {
namespace {

constexpr double kLeft = 50, kRight = kWidth - 12, kTop = 24, kBottom = 250, kHeight = 292;
constexpr int kBinsPerDecade = 4;

// Bin 0 is for values below the first decade; bin i covers 10^(first + (i - 1) / 4) to the next.
struct Bins {
  int first = 0, last = 0;  // exponents

  std::size_t count() const { return static_cast<std::size_t>(1 + (last - first) * kBinsPerDecade); }
  std::size_t of(double value) const {
    if (!(value >= std::pow(10.0, first))) return 0;
    const double position = (std::log10(value) - first) * kBinsPerDecade;
    return std::min(count() - 1, 1 + static_cast<std::size_t>(std::max(position, 0.0)));
  }
};

Bins bins_for(const std::vector<Series>& series, double smallest) {
  double low = 0, high = smallest;
  for (const Series& s : series)
    for (const double v : s.values)
      if (std::isfinite(v) && v >= smallest) {
        low = low == 0 ? v : std::min(low, v);
        high = std::max(high, v);
      }
  Bins bins;
  bins.first = static_cast<int>(std::floor(std::log10(low == 0 ? smallest : low)));
  bins.last = std::max(bins.first + 1, static_cast<int>(std::floor(std::log10(high))) + 1);
  return bins;
}

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

std::string range_text(const Bins& bins, std::size_t bin) {
  const double low = bins.first + static_cast<double>(bin - 1) / kBinsPerDecade;
  if (bin == 0) return fmt::format("below {:.2g}", std::pow(10.0, bins.first));
  return fmt::format("{:.2g} to {:.2g}", std::pow(10.0, low), std::pow(10.0, low + 1.0 / kBinsPerDecade));
}

}  // namespace

std::string LogHistogram::html() const {
  const bool any = std::any_of(series.begin(), series.end(), [](const Series& s) { return !s.values.empty(); });
  if (!any) return empty_chart();
  const Bins bins = bins_for(series, smallest);
  std::vector<Series> share;
  for (const Series& s : series) share.push_back({s.name, shares(s.values, bins), {}});
  const double largest = largest_finite(share, false);
  const std::vector<double> ticks = round_ticks(largest > 0 ? largest : 1, 5);
  const double step = (kRight - kLeft) / (static_cast<double>(bins.count()) + 0.5);
  // Half a bin of space sets the bin of the smallest apart.
  const auto x_of = [&](std::size_t bin) { return kLeft + step * (static_cast<double>(bin) + (bin > 0 ? 0.5 : 0.0)); };
  const auto y_of = [&](double v) { return kBottom - (kBottom - kTop) * v / ticks.back(); };

  std::string body;
  for (const double tick : ticks)
    body +=
        axis_line(kLeft, y_of(tick), kRight, y_of(tick)) + text_at(kLeft - 6, y_of(tick) + 4, "end", tick_text(tick));
  const int every = (bins.last - bins.first + 9) / 10;  // decades a label
  for (int e = bins.first; e <= bins.last; e += every)
    body += text_at(x_of(1) + step * kBinsPerDecade * (e - bins.first), kBottom + 17, "middle", power_text(e));
  body += text_at(x_of(0) + step / 2, kBottom + 17, "middle", "less");
  body += text_at((kLeft + kRight) / 2, kHeight - 6, "middle", x_title) + text_at(2, 12, "start", "% of positions");
  for (std::size_t s = 0; s < share.size(); ++s) {
    std::string path;
    for (std::size_t b = 0; b < bins.count(); ++b) {
      const double y = y_of(share[s].values[b]);
      path += b < 2 ? fmt::format("M{:.1f} {:.1f}V{:.1f}H{:.1f}", x_of(b), kBottom, y, x_of(b) + step)
                    : fmt::format("V{:.1f}H{:.1f}", y, x_of(b) + step);
      if (b == 0 || b + 1 == bins.count()) path += fmt::format("V{:.1f}", kBottom);
    }
    body += fmt::format("<path class=\"area\" fill=\"var(--s{0})\" stroke=\"var(--s{0})\" d=\"{1}\"/>\n", s % kColours,
                        path);
  }
  for (std::size_t b = 0; b < bins.count(); ++b) {
    std::string title = range_text(bins, b);
    for (const Series& s : share) title += fmt::format("; {:.2f} %", s.values[b]);
    body += fmt::format(
        "<rect class=\"hit\" x=\"{:.1f}\" y=\"{}\" width=\"{:.1f}\" height=\"{}\"><title>{}</title></rect>\n", x_of(b),
        kTop, step, kBottom - kTop, title);
  }
  return key(series) + svg(kWidth, kHeight, x_title, body);
}

}  // namespace tetrad::report
