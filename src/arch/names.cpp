// Module names of the families, and back: what a stored tensor is by its name.
#include <fmt/format.h>

#include <array>
#include <charconv>
#include <set>

#include "arch/tensor_table.h"
#include "base/check.h"

namespace tetrad {
namespace {

constexpr std::array<std::string_view, 3> kMiniMaxProjections = {"w1", "w3", "w2"};
constexpr std::array<std::string_view, 3> kGlmProjections = {"gate_proj", "up_proj", "down_proj"};

const std::array<std::string_view, 3>& projections(const ModelConfig& config) {
  return config.family == Family::kMiniMaxM2 ? kMiniMaxProjections : kGlmProjections;
}

// What may follow a module's name. e_score_correction_bias is a module of its own, without suffix.
constexpr std::array<std::string_view, 14> kSuffixes = {".weight",
                                                        ".bias",
                                                        ".weight_scale",
                                                        ".weight_scale_2",
                                                        ".weight_scale_inv",
                                                        ".input_scale",
                                                        ".weight_packed",
                                                        ".weight_global_scale",
                                                        ".input_global_scale",
                                                        ".weight_shape",
                                                        ".pre_quant_scale",
                                                        ".k_scale",
                                                        ".v_scale",
                                                        ".weight_zero_point"};

bool eat(std::string_view& text, std::string_view prefix) {
  if (!text.starts_with(prefix)) return false;
  text.remove_prefix(prefix.size());
  return true;
}

// A number as names have it: no sign, no leading zeros.
bool eat_number(std::string_view& text, std::int64_t& number) {
  const auto [end, fault] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (fault != std::errc() || number < 0) return false;
  const auto length = static_cast<std::size_t>(end - text.data());
  if (length > 1 && text[0] == '0') return false;
  text.remove_prefix(length);
  return true;
}

Role attention_role(std::string_view module) {
  if (module.ends_with("norm")) return Role::kNorm;  // q_norm, k_norm, q_a_layernorm, indexer.k_norm
  for (const std::string_view known :
       {"q_proj", "k_proj", "v_proj", "o_proj", "q_a_proj", "q_b_proj", "kv_a_proj_with_mqa", "kv_b_proj",
        "indexer.wq_b", "indexer.wk", "indexer.weights_proj"})
    if (module == known) return Role::kAttention;
  return Role::kOther;
}

// `rest` is the module's name behind that of the MoE block or MLP.
Role mlp_role(const ModelConfig& config, std::string_view rest, TensorIdentity& identity) {
  const auto& names = projections(config);
  if (eat(rest, "experts.")) {
    std::int64_t expert = -1;
    if (!eat_number(rest, expert) || !eat(rest, ".") || expert >= config.experts) return Role::kOther;
    for (int i = 0; i < 3; ++i) {
      if (rest != names[static_cast<std::size_t>(i)]) continue;
      identity.expert = expert;
      identity.projection = i;
      return Role::kExpert;
    }
    return Role::kOther;
  }
  if (rest == "gate") return Role::kRouter;
  if (rest == "e_score_correction_bias" || rest == "gate.e_score_correction_bias") return Role::kRouterBias;
  if (config.family == Family::kMiniMaxM2) return Role::kOther;
  const Role role = eat(rest, "shared_experts.") ? Role::kSharedExpert : Role::kDenseMlp;
  for (const std::string_view name : names)
    if (rest == name) return role;
  return Role::kOther;
}

Role layer_role(const ModelConfig& config, std::string_view rest, TensorIdentity& identity) {
  if (rest == "input_layernorm" || rest == "post_attention_layernorm") return Role::kNorm;
  if (eat(rest, "self_attn.")) return attention_role(rest);
  if (eat(rest, config.family == Family::kMiniMaxM2 ? "block_sparse_moe." : "mlp."))
    return mlp_role(config, rest, identity);
  return Role::kOther;
}

}  // namespace

std::string ModelConfig::layer_prefix(std::int64_t layer) const { return fmt::format("model.layers.{}.", layer); }

std::string ModelConfig::moe_prefix(std::int64_t layer) const {
  return layer_prefix(layer) + (family == Family::kMiniMaxM2 ? "block_sparse_moe." : "mlp.");
}

std::string ModelConfig::expert_module(std::int64_t layer, std::int64_t expert, int projection) const {
  TETRAD_CHECK(projection >= 0 && projection < 3);
  return fmt::format("{}experts.{}.{}", moe_prefix(layer), expert,
                     projections(*this)[static_cast<std::size_t>(projection)]);
}

std::string ModelConfig::router_module(std::int64_t layer) const { return moe_prefix(layer) + "gate"; }

std::string_view role_name(Role role) {
  switch (role) {
    case Role::kEmbedding:
      return "embedding";
    case Role::kHead:
      return "head";
    case Role::kNorm:
      return "norm";
    case Role::kAttention:
      return "attention";
    case Role::kRouter:
      return "router";
    case Role::kRouterBias:
      return "router bias";
    case Role::kExpert:
      return "expert";
    case Role::kSharedExpert:
      return "shared expert";
    case Role::kDenseMlp:
      return "dense mlp";
    case Role::kMtp:
      return "mtp";
    case Role::kOther:
      return "other";
  }
  return "other";
}

TensorIdentity identify_tensor(const ModelConfig& config, const std::string& name) {
  TensorIdentity identity{Role::kOther, -1, -1, -1, name, ""};
  for (const std::string_view suffix : kSuffixes) {
    if (!std::string_view(name).ends_with(suffix)) continue;
    identity.module = name.substr(0, name.size() - suffix.size());
    identity.suffix = suffix;
    break;
  }
  std::string_view rest = identity.module;
  if (rest == "model.embed_tokens")
    identity.role = Role::kEmbedding;
  else if (rest == "lm_head")
    identity.role = Role::kHead;
  else if (rest == "model.norm")
    identity.role = Role::kNorm;
  if (identity.role != Role::kOther || !eat(rest, "model.layers.")) return identity;
  std::int64_t layer = -1;
  if (!eat_number(rest, layer) || !eat(rest, ".")) return identity;
  identity.layer = layer;
  identity.role = layer >= config.layers ? Role::kMtp : layer_role(config, rest, identity);
  return identity;
}

std::int64_t count_mtp_layers(const ModelConfig& config, const Checkpoint& checkpoint) {
  std::set<std::int64_t> layers;
  for (const Checkpoint::Entry& entry : checkpoint.entries()) {
    const TensorIdentity identity = identify_tensor(config, entry.name);
    if (identity.role == Role::kMtp) layers.insert(identity.layer);
  }
  return static_cast<std::int64_t>(layers.size());
}

}  // namespace tetrad
