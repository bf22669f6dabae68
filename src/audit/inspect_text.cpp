#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "audit/inspect.h"
#include "base/units.h"

namespace tetrad {
namespace {

std::string line(const char* label, const std::string& value) { return fmt::format("{:<20}{}\n", label, value); }

std::string shape_line(const ModelConfig& config) {
  std::string text = fmt::format("{} layers, hidden {}, {} heads of {}, ", config.layers, config.hidden, config.heads,
                                 config.head_dim);
  if (config.family == Family::kMiniMaxM2)
    text += fmt::format("{} key/value heads", config.kv_heads);
  else
    text += fmt::format("latent keys and values of {} + {}", config.kv_lora_rank, config.qk_rope_dim);
  return text;
}

std::string experts_line(const ModelConfig& config) {
  const auto sparse = std::count(config.sparse.begin(), config.sparse.end(), true);
  std::string text = fmt::format("{} in each of {} layers, {} a token, width {}", config.experts, sparse,
                                 config.experts_per_token, config.expert_width);
  if (config.shared_experts > 0) text += fmt::format(", {} shared", config.shared_experts);
  return text;
}

std::string table(const char* title, const std::vector<Tally>& tallies, std::uint64_t total) {
  std::string text = fmt::format("\n{:<16}{:>10}{:>14}{:>12}{:>8}\n", title, "tensors", "parameters", "bytes", "share");
  for (const Tally& tally : tallies) {
    const double share = total == 0 ? 0 : 100.0 * static_cast<double>(tally.bytes) / static_cast<double>(total);
    text += fmt::format("{:<16}{:>10}{:>14}{:>12}{:>7.1f}%\n", tally.name, tally.tensors,
                        format_count(tally.parameters), format_bytes(tally.bytes), share);
  }
  return text;
}

Json tally_json(const std::vector<Tally>& tallies) {
  Json json = Json::object();
  for (const Tally& tally : tallies)
    json[tally.name] = {{"tensors", tally.tensors}, {"parameters", tally.parameters}, {"bytes", tally.bytes}};
  return json;
}

}  // namespace

std::string to_text(const Inspection& inspection, bool with_tensors) {
  const ModelConfig& config = inspection.config;
  std::string text = line("model", printable(inspection.directory));
  text += line("architecture",
               fmt::format("{} ({})", printable(config.architecture, 80), printable(config.model_type, 80)));
  text += line("shape", shape_line(config));
  text += line("experts", experts_line(config));
  if (inspection.mtp_layers > 0) text += line("MTP layers", std::to_string(inspection.mtp_layers));
  text += line("vocabulary", std::to_string(config.vocab));
  text += line("context", fmt::format("{} tokens", config.max_position));
  text += line("stored as", std::string(stored_format_name(config.stored)));
  text += line("parameters", fmt::format("{}, {} active a token", format_count(inspection.parameters),
                                         format_count(inspection.active_parameters)));
  text += line("files", fmt::format("{}, {} in {} tensors", inspection.shards, format_bytes(inspection.bytes),
                                    inspection.tensors.size()));
  text += table("role", inspection.by_role, inspection.bytes);
  text += table("format", inspection.by_format, inspection.bytes);
  text += "\n";
  text +=
      line("to serve", fmt::format("{} of weights, {} of keys and values a token (BF16)",
                                   format_bytes(inspection.weight_bytes), format_bytes(inspection.kv_bytes_per_token)));
  text += line("context per GiB", fmt::format("{} tokens", inspection.context_tokens_per_gib));
  const std::uint64_t full =
      inspection.weight_bytes + inspection.kv_bytes_per_token * static_cast<std::uint64_t>(config.max_position);
  text += line("one full context", fmt::format("{} with the weights", format_bytes(full)));
  if (!with_tensors) return text;
  std::size_t width = 6;
  for (const InspectedTensor& tensor : inspection.tensors) width = std::max(width, printable(tensor.name).size());
  text += fmt::format("\n{:<{}}  {:<8}{:<18}{:>12}  {:<14}{}\n", "tensor", width, "dtype", "shape", "bytes", "role",
                      "file");
  for (const InspectedTensor& tensor : inspection.tensors)
    text +=
        fmt::format("{:<{}}  {:<8}{:<18}{:>12}  {:<14}{}\n", printable(tensor.name), width, dtype_name(tensor.dtype),
                    shape_text(tensor.shape), tensor.bytes, role_name(tensor.role), printable(tensor.file));
  return text;
}

Json to_json(const Inspection& inspection, bool with_tensors) {
  const ModelConfig& config = inspection.config;
  Json json = {{"model", inspection.directory},
               {"architecture", config.architecture},
               {"model_type", config.model_type},
               {"stored_as", stored_format_name(config.stored)},
               {"layers", config.layers},
               {"mtp_layers", inspection.mtp_layers},
               {"hidden", config.hidden},
               {"heads", config.heads},
               {"kv_heads", config.kv_heads},
               {"head_dim", config.head_dim},
               {"experts", config.experts},
               {"experts_per_token", config.experts_per_token},
               {"expert_width", config.expert_width},
               {"shared_experts", config.shared_experts},
               {"vocab", config.vocab},
               {"max_position", config.max_position},
               {"parameters", inspection.parameters},
               {"active_parameters", inspection.active_parameters},
               {"shards", inspection.shards},
               {"bytes", inspection.bytes},
               {"by_role", tally_json(inspection.by_role)},
               {"by_format", tally_json(inspection.by_format)},
               {"weight_bytes", inspection.weight_bytes},
               {"kv_bytes_per_token", inspection.kv_bytes_per_token},
               {"context_tokens_per_gib", inspection.context_tokens_per_gib}};
  if (!with_tensors) return json;
  Json& list = json["tensors"] = Json::array();
  for (const InspectedTensor& tensor : inspection.tensors)
    list.push_back({{"name", tensor.name},
                    {"dtype", dtype_name(tensor.dtype)},
                    {"shape", tensor.shape},
                    {"bytes", tensor.bytes},
                    {"role", role_name(tensor.role)},
                    {"file", tensor.file}});
  return json;
}

}  // namespace tetrad
