// MiniMax-M2: the keys of the released config.json (rope_theta, rotary_dim) and of transformers 5 (rope_parameters).
// Defaults: transformers' MiniMaxM2Config.
#include <fmt/format.h>

#include <algorithm>

#include "arch/families.h"

namespace tetrad {
namespace {

// Keys whose other values mean a model that computes something else.
Status refuse_variants(const ConfigReader& json, const ModelConfig& config) {
  const std::string act = TETRAD_TRY(json.text("hidden_act", "silu"));
  if (act != "silu") return json.unsupported("hidden_act", fmt::format("\"{}\" is not silu", act));
  const std::string scoring = TETRAD_TRY(json.text("scoring_func", "sigmoid"));
  if (scoring != "sigmoid") return json.unsupported("scoring_func", fmt::format("\"{}\" is not sigmoid", scoring));
  const std::string norm = TETRAD_TRY(json.text("qk_norm_type", "per_layer"));
  if (norm != "per_layer") return json.unsupported("qk_norm_type", fmt::format("\"{}\" is not per_layer", norm));
  const std::int64_t shared = TETRAD_TRY(json.integer("shared_intermediate_size", 0, 0, kMaxWidth));
  if (shared != 0)
    return json.unsupported("shared_intermediate_size", fmt::format("{}: shared experts are not supported", shared));
  if (json.find("sliding_window") != nullptr)
    return json.unsupported("sliding_window", "sliding windows are not supported");
  if (TETRAD_TRY(json.boolean("attention_bias", false)))
    return json.unsupported("attention_bias", "biases are not supported");

  const std::vector<std::int64_t> attention = TETRAD_TRY(json.integers("attn_type_list", 0, 1 << 20));
  if (!attention.empty() && static_cast<std::int64_t>(attention.size()) != config.layers)
    return json.invalid("attn_type_list", fmt::format("{} entries for {} layers", attention.size(), config.layers));
  const auto other = std::find_if(attention.begin(), attention.end(), [](std::int64_t type) { return type != 1; });
  if (other != attention.end())
    return json.unsupported("attn_type_list",
                            fmt::format("attention of type {} is not supported, only 1 (full)", *other));
  return {};
}

Result<std::int64_t> rotary_dim_of(const ConfigReader& json, double factor, std::int64_t head_dim) {
  const std::int64_t stated = TETRAD_TRY(json.integer("rotary_dim", 0, 1, kMaxHeadDim));
  if (factor == 0) return stated == 0 ? head_dim : stated;
  const auto computed = static_cast<std::int64_t>(static_cast<double>(head_dim) * factor);
  if (stated != 0 && stated != computed)
    return json.invalid("rotary_dim",
                        fmt::format("{} is not partial_rotary_factor {} of the head's {}", stated, factor, head_dim));
  return computed;
}

}  // namespace

Status parse_minimax_m2(const ConfigReader& json, ModelConfig& config) {
  config.vocab = TETRAD_TRY(json.integer("vocab_size", 200064, 1, kMaxVocab));
  config.hidden = TETRAD_TRY(json.integer("hidden_size", 3072, 1, kMaxHidden));
  config.layers = TETRAD_TRY(json.integer("num_hidden_layers", 62, 1, kMaxLayers));
  config.heads = TETRAD_TRY(json.integer("num_attention_heads", 48, 1, kMaxHeads));
  config.kv_heads = TETRAD_TRY(json.integer("num_key_value_heads", 8, 1, kMaxHeads));
  config.head_dim = TETRAD_TRY(json.integer("head_dim", 128, 2, kMaxHeadDim));
  const char* experts_key = json.find("num_local_experts") == nullptr && json.find("num_experts") != nullptr
                                ? "num_experts"
                                : "num_local_experts";
  config.experts = TETRAD_TRY(json.integer(experts_key, 256, 1, kMaxExperts));
  config.experts_per_token = TETRAD_TRY(json.integer("num_experts_per_tok", 8, 1, kMaxExperts));
  config.expert_width = TETRAD_TRY(json.integer("intermediate_size", 1536, 1, kMaxWidth));
  config.max_position = TETRAD_TRY(json.integer("max_position_embeddings", 196608, 1, kMaxPosition));
  config.rms_eps = TETRAD_TRY(json.number("rms_norm_eps", 1e-6, 0.0, 1.0));
  config.tie_embeddings = TETRAD_TRY(json.boolean("tie_word_embeddings", false));
  config.qk_norm = TETRAD_TRY(json.boolean("use_qk_norm", true));
  config.routing_bias = TETRAD_TRY(json.boolean("use_routing_bias", true));
  config.sparse.assign(static_cast<std::size_t>(config.layers), true);
  const Rope rope = TETRAD_TRY(parse_rope(json, 5'000'000.0));
  config.rope_theta = rope.theta;
  config.rotary_dim = TETRAD_TRY(rotary_dim_of(json, rope.factor, config.head_dim));
  return refuse_variants(json, config);
}

}  // namespace tetrad
