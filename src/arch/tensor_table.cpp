#include "arch/tensor_table.h"

namespace tetrad {
namespace {

class Table {
 public:
  std::vector<TensorRow> rows;

  void matrix(std::string module, std::int64_t outputs, std::int64_t inputs, Role role) {
    rows.push_back({std::move(module), ".weight", {outputs, inputs}, role, true});
  }
  void vector(std::string module, const char* suffix, std::int64_t size, Role role) {
    rows.push_back({std::move(module), suffix, {size}, role, false});
  }
  void norm(std::string module, std::int64_t size) { vector(std::move(module), ".weight", size, Role::kNorm); }
};

void gqa_attention(const ModelConfig& config, const std::string& prefix, Table& table) {
  const std::int64_t q = config.heads * config.head_dim, kv = config.kv_heads * config.head_dim;
  table.matrix(prefix + "q_proj", q, config.hidden, Role::kAttention);
  table.matrix(prefix + "k_proj", kv, config.hidden, Role::kAttention);
  table.matrix(prefix + "v_proj", kv, config.hidden, Role::kAttention);
  table.matrix(prefix + "o_proj", config.hidden, q, Role::kAttention);
  if (!config.qk_norm) return;
  table.norm(prefix + "q_norm", q);
  table.norm(prefix + "k_norm", kv);
}

void latent_attention(const ModelConfig& config, std::size_t layer, const std::string& prefix, Table& table) {
  const std::int64_t heads = config.heads, rope = config.qk_rope_dim, kv_rank = config.kv_lora_rank;
  const auto biased = [&](const char* name, std::int64_t outputs, std::int64_t inputs) {
    table.matrix(prefix + name, outputs, inputs, Role::kAttention);
    if (config.attention_bias) table.vector(prefix + name, ".bias", outputs, Role::kAttention);
  };
  biased("q_a_proj", config.q_lora_rank, config.hidden);
  table.norm(prefix + "q_a_layernorm", config.q_lora_rank);
  table.matrix(prefix + "q_b_proj", heads * config.head_dim, config.q_lora_rank, Role::kAttention);
  biased("kv_a_proj_with_mqa", kv_rank + rope, config.hidden);
  table.norm(prefix + "kv_a_layernorm", kv_rank);
  table.matrix(prefix + "kv_b_proj", heads * (config.qk_nope_dim + config.v_head_dim), kv_rank, Role::kAttention);
  biased("o_proj", config.hidden, heads * config.v_head_dim);
  if (!config.indexer[layer]) return;
  const std::string indexer = prefix + "indexer.";
  table.matrix(indexer + "wq_b", config.index_heads * config.index_head_dim, config.q_lora_rank, Role::kAttention);
  table.matrix(indexer + "wk", config.index_head_dim, config.hidden, Role::kAttention);
  table.norm(indexer + "k_norm", config.index_head_dim);
  table.vector(indexer + "k_norm", ".bias", config.index_head_dim, Role::kNorm);
  table.matrix(indexer + "weights_proj", config.index_heads, config.hidden, Role::kAttention);
}

void glm_mlp(const ModelConfig& config, const std::string& prefix, std::int64_t width, Role role, Table& table) {
  table.matrix(prefix + "gate_proj", width, config.hidden, role);
  table.matrix(prefix + "up_proj", width, config.hidden, role);
  table.matrix(prefix + "down_proj", config.hidden, width, role);
}

void experts(const ModelConfig& config, std::int64_t layer, Table& table) {
  const std::string prefix = config.moe_prefix(layer), router = config.router_module(layer);
  table.matrix(router, config.experts, config.hidden, Role::kRouter);
  if (config.routing_bias) {
    const std::string owner = config.family == Family::kMiniMaxM2 ? prefix : router + ".";
    table.vector(owner + "e_score_correction_bias", "", config.experts, Role::kRouterBias);
  }
  for (std::int64_t expert = 0; expert < config.experts; ++expert)
    for (int projection = 0; projection < 3; ++projection)
      table.matrix(config.expert_module(layer, expert, projection), config.projection_rows(projection),
                   config.projection_cols(projection), Role::kExpert);
  if (config.shared_experts > 0)
    glm_mlp(config, prefix + "shared_experts.", config.shared_experts * config.expert_width, Role::kSharedExpert,
            table);
}

}  // namespace

std::vector<TensorRow> tensor_table(const ModelConfig& config) {
  Table table;
  table.matrix("model.embed_tokens", config.vocab, config.hidden, Role::kEmbedding);
  table.rows.back().linear = false;
  for (std::int64_t layer = 0; layer < config.layers; ++layer) {
    const std::string prefix = config.layer_prefix(layer);
    table.norm(prefix + "input_layernorm", config.hidden);
    if (config.family == Family::kMiniMaxM2)
      gqa_attention(config, prefix + "self_attn.", table);
    else
      latent_attention(config, static_cast<std::size_t>(layer), prefix + "self_attn.", table);
    table.norm(prefix + "post_attention_layernorm", config.hidden);
    if (config.sparse[static_cast<std::size_t>(layer)])
      experts(config, layer, table);
    else
      glm_mlp(config, config.moe_prefix(layer), config.dense_width, Role::kDenseMlp, table);
  }
  table.norm("model.norm", config.hidden);
  if (!config.tie_embeddings) table.matrix("lm_head", config.vocab, config.hidden, Role::kHead);
  return std::move(table.rows);
}

}  // namespace tetrad
