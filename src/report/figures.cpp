#include "report/figures.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>

namespace tetrad::report {
namespace {

constexpr const char* kNotFinite = "not finite";

std::string superscript(int number) {
  static constexpr const char* kDigits[] = {"⁰", "¹", "²", "³", "⁴", "⁵", "⁶", "⁷", "⁸", "⁹"};
  std::string text = number < 0 ? "⁻" : "";
  for (const char c : std::to_string(std::abs(number))) text += kDigits[c - '0'];
  return text;
}

int exponent_of(double value) { return static_cast<int>(std::floor(std::log10(std::fabs(value)))); }

}  // namespace

std::string figure(double value, int digits) {
  if (!std::isfinite(value)) return kNotFinite;
  if (value == 0) return "0";
  // Through the shortest scientific form, which has rounded already: 9.9996 is 10.00, not 10.000.
  const std::string scientific = fmt::format("{:.{}e}", value, digits - 1);
  const auto mark = scientific.find('e');
  const int exponent = std::atoi(scientific.c_str() + mark + 1);
  if (exponent < -5 || exponent > 6) return scientific.substr(0, mark) + " × 10" + superscript(exponent);
  return fmt::format("{:.{}f}", value, std::max(0, digits - 1 - exponent));
}

std::string with_error(double mean, double error) {
  if (!std::isfinite(mean) || !std::isfinite(error) || error <= 0) return figure(mean);
  const int decimals = 1 - exponent_of(error);
  if (decimals > 8 || decimals < 0) return figure(mean) + " ± " + figure(error, 2);
  return fmt::format("{:.{}f} ± {:.{}f}", mean, decimals, error, decimals);
}

std::string percent(double share, int decimals) {
  return std::isfinite(share) ? fmt::format("{:.{}f} %", 100 * share, decimals) : kNotFinite;
}

std::string grouped(std::uint64_t count) {
  const std::string digits = std::to_string(count);
  std::string text;
  for (std::size_t i = 0; i < digits.size(); ++i) {
    if (i > 0 && (digits.size() - i) % 3 == 0) text += "\u202F";
    text += digits[i];
  }
  return text;
}

std::string power_of_ten(int exponent) {
  if (exponent >= -3 && exponent < 0) return fmt::format("{:.{}f}", std::pow(10.0, exponent), -exponent);
  if (exponent >= 0 && exponent <= 4) return fmt::format("{:.0f}", std::pow(10.0, exponent));
  return "10" + superscript(exponent);
}

std::string change(double from, double to) {
  const double share = 100 * (to - from) / from;
  if (!std::isfinite(share)) return "";
  return fmt::format("{:+.2f} %", share);
}

}  // namespace tetrad::report
