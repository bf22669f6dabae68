// quantization_config: which of the known forms the weights are stored in. Anything else is refused by name: read as a
// known form it would be noise.
#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "arch/families.h"

namespace tetrad {
namespace {

Status parse_fp8(const ConfigReader& json, ModelConfig& config) {
  const std::string fmt_name = TETRAD_TRY(json.text("fmt", "e4m3"));
  if (fmt_name != "e4m3" && fmt_name != "float8_e4m3fn" && fmt_name != "float8_e4m3")
    return json.unsupported("fmt", fmt::format("\"{}\" is not E4M3", fmt_name));
  if (json.find("weight_block_size") == nullptr)
    return json.unsupported("weight_block_size", "it is missing: FP8 weights without block scales are not supported");
  const std::vector<std::int64_t> block = TETRAD_TRY(json.integers("weight_block_size", 1, 1 << 20));
  if (block.size() != 2) return json.invalid("weight_block_size", "it is not two sizes");
  config.fp8_block_rows = block[0];
  config.fp8_block_cols = block[1];
  config.stored = StoredFormat::kFp8Block;
  return {};
}

// In every group of config_groups: weights of 4-bit floats in groups of 16. `format` is where compressed-tensors may
// name its format.
Status check_groups(const ConfigReader& json, std::string& format) {
  if (json.find("config_groups") == nullptr) return {};
  const ConfigReader groups = TETRAD_TRY(json.object("config_groups"));
  for (const auto& [name, group] : json.find("config_groups")->items()) {
    if (!group.is_object()) return groups.invalid(name, "it is not an object");
    const ConfigReader inner(group, groups.where() + ": " + name);
    format = TETRAD_TRY(inner.text("format", format));
    const ConfigReader weights = TETRAD_TRY(inner.object("weights"));
    const std::int64_t bits = TETRAD_TRY(weights.integer("num_bits", 4, 1, 64));
    const std::int64_t size = TETRAD_TRY(weights.integer("group_size", 16, -1, 1 << 20));
    const std::string type = TETRAD_TRY(weights.text("type", "float"));
    if (bits != 4 || type != "float")
      return weights.unsupported("num_bits", fmt::format("weights of {} bits of type {} are not NVFP4", bits, type));
    if (size != 16)
      return weights.unsupported("group_size", fmt::format("groups of {} are not NVFP4, which has 16", size));
  }
  return {};
}

Status parse_modelopt(const ConfigReader& json, ModelConfig& config) {
  const std::string algorithm = TETRAD_TRY(json.text("quant_algo", ""));
  if (algorithm != "NVFP4" && algorithm != "W4A16_NVFP4")
    return json.unsupported("quant_algo", fmt::format("\"{}\" is neither NVFP4 nor W4A16_NVFP4", algorithm));
  const std::int64_t size = TETRAD_TRY(json.integer("group_size", 16, -1, 1 << 20));
  if (size != 16) return json.unsupported("group_size", fmt::format("groups of {} are not NVFP4, which has 16", size));
  std::string format;
  TETRAD_TRY(check_groups(json, format));
  config.stored = StoredFormat::kNvfp4ModelOpt;
  return {};
}

Status parse_compressed_tensors(const ConfigReader& json, ModelConfig& config) {
  std::string format = TETRAD_TRY(json.text("format", ""));
  if (format != "nvfp4-pack-quantized" && format != "mixed-precision" && !format.empty())
    return json.unsupported("format", fmt::format("\"{}\" is not nvfp4-pack-quantized", format));
  TETRAD_TRY(check_groups(json, format));
  if (format != "nvfp4-pack-quantized")
    return json.unsupported("format", fmt::format("\"{}\" is not nvfp4-pack-quantized", format));
  config.stored = StoredFormat::kNvfp4CompressedTensors;
  return {};
}

}  // namespace

Status parse_stored_format(const ConfigReader& json, ModelConfig& config) {
  config.stored = StoredFormat::kPlain;
  const char* key = json.find("quantization_config") == nullptr && json.find("compression_config") != nullptr
                        ? "compression_config"
                        : "quantization_config";
  if (json.find(key) == nullptr) return {};
  const ConfigReader inner = TETRAD_TRY(json.object(key));
  const std::string method = TETRAD_TRY(inner.text("quant_method", ""));
  if (method == "fp8") return parse_fp8(inner, config);
  if (method == "modelopt" || method == "modelopt_fp4") return parse_modelopt(inner, config);
  if (method == "compressed-tensors") return parse_compressed_tensors(inner, config);
  return inner.unsupported("quant_method", fmt::format("\"{}\" is none of fp8, modelopt, compressed-tensors", method));
}

}  // namespace tetrad
