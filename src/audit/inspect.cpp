#include "audit/inspect.h"

#include <algorithm>
#include <map>

#include "audit/module_check.h"

namespace tetrad {
namespace {

constexpr std::uint64_t kBf16Bytes = 2;
constexpr std::uint64_t kGib = std::uint64_t{1} << 30;

// How a module is stored, by its main tensor.
std::string format_of(const Checkpoint& checkpoint, const TensorIdentity& identity) {
  if (checkpoint.find(identity.module + ".weight_packed") != nullptr) return "NVFP4";
  const TensorView* weight = checkpoint.find(identity.module + ".weight");
  if (weight == nullptr) weight = checkpoint.find(identity.module + identity.suffix);
  if (weight == nullptr) return "other";
  if (weight->dtype == DType::kU8 && checkpoint.find(identity.module + ".weight_scale") != nullptr) return "NVFP4";
  if (weight->dtype == DType::kF8E4M3) return "FP8";
  return std::string(dtype_name(weight->dtype));
}

std::uint64_t parameters_of(const TensorIdentity& identity, const TensorView& view, const std::string& format) {
  if (is_scale(identity.suffix)) return 0;
  const auto elements = static_cast<std::uint64_t>(view.elements());
  return format == "NVFP4" && view.dtype == DType::kU8 ? 2 * elements : elements;
}

std::vector<Tally> sorted(const std::map<std::string, Tally>& tallies) {
  std::vector<Tally> list;
  for (const auto& [name, tally] : tallies) {
    list.push_back(tally);
    list.back().name = name;
  }
  std::sort(list.begin(), list.end(),
            [](const Tally& a, const Tally& b) { return a.bytes != b.bytes ? a.bytes > b.bytes : a.name < b.name; });
  return list;
}

std::uint64_t kv_bytes_per_token(const ModelConfig& config) {
  std::int64_t values = 0;
  for (std::int64_t layer = 0; layer < config.layers; ++layer) {
    if (config.family == Family::kMiniMaxM2)
      values += 2 * config.kv_heads * config.head_dim;
    else
      values += config.kv_lora_rank + config.qk_rope_dim +
                (config.indexer[static_cast<std::size_t>(layer)] ? config.index_head_dim : 0);
  }
  return static_cast<std::uint64_t>(values) * kBf16Bytes;
}

}  // namespace

std::string_view stored_format_name(StoredFormat format) {
  switch (format) {
    case StoredFormat::kPlain:
      return "unquantized";
    case StoredFormat::kFp8Block:
      return "FP8, block scales";
    case StoredFormat::kNvfp4ModelOpt:
      return "NVFP4, ModelOpt";
    case StoredFormat::kNvfp4CompressedTensors:
      return "NVFP4, compressed-tensors";
  }
  return "unknown";
}

Inspection inspect(const Checkpoint& checkpoint, const ModelConfig& config) {
  Inspection inspection;
  inspection.directory = checkpoint.directory().string();
  inspection.config = config;
  inspection.shards = checkpoint.shards().size();
  inspection.mtp_layers = count_mtp_layers(config, checkpoint);
  std::map<std::string, Tally> roles, formats;
  std::uint64_t expert_parameters = 0, embedding_parameters = 0;
  for (const Checkpoint::Entry& entry : checkpoint.entries()) {
    const TensorIdentity identity = identify_tensor(config, entry.name);
    const std::string format = format_of(checkpoint, identity);
    const std::uint64_t parameters = parameters_of(identity, entry.view, format), bytes = entry.view.bytes.size();
    for (Tally* tally : {&roles[std::string(role_name(identity.role))], &formats[format]}) {
      tally->tensors += 1;
      tally->parameters += parameters;
      tally->bytes += bytes;
    }
    inspection.bytes += bytes;
    if (identity.role != Role::kMtp) {
      inspection.parameters += parameters;
      inspection.weight_bytes += bytes;
    }
    if (identity.role == Role::kExpert) expert_parameters += parameters;
    if (identity.role == Role::kEmbedding && !config.tie_embeddings) embedding_parameters += parameters;
    inspection.tensors.push_back({entry.name, entry.view.dtype, entry.view.shape, bytes, identity.role,
                                  checkpoint.shards()[entry.shard].filename().string()});
  }
  const auto share = static_cast<long double>(config.experts_per_token) / static_cast<long double>(config.experts);
  const auto active_experts = static_cast<std::uint64_t>(static_cast<long double>(expert_parameters) * share);
  inspection.active_parameters = inspection.parameters - embedding_parameters - expert_parameters + active_experts;
  inspection.by_role = sorted(roles);
  inspection.by_format = sorted(formats);
  inspection.kv_bytes_per_token = kv_bytes_per_token(config);
  inspection.context_tokens_per_gib = kGib / std::max<std::uint64_t>(inspection.kv_bytes_per_token, 1);
  return inspection;
}

}  // namespace tetrad
