#include "arch/tensor_table.h"

#include <gmock/gmock.h>

#include <map>
#include <nlohmann/json.hpp>

namespace tetrad {
namespace {

std::map<std::string, Shape> by_name(const std::vector<TensorRow>& table) {
  std::map<std::string, Shape> names;
  for (const TensorRow& row : table)
    EXPECT_TRUE(names.emplace(row.module + row.suffix, row.shape).second) << row.module;
  return names;
}

TEST(TensorTable, IsWhatTheBundledModelStores) {
  const Checkpoint checkpoint = Checkpoint::open("models/tiny-minimax-m2").value();
  const ModelConfig config = ModelConfig::parse(checkpoint.config(), "config.json").value();
  auto expected = by_name(tensor_table(config));
  for (const Checkpoint::Entry& entry : checkpoint.entries()) {
    if (entry.name.ends_with("_scale_inv")) continue;
    ASSERT_TRUE(expected.contains(entry.name)) << entry.name;
    EXPECT_EQ(expected[entry.name], entry.view.shape) << entry.name;
    expected.erase(entry.name);
  }
  EXPECT_TRUE(expected.empty()) << expected.begin()->first;
  EXPECT_EQ(count_mtp_layers(config, checkpoint), 0);
}

// tests/data/arch/tiny_glm.json: config.json and tensor shapes of a small GLM-5 that transformers wrote, with an MTP
// layer.
TEST(TensorTable, IsWhatTransformersWritesForGlm) {
  const Json golden = read_json_file("tests/data/arch/tiny_glm.json").value();
  const ModelConfig config = ModelConfig::parse(golden["config"], "config.json").value();
  EXPECT_EQ(config.family, Family::kGlmMoeDsa);
  EXPECT_EQ(config.mtp_layers, 1);
  EXPECT_THAT(config.sparse, testing::ElementsAre(false, true, true));
  auto expected = by_name(tensor_table(config));
  for (const auto& [name, shape] : golden["tensors"].items()) {
    const TensorIdentity identity = identify_tensor(config, name);
    if (identity.role == Role::kMtp) {
      EXPECT_EQ(identity.layer, 3);
      continue;
    }
    ASSERT_TRUE(expected.contains(name)) << name;
    EXPECT_EQ(expected[name], shape.get<Shape>()) << name;
    expected.erase(name);
  }
  EXPECT_TRUE(expected.empty()) << expected.begin()->first;
}

TEST(TensorTable, GlmLayersWithSharedIndexersHaveNone) {
  Json json = read_json_file("tests/data/arch/tiny_glm.json").value()["config"];
  json.erase("indexer_types");
  json["index_topk_pattern"] = "FSF";
  const ModelConfig config = ModelConfig::parse(json, "config.json").value();
  const auto names = by_name(tensor_table(config));
  EXPECT_TRUE(names.contains("model.layers.0.self_attn.indexer.wk.weight"));
  EXPECT_FALSE(names.contains("model.layers.1.self_attn.indexer.wk.weight"));
}

// Every row's name leads back to its module, suffix and role.
TEST(TensorTable, IdentifiesItsOwnRows) {
  const Json glm = read_json_file("tests/data/arch/tiny_glm.json").value()["config"];
  const Json minimax = read_json_file("models/tiny-minimax-m2/config.json").value();
  for (const Json& json : {glm, minimax}) {
    const ModelConfig config = ModelConfig::parse(json, "config.json").value();
    for (const TensorRow& row : tensor_table(config)) {
      const TensorIdentity identity = identify_tensor(config, row.module + row.suffix);
      EXPECT_EQ(identity.role, row.role) << row.module;
      EXPECT_EQ(identity.module, row.module);
      EXPECT_EQ(identity.suffix, row.suffix);
    }
  }
}

TEST(TensorTable, IdentifiesStoredForms) {
  const ModelConfig config = ModelConfig::parse(Json{{"model_type", "minimax_m2"}}, "config.json").value();
  const TensorIdentity scale =
      identify_tensor(config, "model.layers.61.block_sparse_moe.experts.255.w3.weight_scale_2");
  EXPECT_EQ(scale.role, Role::kExpert);
  EXPECT_EQ(scale.layer, 61);
  EXPECT_EQ(scale.expert, 255);
  EXPECT_EQ(scale.projection, 1);
  EXPECT_EQ(scale.suffix, ".weight_scale_2");
  EXPECT_EQ(scale.module, config.expert_module(61, 255, 1));
  EXPECT_EQ(identify_tensor(config, "model.layers.62.mlp.whatever").role, Role::kMtp);
  EXPECT_EQ(identify_tensor(config, "model.layers.0.self_attn.k_proj.k_scale").role, Role::kAttention);
  for (const char* name :
       {"model.layers.-1.input_layernorm.weight", "model.layers.01.input_layernorm.weight",
        "model.layers.99999999999999999999.x", "model.layers.0.block_sparse_moe.experts.256.w1.weight",
        "model.layers.0.mlp.experts.0.gate_proj.weight", "", ".weight", "model.layers.",
        "model.layers.0.block_sparse_moe.experts.0.w4.weight", "transformer.wte.weight"})
    EXPECT_EQ(identify_tensor(config, name).role, Role::kOther) << name;
}

}  // namespace
}  // namespace tetrad
