// Against the files that Model Optimizer wrote: small models, and lists of full depth.
#include "quant/quant_config.h"

#include <gmock/gmock.h>

#include <nlohmann/json.hpp>

#include "quant/exclude_list.h"

namespace tetrad {
namespace {

using testing::ElementsAre;

Json json_file(const std::string& path) { return read_json_file(path).value(); }

// Compared as text: the order of keys counts.
void expect_configs(const std::string& source, const std::string& golden) {
  const Json config = json_file("tests/data/golden/" + source + "/config.json");
  const ModelConfig model = ModelConfig::parse(config, source).value();
  const QuantConfigs written = make_quant_configs(config, model, 0);
  const std::string directory = "tests/data/golden/" + golden;
  EXPECT_EQ(parse_json(written.config_json, "").value().dump(1), json_file(directory + "/config.json").dump(1))
      << golden;
  EXPECT_EQ(parse_json(written.hf_quant_config_json, "").value().dump(1),
            json_file(directory + "/hf_quant_config.json").dump(1))
      << golden;
  EXPECT_TRUE(written.config_json.starts_with("{\n    \"")) << written.config_json;
  EXPECT_TRUE(written.config_json.ends_with("}\n"));
}

TEST(QuantConfig, IsWhatModelOptimizerWrites) {
  expect_configs("tiny_m2_bf16", "tiny_m2_nvfp4");
  expect_configs("tiny_m2_fp8", "tiny_m2_fp8_dequant_bf16_nvfp4");  // the source's quantization_config goes
  expect_configs("tiny_glm_bf16", "tiny_glm_nvfp4");
}

TEST(QuantConfig, KeepsEveryKeyOfTheSource) {
  Json config = json_file("tests/data/golden/tiny_m2_fp8/config.json");
  config["an_unknown_key"] = {{"nested", {1, 2.5, nullptr}}};
  const ModelConfig model = ModelConfig::parse(config, "").value();
  const Json written = parse_json(make_quant_configs(config, model, 0).config_json, "").value();
  for (const auto& [key, value] : config.items()) {
    if (key == "quantization_config") continue;
    EXPECT_EQ(written[key], value) << key;
  }
  EXPECT_EQ(written.size(), config.size());
  EXPECT_EQ(std::prev(written.end()).key(), "quantization_config");
  EXPECT_EQ(written["quantization_config"]["quant_method"], "modelopt");
}

TEST(QuantConfig, SaysTheTypeThatIsStored) {
  Json config = json_file("tests/data/golden/tiny_m2_bf16/config.json");
  for (const char* key : {"torch_dtype", "dtype"}) {
    config.erase("torch_dtype");
    config.erase("dtype");
    config[key] = "float32";
    const ModelConfig model = ModelConfig::parse(config, "").value();
    const Json written = parse_json(make_quant_configs(config, model, 0).config_json, "").value();
    EXPECT_EQ(written[key], "bfloat16");
    EXPECT_EQ(written.size(), config.size() + 1);
  }
}

TEST(QuantConfig, StoredMtpLayersAreExcluded) {
  const Checkpoint source = Checkpoint::open("tests/data/golden/tiny_glm_bf16").value();
  const ModelConfig model = ModelConfig::parse(source.config(), "").value();
  const QuantConfigs written = make_quant_configs(source, model).value();
  const Json ignore = parse_json(written.config_json, "").value()["quantization_config"]["ignore"];
  EXPECT_EQ(ignore.back(), "model.layers.3*");
  EXPECT_EQ(
      ignore.size(),
      json_file("tests/data/golden/tiny_glm_nvfp4/hf_quant_config.json")["quantization"]["exclude_modules"].size() + 1);
}

// A config of the small model's kind with the depth of the real one.
ModelConfig at_depth(const std::string& source, std::int64_t layers, std::int64_t dense) {
  Json config = json_file("tests/data/golden/" + source + "/config.json");
  config["num_hidden_layers"] = layers;
  for (const char* const list : {"indexer_types", "layer_types", "mlp_layer_types"}) config.erase(list);
  if (dense > 0) config["first_k_dense_replace"] = dense;
  return ModelConfig::parse(config, source).value();
}

TEST(ExcludeList, OfFullDepth) {
  const Json minimax =
      json_file("tests/data/nvfp4/quant_config_minimax_m2_62_layers.json")["hf_quant_config.json"]["quantization"]
                                                                          ["exclude_modules"];
  EXPECT_EQ(Json(experts_only_exclude_list(at_depth("tiny_m2_bf16", 62, 0), 0)), minimax);
  const Json glm = json_file("tests/data/nvfp4/quant_config_glm_5_1_78_layers.json")["hf_quant_config.json"]
                                                                                    ["quantization"]["exclude_modules"];
  EXPECT_EQ(Json(experts_only_exclude_list(at_depth("tiny_glm_bf16", 78, 3), 1)), glm);
}

TEST(ExcludeList, ShortestPrefixThatNamesNothingQuantized) {
  EXPECT_THAT(exclude_patterns({"m.1.e.0.w", "m.10.e.0.w", "m.3.e.0.w"},
                               {"m.2.a.q", "m.2.a.k", "m.1.e.00.w", "m.1.a.q", "m.10.gate", "head", "m.3.e.0.w.x"}),
              ElementsAre("head", "m.1.a*", "m.1.e.00*", "m.10.gate", "m.2*", "m.3.e.0.w.x"));
  EXPECT_THAT(exclude_patterns({"m.10.w"}, {"m.1.w"}), ElementsAre("m.1.*"));
  EXPECT_THAT(exclude_patterns({}, {"a.b", "c"}), ElementsAre("a*", "c"));
}

TEST(ExcludeList, TiedHeadIsListed) {
  Json config = json_file("tests/data/golden/tiny_m2_bf16/config.json");
  config["tie_word_embeddings"] = true;
  const ModelConfig model = ModelConfig::parse(config, "").value();
  EXPECT_EQ(experts_only_exclude_list(model, 0).front(), "lm_head");
}

}  // namespace
}  // namespace tetrad
