#include "quant/exclude_list.h"

#include <fmt/format.h>

#include <algorithm>
#include <string_view>

#include "arch/tensor_table.h"

namespace tetrad {
namespace {

// Does any name of the sorted list start with `prefix`?
bool any_starts_with(const std::vector<std::string>& sorted, std::string_view prefix) {
  const auto first = std::lower_bound(sorted.begin(), sorted.end(), prefix);
  return first != sorted.end() && first->starts_with(prefix);
}

std::string pattern_of(const std::vector<std::string>& quantized, const std::string& module) {
  for (std::size_t dot = module.find('.'); dot != std::string::npos; dot = module.find('.', dot + 1)) {
    const std::string prefix = module.substr(0, dot);
    if (any_starts_with(quantized, prefix + ".") || std::ranges::binary_search(quantized, prefix)) continue;
    return prefix + (any_starts_with(quantized, prefix) ? ".*" : "*");
  }
  return module;
}

bool can_hold_quantizer(const TensorRow& row) {
  return row.suffix == ".weight" && (row.linear || row.role == Role::kEmbedding);
}

}  // namespace

std::vector<std::string> exclude_patterns(const std::vector<std::string>& quantized,
                                          const std::vector<std::string>& unquantized) {
  std::vector<std::string> sorted = quantized;
  std::ranges::sort(sorted);
  std::vector<std::string> patterns;
  for (const std::string& module : unquantized) patterns.push_back(pattern_of(sorted, module));
  std::ranges::sort(patterns);
  const auto repeated = std::ranges::unique(patterns);
  patterns.erase(repeated.begin(), repeated.end());
  return patterns;
}

std::vector<std::string> experts_only_exclude_list(const ModelConfig& config, std::int64_t mtp_layers) {
  std::vector<std::string> quantized, unquantized;
  for (const TensorRow& row : tensor_table(config))
    if (can_hold_quantizer(row)) (row.role == Role::kExpert ? quantized : unquantized).push_back(row.module);
  if (config.tie_embeddings) unquantized.emplace_back("lm_head");  // a module without a tensor of its own
  std::vector<std::string> patterns = exclude_patterns(quantized, unquantized);
  for (std::int64_t i = 0; i < mtp_layers; ++i) patterns.push_back(fmt::format("model.layers.{}*", config.layers + i));
  return patterns;
}

}  // namespace tetrad
