// The files of a source checkpoint that go along unchanged: tokenizer, chat template, generation config, licence,
// readme, remote code.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "base/error.h"

namespace tetrad {

// Names of the regular files of `source` that are neither weights, nor their index, nor one of the two configurations
// that quantization rewrites. Hidden files, directories and files over 1 GiB stay behind. Sorted.
Result<std::vector<std::string>> list_carried_files(const std::filesystem::path& source);
Status copy_carried_files(const std::filesystem::path& source, const std::filesystem::path& destination,
                          const std::vector<std::string>& names);

}  // namespace tetrad
