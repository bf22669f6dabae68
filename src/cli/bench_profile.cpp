#include "cli/bench_profile.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <numeric>

namespace tetrad {
namespace {

double total(const OpProfile& times) { return std::accumulate(times.ops().begin(), times.ops().end(), 0.0); }
double per_pass(const PassProfile& profile, double seconds) {
  return seconds / static_cast<double>(std::max<std::int64_t>(profile.passes, 1));
}

}  // namespace

std::string profile_text(const PassProfile& profile) {
  const double all = std::max(total(profile.times), 1e-12);
  std::string text = fmt::format("\n{:<22} {:>10} {:>8}\n", profile.name, "ms a pass", "share");
  for (std::size_t op = 0; op < kOpNames.size(); ++op)
    text += fmt::format("  {:<20} {:>10.3f} {:>7.1f}%\n", kOpNames[op],
                        1e3 * per_pass(profile, profile.times.ops()[op]), 100 * profile.times.ops()[op] / all);
  std::vector<double> layers = profile.times.layers();
  if (layers.empty()) return text;
  std::sort(layers.begin(), layers.end());
  const auto ms = [&](double seconds) { return 1e3 * per_pass(profile, seconds); };
  text += fmt::format("  a layer: {:.3f} ms (median of {}), {:.3f} .. {:.3f}\n", ms(layers[layers.size() / 2]),
                      layers.size(), ms(layers.front()), ms(layers.back()));
  return text;
}

Json profile_json(const PassProfile& profile) {
  Json json = {{"name", profile.name}, {"passes", profile.passes}};
  json["ops"] = json["layers"] = Json::array();
  for (std::size_t op = 0; op < kOpNames.size(); ++op)
    json["ops"].push_back({{"op", kOpNames[op]}, {"seconds_per_pass", per_pass(profile, profile.times.ops()[op])}});
  for (const double seconds : profile.times.layers()) json["layers"].push_back(per_pass(profile, seconds));
  return json;
}

}  // namespace tetrad
