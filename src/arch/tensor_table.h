// The table of tensors that a model of a given config must have: name, shape, role. Loader, quantizer, inspector and
// verifier all read this one table.
#pragma once

#include <array>
#include <optional>
#include <string>
#include <vector>

#include "arch/model_config.h"
#include "checkpoint/checkpoint.h"

namespace tetrad {

enum class Role : std::uint8_t {
  kEmbedding,
  kHead,
  kNorm,
  kAttention,
  kRouter,
  kRouterBias,
  kExpert,
  kSharedExpert,
  kDenseMlp,
  kMtp,
  kOther
};
std::string_view role_name(Role role);

inline constexpr std::array<const char*, 3> kProjections = {"gate", "up", "down"};  // an expert's matrices

struct TensorRow {
  std::string module;  // "model.layers.0.self_attn.q_proj"; the plain tensor is module + suffix
  std::string suffix;  // ".weight", ".bias" or "" (e_score_correction_bias)
  Shape shape;         // as the unquantized tensor has it
  Role role;
  bool linear;  // a matrix of a Linear (may be stored quantized)
};

// All tensors of the model's own layers, in the order a checkpoint is written (embedding, layer by layer, final norm,
// head). MTP layers are not listed: their tensors are carried over as they are.
std::vector<TensorRow> tensor_table(const ModelConfig& config);

// Role of a stored tensor by its name (any suffix: .weight, .weight_scale, ...), kMtp for layers >= config.layers,
// kOther when the name is not known.
struct TensorIdentity {
  Role role;
  std::int64_t layer = -1, expert = -1;  // -1: none
  int projection = -1;                   // of experts: index of kProjections
  std::string module, suffix;            // "model.layers.0....w1", ".weight_scale"
};
TensorIdentity identify_tensor(const ModelConfig& config, const std::string& name);

// Layers behind config.layers of which `checkpoint` holds at least one tensor (MTP layers).
std::int64_t count_mtp_layers(const ModelConfig& config, const Checkpoint& checkpoint);

}  // namespace tetrad
