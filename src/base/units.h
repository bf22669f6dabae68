// Numbers as people write and read them.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/error.h"

namespace tetrad {

// "1500000", "1.5GB", "1GiB", "512M" (K, M, G, T: powers of 1024 with or without i; with B alone, powers of 1000).
Result<std::uint64_t> parse_bytes(std::string_view text);
std::string format_bytes(std::uint64_t bytes);  // "3.62 GB", powers of 1000
std::string format_count(std::uint64_t count);  // "17.2 M"
std::string format_seconds(double seconds);     // "4.2 s", "3 min 05 s", "7 h 12 min"

double seconds_since(std::chrono::steady_clock::time_point start);

std::uint64_t total_memory_bytes();   // of the machine, or of this process's control groups where that is less
std::uint64_t peak_resident_bytes();  // of this process so far

}  // namespace tetrad
