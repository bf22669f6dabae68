// JSON from outside. The parser is nlohmann's behind a firewall: parse_json turns its exceptions into errors that name
// the file and the byte, refuses invalid UTF-8, duplicate keys (two readers would disagree) and nesting deeper than 128
// levels. Objects keep the order of their keys, so that what is written back looks like what was read.
#pragma once

#include <cstdint>
#include <filesystem>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>

#include "base/error.h"

namespace tetrad {

using Json = nlohmann::ordered_json;

Result<Json> parse_json(std::string_view text, const std::string& where);
Result<Json> read_json_file(const std::filesystem::path& path, std::uint64_t max_bytes = std::uint64_t{1} << 30);

}  // namespace tetrad
