// GLM-5 (glm_moe_dsa): multi-head latent attention with DeepSeek's sparse-attention indexer; the first layers dense,
// then experts with a shared one. Enough for its tensor table: tetrad quantizes, inspects and verifies it, but does not
// run it. Defaults: transformers' GlmMoeDsaConfig.
#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "arch/families.h"

namespace tetrad {
namespace {

// A list of one word per layer that must be `yes` or `no`; true for `yes`.
Result<std::vector<bool>> words(const ConfigReader& json, const char* key, const ModelConfig& config, const char* yes,
                                const char* no) {
  std::vector<bool> list;
  const Json* value = json.find(key);
  if (value == nullptr) return list;
  if (!value->is_array() || static_cast<std::int64_t>(value->size()) != config.layers)
    return json.invalid(key, fmt::format("it is not a list of one word for each of the {} layers", config.layers));
  for (const Json& word : *value) {
    if (word != yes && word != no)
      return json.unsupported(key, fmt::format("only \"{}\" and \"{}\" are known", yes, no));
    list.push_back(word == yes);
  }
  return list;
}

Result<std::vector<bool>> sparse_layers(const ConfigReader& json, const ModelConfig& config) {
  std::vector<bool> sparse = TETRAD_TRY(words(json, "mlp_layer_types", config, "sparse", "dense"));
  const std::int64_t dense = TETRAD_TRY(json.integer("first_k_dense_replace", 3, 0, kMaxLayers));
  for (std::int64_t layer = static_cast<std::int64_t>(sparse.size()); layer < config.layers; ++layer)
    sparse.push_back(layer >= dense);
  return sparse;
}

// Layers of kind "shared" use the choice of the layer before and have no indexer. A list, a pattern of F and S, or
// every index_topk_freq-th layer from index_skip_topk_offset on.
Result<std::vector<bool>> indexer_layers(const ConfigReader& json, const ModelConfig& config) {
  std::vector<bool> full = TETRAD_TRY(words(json, "indexer_types", config, "full", "shared"));
  if (!full.empty()) return full;
  if (const Json* pattern = json.find("index_topk_pattern"); pattern != nullptr && !pattern->is_string())
    return words(json, "index_topk_pattern", config, "full", "shared");
  const std::string pattern = TETRAD_TRY(json.text("index_topk_pattern", ""));
  if (!pattern.empty()) {
    const bool known = std::all_of(pattern.begin(), pattern.end(), [](char c) { return c == 'F' || c == 'S'; });
    if (!known || static_cast<std::int64_t>(pattern.size()) != config.layers)
      return json.invalid("index_topk_pattern", fmt::format("it is not {} letters F and S", config.layers));
    for (const char c : pattern) full.push_back(c == 'F');
    return full;
  }
  const std::int64_t every = std::max<std::int64_t>(TETRAD_TRY(json.integer("index_topk_freq", 1, 0, kMaxLayers)), 1);
  const std::int64_t offset = TETRAD_TRY(json.integer("index_skip_topk_offset", 2, 0, kMaxLayers));
  for (std::int64_t layer = 0; layer < config.layers; ++layer)
    full.push_back(std::max<std::int64_t>(layer - offset + 1, 0) % every == 0);
  return full;
}

}  // namespace

Status parse_glm_moe_dsa(const ConfigReader& json, ModelConfig& config) {
  config.vocab = TETRAD_TRY(json.integer("vocab_size", 154880, 1, kMaxVocab));
  config.hidden = TETRAD_TRY(json.integer("hidden_size", 6144, 1, kMaxHidden));
  config.layers = TETRAD_TRY(json.integer("num_hidden_layers", 78, 1, kMaxLayers));
  config.heads = TETRAD_TRY(json.integer("num_attention_heads", 64, 1, kMaxHeads));
  config.kv_heads = TETRAD_TRY(json.integer("num_key_value_heads", 64, 1, kMaxHeads));
  config.q_lora_rank = TETRAD_TRY(json.integer("q_lora_rank", 2048, 1, kMaxHidden));
  config.kv_lora_rank = TETRAD_TRY(json.integer("kv_lora_rank", 512, 1, kMaxHidden));
  config.qk_nope_dim = TETRAD_TRY(json.integer("qk_nope_head_dim", 192, 1, kMaxHeadDim));
  config.qk_rope_dim = TETRAD_TRY(json.integer("qk_rope_head_dim", 64, 2, kMaxHeadDim));
  config.v_head_dim = TETRAD_TRY(json.integer("v_head_dim", 256, 1, kMaxHeadDim));
  config.head_dim = config.qk_nope_dim + config.qk_rope_dim;
  config.rotary_dim = config.qk_rope_dim;
  config.index_heads = TETRAD_TRY(json.integer("index_n_heads", 32, 1, kMaxHeads));
  config.index_head_dim = TETRAD_TRY(json.integer("index_head_dim", 128, 1, kMaxHeadDim));
  config.dense_width = TETRAD_TRY(json.integer("intermediate_size", 12288, 1, kMaxWidth));
  config.expert_width = TETRAD_TRY(json.integer("moe_intermediate_size", 2048, 1, kMaxWidth));
  const char* experts_key = json.find("n_routed_experts") == nullptr && json.find("num_local_experts") != nullptr
                                ? "num_local_experts"
                                : "n_routed_experts";
  config.experts = TETRAD_TRY(json.integer(experts_key, 256, 1, kMaxExperts));
  config.experts_per_token = TETRAD_TRY(json.integer("num_experts_per_tok", 8, 1, kMaxExperts));
  config.shared_experts = TETRAD_TRY(json.integer("n_shared_experts", 1, 0, 64));
  config.mtp_layers = TETRAD_TRY(json.integer("num_nextn_predict_layers", 0, 0, 64));
  config.max_position = TETRAD_TRY(json.integer("max_position_embeddings", 202752, 1, kMaxPosition));
  config.rms_eps = TETRAD_TRY(json.number("rms_norm_eps", 1e-5, 0.0, 1.0));
  config.tie_embeddings = TETRAD_TRY(json.boolean("tie_word_embeddings", false));
  config.attention_bias = TETRAD_TRY(json.boolean("attention_bias", false));
  if (TETRAD_TRY(json.boolean("mlp_bias", false))) return json.unsupported("mlp_bias", "biases are not supported");
  config.routing_bias = true;
  config.rope_theta = TETRAD_TRY(parse_rope(json, 10'000.0)).theta;
  config.sparse = TETRAD_TRY(sparse_layers(json, config));
  config.indexer = TETRAD_TRY(indexer_layers(json, config));
  return {};
}

}  // namespace tetrad
