// The control groups (v1 and v2) that limit this process. Used by memory.cpp and thread_pool.cpp.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace tetrad {

struct ControlGroup {
  std::filesystem::path directory;
  bool second;  // of version 2
};

// This process's group of a controller ("memory", "cpu") and all above it, of both versions: each may be the one that
// limits. Directories that are not there are among them: a container often sees its own group as the root, under a path
// that only its host has. `root`: where /proc and /sys are looked for.
std::vector<ControlGroup> control_groups(const std::string& controller, const std::filesystem::path& root);

std::optional<std::uint64_t> number_in(const std::filesystem::path& path);  // none: no such file, or none in it ("max")

// Processors' worth of time that groups let this process have, or none where nothing limits it.
std::optional<double> processor_quota(const std::filesystem::path& root = "/");

}  // namespace tetrad
