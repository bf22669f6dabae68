#include "conversion/result.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "arch/tensor_table.h"
#include "base/units.h"

namespace tetrad {
namespace {

// "3 of 256 experts of layer 5 (0, 17, 201)"
std::string some_of(const std::vector<std::int64_t>& experts, std::size_t all, std::int64_t layer) {
  std::vector<std::int64_t> shown(
      experts.begin(), experts.begin() + static_cast<std::ptrdiff_t>(std::min<std::size_t>(8, experts.size())));
  return fmt::format("{} of {} experts of layer {} ({}{})", experts.size(), all, layer, fmt::join(shown, ", "),
                     experts.size() > shown.size() ? ", ..." : "");
}

struct Totals {
  double mean_error[3] = {0, 0, 0};
  double worst_error = 0;
  std::string worst;
  std::int64_t experts = 0, uncovered = 0, least = -1, most = 0;
};

Totals totals_of(const QuantizeResult& result) {
  Totals totals;
  for (const auto& layer : result.layers)
    for (const auto& expert : layer.experts) {
      ++totals.experts;
      for (std::size_t p = 0; p < 3; ++p) {
        const double error = expert.error[p].relative();
        totals.mean_error[p] += error;
        if (error > totals.worst_error) {
          totals.worst_error = error;
          totals.worst = fmt::format("layer {} expert {} {}", layer.layer, expert.expert, kProjections[p]);
        }
      }
      const std::int64_t tokens = expert.activity.tokens;
      totals.uncovered += tokens == 0;
      totals.least = totals.least < 0 ? tokens : std::min(totals.least, tokens);
      totals.most = std::max(totals.most, tokens);
    }
  for (double& mean : totals.mean_error) mean /= static_cast<double>(std::max<std::int64_t>(1, totals.experts));
  return totals;
}

Result<double> number(const Json& json, const char* key, const std::string& where) {
  if (!json.is_object() || !json.contains(key) || !json[key].is_number())
    return invalid_input("damaged journal", where, fmt::format("{} is not a number", key));
  return json[key].get<double>();
}

Result<std::int64_t> integer(const Json& json, const char* key, const std::string& where) {
  if (!json.is_object() || !json.contains(key) || !json[key].is_number_integer())
    return invalid_input("damaged journal", where, fmt::format("{} is not an integer", key));
  return json[key].get<std::int64_t>();
}

Result<ExpertResult> expert_from_json(const Json& json, const std::string& where) {
  ExpertResult expert;
  expert.expert = TETRAD_TRY(integer(json, "expert", where));
  expert.activity.tokens = TETRAD_TRY(integer(json, "tokens", where));
  expert.activity.route_mass = TETRAD_TRY(number(json, "route_mass", where));
  expert.activity.gate_up_amax = static_cast<float>(TETRAD_TRY(number(json, "gate_up_amax", where)));
  expert.activity.down_amax = static_cast<float>(TETRAD_TRY(number(json, "down_amax", where)));
  expert.activity.nonfinite_rows = TETRAD_TRY(integer(json, "nonfinite_rows", where));
  for (std::size_t p = 0; p < 3; ++p) {
    if (!json.contains(kProjections[p]))
      return invalid_input("damaged journal", where, fmt::format("{} is missing", kProjections[p]));
    const Json& error = json[kProjections[p]];
    expert.error[p].squared_error = TETRAD_TRY(number(error, "squared_error", where));
    expert.error[p].squared_norm = TETRAD_TRY(number(error, "squared_norm", where));
    expert.error[p].nonfinite_weights = TETRAD_TRY(integer(error, "nonfinite_weights", where));
  }
  return expert;
}

}  // namespace

std::int64_t QuantizeResult::nonfinite_rows() const {
  std::int64_t rows = 0;
  for (const auto& layer : layers)
    for (const auto& expert : layer.experts) rows += expert.activity.nonfinite_rows;
  return rows;
}

Json layer_to_json(const LayerResult& layer) {
  Json json;
  json["layer"] = layer.layer;
  json["experts"] = Json::array();
  for (const auto& expert : layer.experts) {
    Json& item = json["experts"].emplace_back();
    item["expert"] = expert.expert;
    item["tokens"] = expert.activity.tokens;
    item["route_mass"] = expert.activity.route_mass;
    item["gate_up_amax"] = static_cast<double>(expert.activity.gate_up_amax);
    item["down_amax"] = static_cast<double>(expert.activity.down_amax);
    item["nonfinite_rows"] = expert.activity.nonfinite_rows;
    for (std::size_t p = 0; p < 3; ++p)
      item[kProjections[p]] = {{"squared_error", expert.error[p].squared_error},
                               {"squared_norm", expert.error[p].squared_norm},
                               {"nonfinite_weights", expert.error[p].nonfinite_weights}};
  }
  return json;
}

Result<LayerResult> layer_from_json(const Json& json, const std::string& where) {
  LayerResult layer;
  layer.layer = TETRAD_TRY(integer(json, "layer", where));
  if (!json.contains("experts") || !json["experts"].is_array())
    return invalid_input("damaged journal", where, "experts is not a list");
  for (const Json& item : json["experts"]) layer.experts.push_back(TETRAD_TRY(expert_from_json(item, where)));
  return layer;
}

Json to_json(const QuantizeResult& r) {
  Json json;
  json["source"] = r.source;
  json["destination"] = r.destination;
  json["recipe"] = r.recipe;
  json["algorithm"] = r.algorithm;
  json["tensors"] = r.tensors;
  json["quantized_tensors"] = r.quantized_tensors;
  json["quantized_weights"] = r.quantized_weights;
  json["bytes_in"] = r.bytes_in;
  json["bytes_out"] = r.bytes_out;
  json["seconds"] = r.seconds;
  json["peak_rss_bytes"] = r.peak_rss_bytes;
  json["calibration"] = {
      {"tokens", r.calibration_tokens}, {"sequences", r.calibration_sequences}, {"nonfinite_rows", r.nonfinite_rows()}};
  json["layers"] = Json::array();
  for (const auto& layer : r.layers) {
    Json experts = Json::array();
    for (const auto& expert : layer.experts) {
      Json item;
      item["expert"] = expert.expert;
      item["tokens"] = expert.activity.tokens;
      item["route_mass"] = expert.activity.route_mass;
      item["gate_up_amax"] = static_cast<double>(expert.activity.gate_up_amax);
      item["down_amax"] = static_cast<double>(expert.activity.down_amax);
      item["nonfinite_rows"] = expert.activity.nonfinite_rows;
      for (std::size_t p = 0; p < 3; ++p) item["relative_error"][kProjections[p]] = expert.error[p].relative();
      experts.push_back(std::move(item));
    }
    json["layers"].push_back({{"layer", layer.layer}, {"experts", std::move(experts)}});
  }
  json["warnings"] = r.warnings;
  return json;
}

std::string to_text(const QuantizeResult& r) {
  const Totals totals = totals_of(r);
  std::string text;
  const auto line = [&](const char* name, const std::string& value) {
    text += fmt::format("  {:<16} {}\n", name, value);
  };
  text += fmt::format("{}{}\n", r.destination, r.already_complete ? " (was complete already)" : "");
  line("quantized", fmt::format("{} of {} tensors, {} weights, algorithm {}", r.quantized_tensors, r.tensors,
                                format_count(r.quantized_weights), r.algorithm));
  line("bytes", fmt::format("{} -> {} ({:.1f} %)", format_bytes(r.bytes_in), format_bytes(r.bytes_out),
                            100.0 * static_cast<double>(r.bytes_out) /
                                static_cast<double>(std::max<std::uint64_t>(1, r.bytes_in))));
  line("relative error", fmt::format("gate {:.4f}  up {:.4f}  down {:.4f}  worst {:.4f} ({})", totals.mean_error[0],
                                     totals.mean_error[1], totals.mean_error[2], totals.worst_error, totals.worst));
  if (r.calibration_tokens > 0)
    line("calibration",
         fmt::format("{} tokens in {} sequences; an expert saw {} to {}, {} of {} saw none", r.calibration_tokens,
                     r.calibration_sequences, totals.least, totals.most, totals.uncovered, totals.experts));
  line("time, memory", fmt::format("{}, peak {}", format_seconds(r.seconds), format_bytes(r.peak_rss_bytes)));
  return text;
}

void collect_warnings(QuantizeResult& r) {
  for (const auto& layer : r.layers) {
    std::vector<std::int64_t> uncovered, zero;
    std::int64_t weights = 0, rows = 0;
    for (const auto& expert : layer.experts) {
      if (r.calibration_tokens > 0 && expert.activity.tokens == 0) uncovered.push_back(expert.expert);
      if (std::any_of(expert.error.begin(), expert.error.end(), [](const auto& e) { return e.squared_norm == 0; }))
        zero.push_back(expert.expert);
      for (const auto& error : expert.error) weights += error.nonfinite_weights;
      rows += expert.activity.nonfinite_rows;
    }
    const std::size_t all = layer.experts.size();
    if (!uncovered.empty())
      r.warnings.push_back(
          some_of(uncovered, all, layer.layer) +
          " saw no calibration token: their weights are quantized from the weights alone, input_scale is the layer's");
    if (!zero.empty())
      r.warnings.push_back(some_of(zero, all, layer.layer) + " hold an all-zero matrix: written as zeros with scale 1");
    if (weights > 0)
      r.warnings.push_back(fmt::format("layer {}: {} non-finite weights were taken as 0", layer.layer, weights));
    if (rows > 0)
      r.warnings.push_back(
          fmt::format("layer {}: {} calibration rows with non-finite values were dropped", layer.layer, rows));
  }
}

}  // namespace tetrad
