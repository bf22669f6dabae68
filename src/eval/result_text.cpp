#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "base/units.h"
#include "eval/evaluate.h"

namespace tetrad {

Json to_json(const EvalResult& r) {
  Json json;
  json["reference"] = r.reference;
  json["positions"] = r.positions;
  json["context"] = r.context;
  json["stride"] = r.stride;
  json["windows"] = r.windows;
  json["data"] = r.data;
  json["activations"] = r.activations;
  json["dense_weights"] = r.dense_weights;
  json["expert_inputs"] = r.expert_inputs;
  json["reference_perplexity"] = r.reference_perplexity;
  json["seconds"] = r.seconds;
  json["peak_rss_bytes"] = r.peak_rss_bytes;
  json["candidates"] = Json::array();
  for (const auto& c : r.candidates) {
    Json item;
    item["path"] = c.path;
    item["perplexity"] = c.perplexity;
    item["top1_agreement"] = c.top1_agreement;
    item["kld"] = {{"mean", c.kld.mean},     {"standard_error", c.kld.standard_error},
                   {"median", c.kld.median}, {"p95", c.kld.p95},
                   {"p99", c.kld.p99},       {"p999", c.kld.p999},
                   {"max", c.kld.max}};
    item["nonfinite"] = c.nonfinite;
    item["by_category"] = Json::object();
    for (const auto& category : c.categories)
      item["by_category"][category.name] = {{"positions", category.positions},
                                            {"kld_mean", category.kld_mean},
                                            {"kld_standard_error", category.kld_standard_error},
                                            {"top1_agreement", category.top1_agreement},
                                            {"perplexity", category.perplexity}};
    item["layers"] = Json::array();
    for (std::size_t layer = 0; layer < c.hidden_relative_error.size(); ++layer)
      item["layers"].push_back({{"layer", layer}, {"hidden_relative_error", c.hidden_relative_error[layer]}});
    json["candidates"].push_back(std::move(item));
  }
  return json;
}

std::string to_text(const EvalResult& r) {
  std::string text = fmt::format(
      "{} positions in {} windows of up to {} tokens; KL divergence in nats a token, full vocabulary; candidates' "
      "activations {}{}{}\n\n",
      r.positions, r.windows, r.context, r.activations,
      r.dense_weights == "stored" ? std::string() : ", dense weights " + r.dense_weights,
      r.expert_inputs == "int8" ? ", inputs of NVFP4 experts int8" : "");
  std::size_t width = r.reference.size() + 12;
  for (const auto& c : r.candidates) width = std::max(width, c.path.size());
  text += fmt::format("{:<{}}  {:>9}  {:>18}  {:>9}  {:>9}  {:>9}  {:>7}  {:>9}\n", "model", width, "perplexity",
                      "KLD mean ± s.e.", "median", "p99", "max", "top-1", "nonfinite");
  text += fmt::format("{:<{}}  {:>10.4f}\n", r.reference + " (reference)", width, r.reference_perplexity);
  for (const auto& c : r.candidates)
    text += fmt::format("{:<{}}  {:>10.4f}  {:>8.5f} ± {:.5f}  {:>9.6f}  {:>9.5f}  {:>9.4f}  {:>6.2f}%  {:>9}\n",
                        c.path, width, c.perplexity, c.kld.mean, c.kld.standard_error, c.kld.median, c.kld.p99,
                        c.kld.max, 100 * c.top1_agreement, c.nonfinite);
  if (!r.candidates.empty() && r.candidates[0].categories.size() > 1) {
    std::size_t names = 8;
    for (const auto& category : r.candidates[0].categories) names = std::max(names, category.name.size());
    text += fmt::format("\n{:<{}}  {:>9}", "category", names, "positions");
    for (std::size_t c = 0; c < r.candidates.size(); ++c)
      text += fmt::format("  {:>19}", fmt::format("KLD of candidate {}", c + 1));
    text += "\n";
    for (std::size_t k = 0; k < r.candidates[0].categories.size(); ++k) {
      text += fmt::format("{:<{}}  {:>9}", r.candidates[0].categories[k].name, names,
                          r.candidates[0].categories[k].positions);
      for (const auto& c : r.candidates)
        text += fmt::format("  {:>9.5f} ± {:.5f}", c.categories[k].kld_mean, c.categories[k].kld_standard_error);
      text += "\n";
    }
  }
  if (r.truncated) text += "\nThe data were cut at --max-tokens.\n";
  return text + fmt::format("\n{}, peak {}\n", format_seconds(r.seconds), format_bytes(r.peak_rss_bytes));
}

}  // namespace tetrad
