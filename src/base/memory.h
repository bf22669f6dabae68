// How much memory there is: of the machine, and of the control groups (v1 and v2) that this process runs in.
#pragma once

#include <cstdint>
#include <filesystem>

namespace tetrad {

struct MemoryLimits {
  std::uint64_t total = 0;      // of the machine, or of a control group around this process where that is less
  std::uint64_t available = 0;  // what can still be taken without swapping; file pages count, as they can be dropped
};

// `root`: where /proc and /sys are looked for; tests have their own.
MemoryLimits memory_limits(const std::filesystem::path& root = "/");

}  // namespace tetrad
