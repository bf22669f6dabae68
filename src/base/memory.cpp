#include "base/memory.h"

#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <limits>
#include <optional>
#include <string>

namespace tetrad {
namespace fs = std::filesystem;
namespace {

std::optional<std::uint64_t> number_in(const fs::path& path) {
  std::ifstream file(path);
  std::uint64_t value = 0;
  if (file >> value) return value;
  return std::nullopt;  // "max", or no such file
}

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
  const char* mount;
  const char* limit;
  const char* usage;
  const char* inactive;  // file pages in memory.stat, with those of groups below
  const char* active;
};
constexpr Version kV1 = {"sys/fs/cgroup/memory", "memory.limit_in_bytes", "memory.usage_in_bytes",
                         "total_inactive_file", "total_active_file"};
constexpr Version kV2 = {"sys/fs/cgroup", "memory.max", "memory.current", "inactive_file", "active_file"};

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

// The group and all above it: each may be the one that limits. A container often sees its own group as the root, under
// a path that only its host has; directories that are not there are passed over.
void apply_all(const fs::path& root, const Version& version, const std::string& group, MemoryLimits& limits) {
  const fs::path mount = root / version.mount;
  for (fs::path path = fs::path(group).relative_path(); !path.empty(); path = path.parent_path())
    apply(mount / path, version, limits);
  apply(mount, version, limits);
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
  // Lines "4:memory:/path" (v1) and "0::/path" (v2).
  std::ifstream groups(root / "proc/self/cgroup");
  std::string v1, v2;
  for (std::string line; std::getline(groups, line);) {
    const std::size_t first = line.find(':'), second = line.find(':', first + 1);
    if (first == std::string::npos || second == std::string::npos) continue;
    const std::string controllers = "," + line.substr(first + 1, second - first - 1) + ",";
    if (controllers == ",,") v2 = line.substr(second + 1);
    if (controllers.find(",memory,") != std::string::npos) v1 = line.substr(second + 1);
  }
  apply_all(root, kV1, v1, limits);
  apply_all(root, kV2, v2, limits);
  limits.available = std::min(limits.available, limits.total);
  return limits;
}

}  // namespace tetrad
