#include "arch/model_config.h"

#include <gmock/gmock.h>

#include <nlohmann/json.hpp>

namespace tetrad {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;

Json released() { return read_json_file("models/tiny-minimax-m2/config.json").value(); }

std::string fault_of(const Json& config) {
  auto parsed = ModelConfig::parse(config, "config.json");
  return parsed ? "none" : parsed.error().message;
}

std::string fault_with(const char* key, const char* value) {
  Json config = released();
  config[key] = Json::parse(value);
  return fault_of(config);
}

TEST(ModelConfig, ReadsTheReleasedForm) {
  const ModelConfig config = ModelConfig::parse(released(), "config.json").value();
  EXPECT_EQ(config.family, Family::kMiniMaxM2);
  EXPECT_EQ(config.architecture, "MiniMaxM2ForCausalLM");
  EXPECT_EQ(config.stored, StoredFormat::kFp8Block);
  EXPECT_EQ(config.vocab, 6144);
  EXPECT_EQ(config.hidden, 256);
  EXPECT_EQ(config.layers, 4);
  EXPECT_EQ(config.experts, 32);
  EXPECT_EQ(config.experts_per_token, 4);
  EXPECT_EQ(config.expert_width, 128);
  EXPECT_EQ(config.head_dim, 64);
  EXPECT_EQ(config.rotary_dim, 32);
  EXPECT_EQ(config.rope_theta, 10000.0);
  EXPECT_TRUE(config.qk_norm && config.routing_bias && !config.tie_embeddings);
  EXPECT_THAT(config.eos_ids, ElementsAre(6138));
  EXPECT_EQ(config.bos_id, 6139);
  EXPECT_EQ(config.expert_module(3, 5, 1), "model.layers.3.block_sparse_moe.experts.5.w3");
  EXPECT_EQ(config.router_module(0), "model.layers.0.block_sparse_moe.gate");
}

TEST(ModelConfig, ReadsTransformersForm) {
  Json config = released();
  config.erase("rotary_dim");
  config.erase("rope_theta");
  config["rope_parameters"] = {{"rope_theta", 123.0}, {"partial_rotary_factor", 0.25}, {"rope_type", "default"}};
  config["eos_token_id"] = {1, 2};
  const ModelConfig parsed = ModelConfig::parse(config, "config.json").value();
  EXPECT_EQ(parsed.rotary_dim, 16);
  EXPECT_EQ(parsed.rope_theta, 123.0);
  EXPECT_THAT(parsed.eos_ids, ElementsAre(1, 2));
}

TEST(ModelConfig, AbsentKeysHaveTransformersDefaults) {
  const ModelConfig config = ModelConfig::parse(Json{{"model_type", "minimax_m2"}}, "config.json").value();
  EXPECT_EQ(config.vocab, 200064);
  EXPECT_EQ(config.layers, 62);
  EXPECT_EQ(config.experts, 256);
  EXPECT_EQ(config.rope_theta, 5e6);
  EXPECT_EQ(config.rotary_dim, 128);
  EXPECT_EQ(config.stored, StoredFormat::kPlain);
}

// Keys of the released MiniMax-M2.7 that change nothing here.
TEST(ModelConfig, AcceptsTheReleasedModelsOtherKeys) {
  Json config = released();
  config["num_mtp_modules"] = 3;
  config["mtp_transformer_layers"] = 1;
  config["use_mtp"] = true;
  config["sliding_window"] = nullptr;
  config["model_type"] = "minimax";
  config["eos_token_id"] = nullptr;
  config["layernorm_full_attention_beta"] = 1.0;
  const ModelConfig parsed = ModelConfig::parse(config, "config.json").value();
  EXPECT_EQ(parsed.mtp_layers, 0);
  EXPECT_TRUE(parsed.eos_ids.empty());
}

TEST(ModelConfig, RefusesWhatItWouldHaveToIgnore) {
  for (const auto& [key, value] :
       std::vector<std::pair<const char*, const char*>>{{"attn_type_list", "[1,1,0,1]"},
                                                        {"scoring_func", "\"softmax\""},
                                                        {"shared_intermediate_size", "128"},
                                                        {"hidden_act", "\"gelu\""},
                                                        {"qk_norm_type", "\"per_head\""},
                                                        {"sliding_window", "512"},
                                                        {"rope_scaling", R"({"type":"yarn","factor":4})"},
                                                        {"rope_parameters", R"({"rope_type":"llama3"})"},
                                                        {"attention_bias", "true"}}) {
    EXPECT_THAT(fault_with(key, value), AllOf(HasSubstr("unsupported model: config.json: "), HasSubstr(key))) << key;
  }
  Json other = released();
  other["model_type"] = "llama";
  other["architectures"] = {"LlamaForCausalLM"};
  EXPECT_THAT(fault_of(other), HasSubstr("\"llama\" is none of minimax_m2, glm_moe_dsa"));
}

TEST(ModelConfig, RefusesNumbersOutOfRange) {
  for (const auto& [key, value] :
       std::vector<std::pair<const char*, const char*>>{{"hidden_size", "-256"},
                                                        {"hidden_size", "0"},
                                                        {"hidden_size", "\"256\""},
                                                        {"hidden_size", "256.5"},
                                                        {"vocab_size", "1e30"},
                                                        {"vocab_size", "18446744073709551615"},
                                                        {"num_hidden_layers", "1000000"},
                                                        {"num_key_value_heads", "3"},
                                                        {"num_experts_per_tok", "33"},
                                                        {"rotary_dim", "65"},
                                                        {"rotary_dim", "31"},
                                                        {"rope_theta", "0"},
                                                        {"rope_theta", "-1"},
                                                        {"rms_norm_eps", "-1e-6"},
                                                        {"rms_norm_eps", "[]"},
                                                        {"tie_word_embeddings", "1"},
                                                        {"attn_type_list", "[1]"},
                                                        {"attn_type_list", "[1,1,1,true]"},
                                                        {"eos_token_id", "-5"},
                                                        {"eos_token_id", "{}"},
                                                        {"architectures", "5"},
                                                        {"model_type", "7"},
                                                        {"num_local_experts", "100000"}}) {
    EXPECT_THAT(fault_with(key, value), AllOf(HasSubstr("invalid configuration: config.json: "), HasSubstr(key)))
        << key << " " << value;
  }
  EXPECT_THAT(fault_of(Json::array()), HasSubstr("not an object"));
  EXPECT_THAT(fault_of(Json::object()), HasSubstr("model_type"));
}

TEST(ModelConfig, TheTableOfAHugeModelIsRefused) {
  Json config = released();
  config.erase("attn_type_list");
  config["num_hidden_layers"] = 1000;
  config["num_local_experts"] = 4096;
  EXPECT_THAT(fault_of(config), HasSubstr("too many"));
}

StoredFormat stored_as(const char* quantization) {
  Json config = released();
  config["quantization_config"] = Json::parse(quantization);
  auto parsed = ModelConfig::parse(config, "config.json");
  EXPECT_TRUE(parsed.has_value()) << quantization << (parsed ? "" : parsed.error().message);
  return parsed->stored;
}

TEST(ModelConfig, KnowsTheStoredFormats) {
  EXPECT_EQ(stored_as("null"), StoredFormat::kPlain);
  EXPECT_EQ(
      stored_as(
          R"({"quant_method":"modelopt","quant_algo":"NVFP4","config_groups":{"group_0":{"weights":{"num_bits":4,"type":"float","group_size":16}}}})"),
      StoredFormat::kNvfp4ModelOpt);
  EXPECT_EQ(stored_as(R"({"quant_method":"compressed-tensors","format":"nvfp4-pack-quantized"})"),
            StoredFormat::kNvfp4CompressedTensors);
  Json config = released();
  config["quantization_config"]["weight_block_size"] = {64, 32};
  const ModelConfig parsed = ModelConfig::parse(config, "config.json").value();
  EXPECT_EQ(parsed.fp8_block_rows, 64);
  EXPECT_EQ(parsed.fp8_block_cols, 32);
}

TEST(ModelConfig, NamesUnknownStoredFormats) {
  EXPECT_THAT(fault_with("quantization_config", R"({"quant_method":"gptq"})"),
              HasSubstr("quantization_config: quant_method: \"gptq\""));
  EXPECT_THAT(fault_with("quantization_config", R"({"quant_method":"modelopt","quant_algo":"FP8"})"),
              HasSubstr("quant_algo: \"FP8\""));
  EXPECT_THAT(
      fault_with(
          "quantization_config",
          R"({"quant_method":"modelopt","quant_algo":"NVFP4","config_groups":{"g":{"weights":{"group_size":32}}}})"),
      HasSubstr("groups of 32"));
  EXPECT_THAT(fault_with("quantization_config", R"({"quant_method":"compressed-tensors","format":"pack-quantized"})"),
              HasSubstr("\"pack-quantized\""));
  EXPECT_THAT(fault_with("quantization_config", R"({"quant_method":"fp8"})"), HasSubstr("weight_block_size"));
  EXPECT_THAT(fault_with("quantization_config", R"({"quant_method":"fp8","weight_block_size":[128,0]})"),
              HasSubstr("weight_block_size"));
  EXPECT_THAT(fault_with("quantization_config", "[]"), HasSubstr("quantization_config: it is not an object"));
}

}  // namespace
}  // namespace tetrad
