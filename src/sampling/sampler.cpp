#include "sampling/sampler.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>
#include <unordered_map>
#include <unordered_set>

#include "base/json.h"
#include "base/rng.h"

namespace tetrad {
namespace {

constexpr double kGreedyBelow = 1e-6;

void apply_penalties(std::span<float> logits, const SamplingParams& p, std::span<const std::int32_t> prompt,
                     std::span<const std::int32_t> output) {
  const auto in_range = [&](std::int32_t id) { return id >= 0 && static_cast<std::size_t>(id) < logits.size(); };
  for (const auto& [id, bias] : p.logit_bias)
    if (in_range(id)) logits[static_cast<std::size_t>(id)] += static_cast<float>(bias);
  if (p.repetition_penalty != 1.0) {
    std::unordered_set<std::int32_t> seen(prompt.begin(), prompt.end());
    seen.insert(output.begin(), output.end());
    for (const std::int32_t id : seen) {
      if (!in_range(id)) continue;
      float& logit = logits[static_cast<std::size_t>(id)];
      logit = static_cast<float>(logit > 0 ? logit / p.repetition_penalty : logit * p.repetition_penalty);
    }
  }
  if (p.presence_penalty != 0 || p.frequency_penalty != 0) {
    std::unordered_map<std::int32_t, int> counts;
    for (const std::int32_t id : output) ++counts[id];
    for (const auto& [id, count] : counts)
      if (in_range(id))
        logits[static_cast<std::size_t>(id)] -= static_cast<float>(p.presence_penalty + p.frequency_penalty * count);
  }
}

struct Candidate {
  double weight;  // exp((logit - max) / temperature)
  std::int32_t id;
};

// Falling weight, ties by id: the same order on every machine.
bool before(const Candidate& a, const Candidate& b) { return a.weight != b.weight ? a.weight > b.weight : a.id < b.id; }

// Keeps the candidates whose surprise is nearest to the entropy, until they hold typical_p of the probability.
void keep_typical(std::vector<Candidate>& candidates, double typical_p) {
  double total = 0, entropy = 0;
  for (const auto& c : candidates) total += c.weight;
  for (const auto& c : candidates)
    if (c.weight > 0) entropy -= c.weight / total * std::log(c.weight / total);
  const auto distance = [&](const Candidate& c) {
    return c.weight > 0 ? std::abs(-std::log(c.weight / total) - entropy) : std::numeric_limits<double>::infinity();
  };
  std::stable_sort(candidates.begin(), candidates.end(),
                   [&](const Candidate& a, const Candidate& b) { return distance(a) < distance(b); });
  double sum = 0;
  std::size_t kept = 0;
  while (kept < candidates.size() && sum < typical_p * total) sum += candidates[kept++].weight;
  candidates.resize(std::max<std::size_t>(1, kept));
  std::sort(candidates.begin(), candidates.end(), before);
}

void keep_top(std::vector<Candidate>& candidates, const SamplingParams& p) {
  if (p.top_k > 0 && static_cast<std::size_t>(p.top_k) < candidates.size())
    candidates.resize(static_cast<std::size_t>(p.top_k));
  if (p.typical_p < 1.0) keep_typical(candidates, p.typical_p);
  if (p.top_p < 1.0) {
    double total = 0, sum = 0;
    for (const auto& c : candidates) total += c.weight;
    std::size_t kept = 0;
    while (kept < candidates.size() && sum < p.top_p * total) sum += candidates[kept++].weight;
    candidates.resize(std::max<std::size_t>(1, kept));
  }
  if (p.min_p > 0) {
    const double least = p.min_p * candidates.front().weight;
    std::erase_if(candidates, [&](const Candidate& c) { return c.weight < least; });
  }
}

}  // namespace

Status SamplingParams::validate() const {
  const auto check = [](bool good, const char* field, double value, const char* range) -> Status {
    if (good) return {};
    return make_error(ErrorCode::kUsage, "value out of range", field, fmt::format("{} is not in {}", value, range));
  };
  TETRAD_TRY(check(temperature >= 0 && std::isfinite(temperature), "temperature", temperature, "[0, inf)"));
  TETRAD_TRY(check(top_p > 0 && top_p <= 1, "top_p", top_p, "(0, 1]"));
  TETRAD_TRY(check(top_k >= -1, "top_k", static_cast<double>(top_k), "[-1, inf)"));
  TETRAD_TRY(check(min_p >= 0 && min_p <= 1, "min_p", min_p, "[0, 1]"));
  TETRAD_TRY(check(repetition_penalty > 0 && std::isfinite(repetition_penalty), "repetition_penalty",
                   repetition_penalty, "(0, inf)"));
  TETRAD_TRY(check(typical_p > 0 && typical_p <= 1, "typical_p", typical_p, "(0, 1]"));
  for (const auto& [id, bias] : logit_bias) TETRAD_TRY(check(std::abs(bias) <= 100, "logit_bias", bias, "[-100, 100]"));
  TETRAD_TRY(check(std::abs(presence_penalty) <= 2, "presence_penalty", presence_penalty, "[-2, 2]"));
  return check(std::abs(frequency_penalty) <= 2, "frequency_penalty", frequency_penalty, "[-2, 2]");
}

Result<SamplingParams> read_generation_config(const std::filesystem::path& model_directory) {
  SamplingParams params;
  const auto path = model_directory / "generation_config.json";
  std::error_code ignored;
  if (!std::filesystem::exists(path, ignored)) return params;
  const Json json = TETRAD_TRY(read_json_file(path, 1 << 20));
  if (!json.is_object()) return invalid_input("bad generation config", path.string(), "expected an object");
  const auto read = [&](const char* key, double& value) -> Status {
    if (!json.contains(key) || json[key].is_null()) return {};
    if (!json[key].is_number())
      return invalid_input("bad generation config", path.string(), fmt::format("{} is not a number", key));
    value = json[key].get<double>();
    return {};
  };
  double top_k = 0;
  TETRAD_TRY(read("temperature", params.temperature));
  TETRAD_TRY(read("top_p", params.top_p));
  TETRAD_TRY(read("top_k", top_k));
  TETRAD_TRY(read("min_p", params.min_p));
  TETRAD_TRY(read("repetition_penalty", params.repetition_penalty));
  params.top_k = top_k >= 1 && top_k < 1e9 ? static_cast<std::int64_t>(top_k) : 0;
  if (json.contains("do_sample") && json["do_sample"].is_boolean() && !json["do_sample"].get<bool>())
    params.temperature = 0;
  if (const Status status = params.validate(); !status)
    return invalid_input("bad generation config", path.string(), status.error().message);
  return params;
}

Result<std::int32_t> sample(std::span<float> logits, const SamplingParams& p, std::span<const std::int32_t> prompt,
                            std::span<const std::int32_t> output, std::uint64_t position) {
  apply_penalties(logits, p, prompt, output);
  std::int32_t best = -1;
  for (std::size_t i = 0; i < logits.size(); ++i)
    if (std::isfinite(logits[i]) && (best < 0 || logits[i] > logits[static_cast<std::size_t>(best)]))
      best = static_cast<std::int32_t>(i);
  if (best < 0)
    return invalid_input("the model failed", "logits", fmt::format("none is finite at position {}", position));
  if (p.temperature < kGreedyBelow) return best;
  const double top = logits[static_cast<std::size_t>(best)];
  std::vector<Candidate> candidates;
  for (std::size_t i = 0; i < logits.size(); ++i)
    if (std::isfinite(logits[i]))
      candidates.push_back({std::exp((logits[i] - top) / p.temperature), static_cast<std::int32_t>(i)});
  std::sort(candidates.begin(), candidates.end(), before);
  keep_top(candidates, p);
  double total = 0;
  for (const auto& c : candidates) total += c.weight;
  double target = Rng(p.seed, position).uniform() * total;
  for (const auto& c : candidates)
    if ((target -= c.weight) < 0) return c.id;
  return candidates.back().id;
}

}  // namespace tetrad
