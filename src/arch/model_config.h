// What a model is: the numbers of its config.json, checked, and the names of its tensors. One ModelConfig serves
// loader, quantizer, inspector and server. Families: minimax_m2 (runs), glm_moe_dsa (known tensor table: quantize
// weights, inspect, verify; running it is not here yet).
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/json.h"
#include "tensor/tensor_view.h"

namespace tetrad {

enum class Family : std::uint8_t { kMiniMaxM2, kGlmMoeDsa };

// How the weights of a checkpoint are stored, from config.json's quantization_config.
enum class StoredFormat : std::uint8_t { kPlain, kFp8Block, kNvfp4ModelOpt, kNvfp4CompressedTensors };

struct ModelConfig {
  Family family = Family::kMiniMaxM2;
  std::string model_type, architecture;
  StoredFormat stored = StoredFormat::kPlain;
  std::int64_t fp8_block_rows = 128, fp8_block_cols = 128;

  std::int64_t vocab = 0, hidden = 0, layers = 0;  // layers: without MTP layers
  std::int64_t mtp_layers = 0;                     // stored behind the others, as layers `layers`, `layers` + 1, ...
  std::int64_t heads = 0, kv_heads = 0, head_dim = 0, rotary_dim = 0;
  std::int64_t experts = 0, experts_per_token = 0, expert_width = 0;  // expert_width: rows of gate and up
  std::int64_t shared_experts = 0;
  std::int64_t dense_width = 0;  // rows of gate and up in layers without experts (GLM)
  std::vector<bool> sparse;      // [layers]: does layer l have experts (GLM's first layers are dense)
  std::int64_t max_position = 0;
  double rope_theta = 10000.0, rms_eps = 1e-6;
  bool qk_norm = false, routing_bias = false, tie_embeddings = false;
  std::vector<std::int64_t> eos_ids;
  std::int64_t bos_id = -1, pad_id = -1;

  // GLM only: multi-head latent attention and the indexer of its sparse attention. head_dim is q/k's: qk_nope_dim +
  // qk_rope_dim.
  std::int64_t q_lora_rank = 0, kv_lora_rank = 0, qk_nope_dim = 0, qk_rope_dim = 0, v_head_dim = 0;
  std::int64_t index_heads = 0, index_head_dim = 0;
  std::vector<bool> indexer;  // [layers]: does layer l have an indexer of its own
  bool attention_bias = false;

  // Keys that are absent have transformers' defaults; a value that tetrad would have to ignore is an error that names
  // its key. `where` names the file. mtp_layers: GLM's num_nextn_predict_layers; 0 for MiniMax-M2, whose config
  // announces modules that released checkpoints don't ship (count_mtp_layers() of tensor_table.h says what is stored).
  static Result<ModelConfig> parse(const Json& config, const std::string& where);

  // Tensor and module names, by family. Projection order everywhere: gate, up, down.
  std::string layer_prefix(std::int64_t layer) const;  // "model.layers.3."
  std::string moe_prefix(std::int64_t layer) const;    // "model.layers.3.block_sparse_moe."
  std::string expert_module(std::int64_t layer, std::int64_t expert,
                            int projection) const;      // ".experts.5.w1": 0 gate = w1, 1 up = w3, 2 down = w2
  std::string router_module(std::int64_t layer) const;  // "model.layers.3.block_sparse_moe.gate"
  std::int64_t projection_rows(int projection) const { return projection == 2 ? hidden : expert_width; }
  std::int64_t projection_cols(int projection) const { return projection == 2 ? expert_width : hidden; }
};

}  // namespace tetrad
