// Numbers as report pages show them: short, aligned in meaning rather than in digits, and never a bare "nan". The same
// value always gives the same text (no locale).
#pragma once

#include <cstdint>
#include <string>

namespace tetrad::report {

// `digits` significant ones: "0.01234", "1.2 × 10⁻⁷", "0"; "not finite" for NaN and infinities.
std::string figure(double value, int digits = 4);
// "0.0123 ± 0.0011": two digits of the error, the mean to the same place. Without a usable error: the mean alone.
std::string with_error(double mean, double error);
std::string percent(double share, int decimals = 2);  // 0.987 -> "98.70 %"
std::string grouped(std::uint64_t count);             // 1234567 -> "1 234 567" (narrow no-break spaces)
std::string power_of_ten(int exponent);               // "0.01", "1", "100", "10⁻⁷"
std::string change(double from, double to);           // "+0.6 %"; empty where it means nothing

}  // namespace tetrad::report
