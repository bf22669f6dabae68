// Any text as config.json: an error of one line or a model whose table of tensors can be made and read back.
#include <cstdint>
#include <nlohmann/json.hpp>

#include "arch/tensor_table.h"
#include "base/check.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto json = tetrad::parse_json({reinterpret_cast<const char*>(data), size}, "fuzz");
  if (!json) {
    TETRAD_CHECK(json.error().message.find('\n') == std::string::npos);
    return 0;
  }
  const auto config = tetrad::ModelConfig::parse(*json, "fuzz");
  if (!config) {
    TETRAD_CHECK(config.error().message.find('\n') == std::string::npos);
    return 0;
  }
  if (config->layers * config->experts > 4096) return 0;  // a legal table, but a slow one to make millions of times
  for (const tetrad::TensorRow& row : tetrad::tensor_table(*config)) {
    for (const std::int64_t dimension : row.shape) TETRAD_CHECK(dimension > 0);
    TETRAD_CHECK(tetrad::identify_tensor(*config, row.module + row.suffix).role == row.role);
  }
  return 0;
}
