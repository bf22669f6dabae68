#include "conversion/carried_files.h"

#include <algorithm>
#include <array>

#include "base/files.h"

namespace tetrad {
namespace fs = std::filesystem;
namespace {

constexpr std::uint64_t kMaxBytes = std::uint64_t{1} << 30;
constexpr std::array<const char*, 6> kWeightEndings = {".safetensors", ".safetensors.index.json", ".bin", ".pt", ".pth",
                                                       ".gguf"};

bool stays_behind(const std::string& name) {
  if (name.starts_with(".") || name == "config.json" || name == "hf_quant_config.json" ||
      name == "tetrad_quantization.json")
    return true;
  return std::any_of(kWeightEndings.begin(), kWeightEndings.end(),
                     [&](const char* ending) { return name.ends_with(ending); });
}

}  // namespace

Result<std::vector<std::string>> list_carried_files(const fs::path& source) {
  std::vector<std::string> names;
  std::error_code error;
  for (fs::directory_iterator it(source, error), end; !error && it != end; it.increment(error)) {
    const std::string name = it->path().filename().string();
    std::error_code ignored;
    if (!stays_behind(name) && it->is_regular_file(ignored) && it->file_size(ignored) <= kMaxBytes)
      names.push_back(name);
  }
  if (error) return io_error("cannot list directory", source.string(), error.value());
  std::sort(names.begin(), names.end());
  return names;
}

Status copy_carried_files(const fs::path& source, const fs::path& destination, const std::vector<std::string>& names) {
  for (const auto& name : names) {
    const std::string bytes = TETRAD_TRY(read_file(source / name, kMaxBytes));
    TETRAD_TRY(write_file_atomically(destination / name, bytes));
  }
  return {};
}

}  // namespace tetrad
