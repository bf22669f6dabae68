#include "base/memory.h"

#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <limits>
#include <string>

#include "base/control_group.h"

namespace tetrad {
namespace fs = std::filesystem;
namespace {

// The number behind `key` in a file of lines "key value".
std::uint64_t value_of(const fs::path& path, const std::string& key) {
  std::ifstream file(path);
  std::string name;
  for (std::uint64_t value = 0; file >> name;) {
    if (!(file >> value)) file.clear();
    if (name == key) return value;
    file.ignore(std::numeric_limits<std::streamsize>::max(), '\n');
  }
  return 0;
}

// What differs between the two versions of control groups.
struct Version {
  const char* limit;
  const char* usage;
  const char* inactive;  // file pages in memory.stat, with those of groups below
  const char* active;
};
constexpr Version kV1 = {"memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file", "total_active_file"};
constexpr Version kV2 = {"memory.max", "memory.current", "inactive_file", "active_file"};

void apply(const fs::path& group, const Version& version, MemoryLimits& limits) {
  const auto limit = number_in(group / version.limit);
  if (!limit || *limit == 0) return;
  limits.total = std::min(limits.total, *limit);
  const std::uint64_t files =
      value_of(group / "memory.stat", version.inactive) + value_of(group / "memory.stat", version.active);
  const std::uint64_t used = number_in(group / version.usage).value_or(0);
  const std::uint64_t held = used > files ? used - files : 0;
  limits.available = std::min(limits.available, *limit > held ? *limit - held : 0);
}

}  // namespace

MemoryLimits memory_limits(const fs::path& root) {
  MemoryLimits limits;
  limits.total = value_of(root / "proc/meminfo", "MemTotal:") * 1024;
  if (limits.total == 0)
    limits.total =
        static_cast<std::uint64_t>(::sysconf(_SC_PHYS_PAGES)) * static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
  limits.available = value_of(root / "proc/meminfo", "MemAvailable:") * 1024;
  if (limits.available == 0) limits.available = limits.total;
  for (const ControlGroup& group : control_groups("memory", root))
    apply(group.directory, group.second ? kV2 : kV1, limits);
  limits.available = std::min(limits.available, limits.total);
  return limits;
}

}  // namespace tetrad
