#include "base/control_group.h"

#include <algorithm>
#include <fstream>

namespace tetrad {
namespace fs = std::filesystem;

std::optional<std::uint64_t> number_in(const fs::path& path) {
  std::ifstream file(path);
  std::uint64_t value = 0;
  if (file >> value) return value;
  return std::nullopt;
}

std::vector<ControlGroup> control_groups(const std::string& controller, const fs::path& root) {
  // Lines "4:memory:/path" (v1) and "0::/path" (v2).
  std::ifstream file(root / "proc/self/cgroup");
  std::string first, second;
  for (std::string line; std::getline(file, line);) {
    const std::size_t one = line.find(':'), two = line.find(':', one + 1);
    if (one == std::string::npos || two == std::string::npos) continue;
    const std::string controllers = "," + line.substr(one + 1, two - one - 1) + ",";
    if (controllers == ",,") second = line.substr(two + 1);
    if (controllers.find("," + controller + ",") != std::string::npos) first = line.substr(two + 1);
  }
  std::vector<ControlGroup> groups;
  const auto add = [&](const fs::path& mount, const std::string& group, bool is_second) {
    for (fs::path path = fs::path(group).relative_path(); !path.empty(); path = path.parent_path())
      groups.push_back({mount / path, is_second});
    groups.push_back({mount, is_second});
  };
  add(root / "sys/fs/cgroup" / controller, first, false);
  add(root / "sys/fs/cgroup", second, true);
  return groups;
}

std::optional<double> processor_quota(const fs::path& root) {
  std::optional<double> least;
  for (const ControlGroup& group : control_groups("cpu", root)) {
    // "200000 100000", "max 100000"; in version 1 two files, and -1 for no limit.
    std::int64_t quota = 0, period = 0;
    if (group.second) {
      std::ifstream file(group.directory / "cpu.max");
      if (!(file >> quota >> period)) continue;
    } else {
      std::ifstream quota_file(group.directory / "cpu.cfs_quota_us"),
          period_file(group.directory / "cpu.cfs_period_us");
      if (!(quota_file >> quota) || !(period_file >> period)) continue;
    }
    if (quota <= 0 || period <= 0) continue;
    const double processors = static_cast<double>(quota) / static_cast<double>(period);
    least = least ? std::min(*least, processors) : processors;
  }
  return least;
}

}  // namespace tetrad
