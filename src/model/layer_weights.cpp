#include "model/layer_weights.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/log.h"
#include "numeric/bf16.h"

namespace tetrad {
namespace {

constexpr std::array<int, 3> kProjections = {0, 1, 2};

}  // namespace

Result<std::vector<float>> load_vector(const Checkpoint& checkpoint, const std::string& name, std::int64_t size,
                                       Precision precision) {
  const TensorView view = TETRAD_TRY(checkpoint.tensor(name, {size}));
  std::vector<float> values(static_cast<std::size_t>(size));
  for (std::size_t i = 0; i < values.size(); ++i) {
    const float value = element_as_float(view, static_cast<std::int64_t>(i));
    values[i] = precision == Precision::kBF16 ? round_to_bf16(value) : value;
  }
  return values;
}

Result<LayerWeights> load_layer(const Checkpoint& checkpoint, const ModelConfig& config, std::int64_t layer,
                                Precision precision) {
  LayerWeights weights;
  const std::string prefix = config.layer_prefix(layer);
  const std::string attention = prefix + "self_attn.";
  const std::int64_t q_width = config.heads * config.head_dim, kv_width = config.kv_heads * config.head_dim;
  weights.input_norm = TETRAD_TRY(load_vector(checkpoint, prefix + "input_layernorm.weight", config.hidden, precision));
  weights.post_norm =
      TETRAD_TRY(load_vector(checkpoint, prefix + "post_attention_layernorm.weight", config.hidden, precision));
  if (config.qk_norm) {
    weights.q_norm = TETRAD_TRY(load_vector(checkpoint, attention + "q_norm.weight", q_width, precision));
    weights.k_norm = TETRAD_TRY(load_vector(checkpoint, attention + "k_norm.weight", kv_width, precision));
  }
  weights.q = TETRAD_TRY(checkpoint.weight(attention + "q_proj", q_width, config.hidden));
  weights.k = TETRAD_TRY(checkpoint.weight(attention + "k_proj", kv_width, config.hidden));
  weights.v = TETRAD_TRY(checkpoint.weight(attention + "v_proj", kv_width, config.hidden));
  weights.o = TETRAD_TRY(checkpoint.weight(attention + "o_proj", config.hidden, q_width));
  weights.router = TETRAD_TRY(checkpoint.weight(config.router_module(layer), config.experts, config.hidden));
  weights.router_in_bf16 = precision == Precision::kBF16 && weights.router.format == WeightFormat::kBF16;
  weights.router_bias.resize(static_cast<std::size_t>(config.experts));
  if (config.routing_bias)
    weights.router_bias = TETRAD_TRY(
        load_vector(checkpoint, config.moe_prefix(layer) + "e_score_correction_bias", config.experts, Precision::kF32));
  weights.experts.resize(static_cast<std::size_t>(config.experts));
  for (std::size_t expert = 0; expert < weights.experts.size(); ++expert)
    for (const int projection : kProjections)
      weights.experts[expert][static_cast<std::size_t>(projection)] =
          TETRAD_TRY(checkpoint.weight(config.expert_module(layer, static_cast<std::int64_t>(expert), projection),
                                       config.projection_rows(projection), config.projection_cols(projection)));
  return weights;
}

Result<WeightView> head_weight(const Checkpoint& checkpoint, const ModelConfig& config) {
  return checkpoint.weight(config.tie_embeddings ? "model.embed_tokens" : "lm_head", config.vocab, config.hidden);
}

std::int64_t count_unscaled(const LayerWeights& weights, const ForwardOptions& options) {
  if (options.activations != ActivationFormat::kNvfp4) return 0;
  std::int64_t count = 0;
  for (const auto& expert : weights.experts)
    for (const WeightView& weight : expert)
      count += weight.format == WeightFormat::kNvfp4 && weight.input_scale.value_or(0) > 0 ? 0 : 1;
  return count;
}

void warn_unscaled(std::int64_t count, const Checkpoint& checkpoint, const ModelConfig& config) {
  if (count == 0) return;
  const auto layers = std::count(config.sparse.begin(), config.sparse.end(), true);
  log_warning(
      fmt::format("{}: {} of {} expert matrices have no NVFP4 weights with a usable input_scale: their inputs "
                  "are not quantized, or with the scale of the matrix beside them",
                  checkpoint.directory().string(), count, 3 * layers * config.experts));
}

Status check_runnable(const ModelConfig& config) {
  const auto refuse = [](const std::string& why) {
    return make_error(ErrorCode::kUnsupported, "can't run the model", "config.json", why);
  };
  if (config.family != Family::kMiniMaxM2)
    return refuse(fmt::format("running model_type {} is not supported yet", config.model_type));
  if (config.head_dim % 16 != 0) return refuse(fmt::format("head_dim {} is not a multiple of 16", config.head_dim));
  if (config.kv_heads <= 0 || config.heads % config.kv_heads != 0)
    return refuse(fmt::format("{} heads can't share {} key/value heads", config.heads, config.kv_heads));
  if (config.rotary_dim % 2 != 0 || config.rotary_dim > config.head_dim)
    return refuse(fmt::format("rotary_dim {} does not fit head_dim {}", config.rotary_dim, config.head_dim));
  if (config.experts_per_token <= 0 || config.experts_per_token > config.experts)
    return refuse(fmt::format("{} of {} experts per token", config.experts_per_token, config.experts));
  return {};
}

}  // namespace tetrad
