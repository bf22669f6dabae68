#include "arch/model_config.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "arch/families.h"

namespace tetrad {
namespace {

constexpr std::int64_t kMaxTokenId = std::int64_t{1} << 31;

Status parse_family(const ConfigReader& json, ModelConfig& config) {
  config.model_type = TETRAD_TRY(json.text("model_type", ""));
  if (const Json* names = json.find("architectures")) {
    if (!names->is_array() || (!names->empty() && !names->front().is_string()))
      return json.invalid("architectures", "it is not a list of names");
    if (!names->empty()) config.architecture = names->front().get<std::string>();
  }
  // The first MiniMax-M2 release calls its type "minimax", as the older MiniMax-Text-01 does; the class tells them
  // apart.
  if (config.model_type == "minimax_m2" || config.architecture == "MiniMaxM2ForCausalLM") {
    config.family = Family::kMiniMaxM2;
  } else if (config.model_type == "glm_moe_dsa") {
    config.family = Family::kGlmMoeDsa;
  } else if (config.model_type.empty()) {
    return json.invalid("model_type", "it is missing");
  } else {
    return json.unsupported("model_type", fmt::format("\"{}\" is none of minimax_m2, glm_moe_dsa", config.model_type));
  }
  return {};
}

Status parse_tokens(const ConfigReader& json, ModelConfig& config) {
  // null and absent differ for transformers only in the default ids of the original vocabulary, which mean nothing for
  // another one.
  config.eos_ids = TETRAD_TRY(json.integers("eos_token_id", 0, kMaxTokenId));
  config.bos_id = TETRAD_TRY(json.integer("bos_token_id", -1, -1, kMaxTokenId));
  config.pad_id = TETRAD_TRY(json.integer("pad_token_id", -1, -1, kMaxTokenId));
  return {};
}

Status check_numbers(const ConfigReader& json, const ModelConfig& config) {
  if (config.experts_per_token > config.experts)
    return json.invalid("num_experts_per_tok",
                        fmt::format("{} of {} experts", config.experts_per_token, config.experts));
  if (config.layers * config.experts > kMaxExpertsOfModel)
    return json.invalid("num_hidden_layers",
                        fmt::format("{} layers of {} experts are too many", config.layers, config.experts));
  if (config.heads % config.kv_heads != 0)
    return json.invalid("num_key_value_heads", fmt::format("{} do not divide {} heads", config.kv_heads, config.heads));
  if (config.rotary_dim > config.head_dim || config.rotary_dim % 2 != 0 || config.rotary_dim < 2)
    return json.invalid(
        "rotary_dim", fmt::format("{} is not an even number up to the head's {}", config.rotary_dim, config.head_dim));
  return {};
}

}  // namespace

Result<Rope> parse_rope(const ConfigReader& json, double default_theta) {
  constexpr double kMaxTheta = 1e15;
  Rope rope{TETRAD_TRY(json.number("rope_theta", default_theta, 1.0, kMaxTheta)),
            TETRAD_TRY(json.number("partial_rotary_factor", 0.0, 0.0, 1.0))};
  for (const char* key : {"rope_parameters", "rope_scaling"}) {
    if (json.find(key) == nullptr) continue;
    const ConfigReader inner = TETRAD_TRY(json.object(key));
    for (const char* type_key : {"rope_type", "type"}) {
      const std::string type = TETRAD_TRY(inner.text(type_key, "default"));
      if (type != "default") return inner.unsupported(type_key, fmt::format("rotary embedding of type \"{}\"", type));
    }
    for (const char* scaled : {"factor", "short_factor", "long_factor", "mrope_section"})
      if (inner.find(scaled) != nullptr) return inner.unsupported(scaled, "scaled rotary embeddings are not supported");
    rope.theta = TETRAD_TRY(inner.number("rope_theta", rope.theta, 1.0, kMaxTheta));
    rope.factor = TETRAD_TRY(inner.number("partial_rotary_factor", rope.factor, 0.0, 1.0));
  }
  return rope;
}

Result<ModelConfig> ModelConfig::parse(const Json& object, const std::string& where) {
  if (!object.is_object()) return invalid_input("invalid configuration", where, "it is not an object");
  const ConfigReader json(object, where);
  ModelConfig config;
  TETRAD_TRY(parse_family(json, config));
  TETRAD_TRY(parse_tokens(json, config));
  TETRAD_TRY(config.family == Family::kMiniMaxM2 ? parse_minimax_m2(json, config) : parse_glm_moe_dsa(json, config));
  TETRAD_TRY(check_numbers(json, config));
  TETRAD_TRY(parse_stored_format(json, config));
  return config;
}

}  // namespace tetrad
