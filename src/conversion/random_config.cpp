#include "conversion/random_config.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>

#include "model/layer_weights.h"
#include "tokenizer/tokenizer.h"

namespace tetrad {
namespace {

const std::string kWhat = "no model has this shape";

struct ModelShape {
  const char* name;
  std::int64_t layers, experts, vocab, hidden, width, heads, kv_heads, head_dim, top_k;
};
constexpr std::array<ModelShape, 2> kShapes = {{
    {"minimax-m2.7", 62, 256, 200064, 3072, 1536, 48, 8, 128, 8},
    {"tiny-minimax-m2", 4, 32, 6144, 256, 128, 8, 2, 64, 4},
}};
constexpr std::int64_t kBosId = 200019, kEosId = 200020;  // of MiniMax-M2's vocabulary

Result<ModelShape> chosen_shape(const RandomModelOptions& o) {
  const auto known = std::ranges::find(kShapes, o.like, &ModelShape::name);
  if (known == kShapes.end())
    return make_error(ErrorCode::kUsage, "unknown model", o.like,
                      fmt::format("choices: {}", fmt::join(known_model_shapes(), ", ")));
  ModelShape shape = *known;
  shape.layers = o.layers.value_or(shape.layers);
  shape.experts = o.experts.value_or(shape.experts);
  shape.vocab = o.vocab.value_or(shape.vocab);
  shape.hidden = o.hidden.value_or(shape.hidden);
  shape.width = o.width.value_or(shape.width);
  shape.heads = o.heads.value_or(shape.heads);
  shape.kv_heads = o.kv_heads.value_or(shape.kv_heads);
  shape.head_dim = o.head_dim.value_or(shape.head_dim);
  shape.top_k = o.top_k.value_or(std::min(shape.top_k, shape.experts));
  if (o.format == StoredFormat::kNvfp4ModelOpt && (shape.hidden % 16 != 0 || shape.width % 16 != 0))
    return make_error(ErrorCode::kUsage, kWhat, fmt::format("hidden {}, width {}", shape.hidden, shape.width),
                      "NVFP4 wants multiples of 16");
  return shape;
}

Json to_config(const ModelShape& shape, StoredFormat format) {
  Json json;
  json["architectures"] = {"MiniMaxM2ForCausalLM"};
  json["attn_type_list"] =
      std::vector<int>(static_cast<std::size_t>(std::clamp<std::int64_t>(shape.layers, 0, 1024)), 1);
  json["bos_token_id"] = std::clamp<std::int64_t>(shape.vocab - 2, 0, kBosId);
  json["dtype"] = "bfloat16";
  json["eos_token_id"] = std::clamp<std::int64_t>(shape.vocab - 1, 0, kEosId);
  json["head_dim"] = shape.head_dim;
  json["hidden_act"] = "silu";
  json["hidden_size"] = shape.hidden;
  json["intermediate_size"] = shape.width;
  json["max_position_embeddings"] = 196608;
  json["model_type"] = "minimax_m2";
  json["num_attention_heads"] = shape.heads;
  json["num_experts_per_tok"] = shape.top_k;
  json["num_hidden_layers"] = shape.layers;
  json["num_key_value_heads"] = shape.kv_heads;
  json["num_local_experts"] = shape.experts;
  json["qk_norm_type"] = "per_layer";
  json["rms_norm_eps"] = 1e-6;
  json["rope_theta"] = 5000000.0;
  json["rotary_dim"] = shape.head_dim / 2;
  json["scoring_func"] = "sigmoid";
  json["shared_intermediate_size"] = 0;
  json["tie_word_embeddings"] = false;
  json["use_cache"] = true;
  json["use_qk_norm"] = true;
  json["use_routing_bias"] = true;
  json["vocab_size"] = shape.vocab;
  if (format == StoredFormat::kFp8Block)
    json["quantization_config"] = {{"activation_scheme", "dynamic"},
                                   {"fmt", "float8_e4m3fn"},
                                   {"modules_to_not_convert", {"gate", "e_score_correction_bias", "lm_head"}},
                                   {"quant_method", "fp8"},
                                   {"weight_block_size", {128, 128}}};
  return json;
}

// What is wrong with the numbers is wrong with the flags.
Status check_shape(const Json& json) {
  auto config = ModelConfig::parse(json, "make-model");
  Status status;
  if (config) status = check_runnable(*config);
  if (!config) status = Unexpected(config.error());
  if (!status) return Unexpected(Error{ErrorCode::kUsage, status.error().message, status.error().hint});
  return {};
}

Status take_tokenizer(const RandomModelOptions& options, Json& json) {
  const auto tokenizer = TETRAD_TRY(Tokenizer::load(options.tokenizer));
  const auto needed = static_cast<std::int64_t>(tokenizer.vocabulary_size());
  if (options.vocab && *options.vocab < needed)
    return make_error(ErrorCode::kUsage, "vocabulary too small", options.tokenizer.string(),
                      fmt::format("its tokenizer has {} tokens, the model {}", needed, *options.vocab));
  json["vocab_size"] = std::max(needed, json["vocab_size"].get<std::int64_t>());
  std::error_code ignored;
  if (!std::filesystem::exists(options.tokenizer / "config.json", ignored)) return {};
  const Json source = TETRAD_TRY(read_json_file(options.tokenizer / "config.json"));
  for (const char* key : {"bos_token_id", "eos_token_id", "pad_token_id"})
    if (source.is_object() && source.contains(key)) json[key] = source[key];
  TETRAD_TRY(ModelConfig::parse(json, (options.tokenizer / "config.json").string()));
  return {};
}

}  // namespace

std::vector<std::string> known_model_shapes() {
  std::vector<std::string> names;
  for (const ModelShape& shape : kShapes) names.emplace_back(shape.name);
  return names;
}

std::string random_format_name(StoredFormat format) {
  return format == StoredFormat::kFp8Block ? "fp8" : format == StoredFormat::kPlain ? "bf16" : "nvfp4";
}

Result<Json> random_config(const RandomModelOptions& options) {
  Json json = to_config(TETRAD_TRY(chosen_shape(options)), options.format);
  TETRAD_TRY(check_shape(json));
  if (!options.tokenizer.empty()) TETRAD_TRY(take_tokenizer(options, json));
  return json;
}

}  // namespace tetrad
