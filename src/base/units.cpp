#include "base/units.h"

#include <fmt/format.h>
#include <sys/resource.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>
#include <cmath>

#include "base/memory.h"

namespace tetrad {
namespace {

std::string scaled(double value, const char* unit) {
  static constexpr std::array<const char*, 5> kPrefixes = {"", "k", "M", "G", "T"};
  std::size_t i = 0;
  while (value >= 999.5 && i + 1 < kPrefixes.size()) value /= 1000, ++i;
  const int digits = i == 0 || value >= 99.95 ? 0 : value >= 9.995 ? 1 : 2;
  return fmt::format("{:.{}f} {}{}", value, digits, kPrefixes[i], unit);
}

}  // namespace

Result<std::uint64_t> parse_bytes(std::string_view text) {
  const auto bad = [&] {
    return make_error(ErrorCode::kUsage, "not a size", std::string(text),
                      "write bytes, or a number with K, M, G, T, KiB … TiB, KB … TB");
  };
  double number = 0;
  const auto [rest, status] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (status != std::errc() || !std::isfinite(number) || number < 0) return bad();
  std::string unit(rest, text.data() + text.size());
  unit.erase(0, unit.find_first_not_of(' '));
  std::transform(unit.begin(), unit.end(), unit.begin(),
                 [](unsigned char c) { return static_cast<char>(std::toupper(c)); });
  double factor = 1;
  if (!unit.empty() && unit != "B") {
    const auto power = std::string("KMGT").find(unit[0]);
    const std::string suffix = unit.substr(1);
    if (power == std::string::npos || (suffix != "" && suffix != "B" && suffix != "I" && suffix != "IB")) return bad();
    factor = std::pow(suffix == "B" ? 1000.0 : 1024.0, static_cast<double>(power + 1));
  }
  const double bytes = number * factor;
  if (bytes >= 9.2e18) return bad();
  return static_cast<std::uint64_t>(bytes);
}

std::string format_bytes(std::uint64_t bytes) { return scaled(static_cast<double>(bytes), "B"); }

std::string format_count(std::uint64_t count) {
  std::string text = scaled(static_cast<double>(count), "");
  while (!text.empty() && text.back() == ' ') text.pop_back();
  return text;
}

std::string format_seconds(double seconds) {
  if (seconds < 60) return fmt::format("{:.1f} s", std::max(0.0, seconds));
  const auto whole = static_cast<std::uint64_t>(seconds);
  if (whole < 3600) return fmt::format("{} min {:02} s", whole / 60, whole % 60);
  return fmt::format("{} h {:02} min", whole / 3600, whole / 60 % 60);
}

double seconds_since(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

std::uint64_t total_memory_bytes() { return memory_limits().total; }

std::uint64_t peak_resident_bytes() {
  struct rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  return static_cast<std::uint64_t>(usage.ru_maxrss) * 1024;
}

}  // namespace tetrad
