#include "quant/quant_config.h"

#include <nlohmann/json.hpp>

#include "arch/tensor_table.h"
#include "quant/exclude_list.h"

namespace tetrad {
namespace {

// The format follows this release; loaders look at `quant_method` and `quant_algo` only.
Json producer() { return {{"name", "modelopt"}, {"version", "0.47.0"}}; }

Json quantizer() { return {{"dynamic", false}, {"num_bits", 4}, {"type", "float"}, {"group_size", 16}}; }

Json quantization_config(const std::vector<std::string>& ignore) {
  Json group;
  group["input_activations"] = quantizer();
  group["weights"] = quantizer();
  group["targets"] = Json::array({"Linear"});
  Json config;
  config["config_groups"]["group_0"] = std::move(group);
  config["ignore"] = ignore;
  config["quant_algo"] = "NVFP4";
  config["producer"] = producer();
  config["quant_method"] = "modelopt";
  return config;
}

Json hf_quant_config(const std::vector<std::string>& exclude) {
  Json quantization;
  quantization["quant_algo"] = "NVFP4";
  quantization["kv_cache_quant_algo"] = nullptr;
  quantization["group_size"] = 16;
  quantization["exclude_modules"] = exclude;
  Json config;
  config["producer"] = producer();
  config["quantization"] = std::move(quantization);
  return config;
}

}  // namespace

QuantConfigs make_quant_configs(const Json& source_config, const ModelConfig& config, std::int64_t mtp_layers) {
  const std::vector<std::string> exclude = experts_only_exclude_list(config, mtp_layers);
  Json written = source_config;
  written.erase("quantization_config");
  // Loaders compute in the type that stands here; what was F32 or F16 is BF16 now.
  for (const char* key : {"torch_dtype", "dtype"})
    if (written.contains(key) && written[key].is_string()) written[key] = "bfloat16";
  written["quantization_config"] = quantization_config(exclude);
  return {written.dump(4) + "\n", hf_quant_config(exclude).dump(4) + "\n"};
}

Result<QuantConfigs> make_quant_configs(const Checkpoint& source, const ModelConfig& config) {
  return make_quant_configs(source.config(), config, count_mtp_layers(config, source));
}

}  // namespace tetrad
