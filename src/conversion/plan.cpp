#include "conversion/plan.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>

#include "arch/tensor_table.h"
#include "base/fingerprint.h"
#include "base/units.h"
#include "conversion/carried_files.h"

namespace tetrad {
namespace {

// Router weights and the selection bias decide which experts run; engines keep them in F32, so their type is not
// touched.
bool keeps_type(const TensorIdentity& id, const std::string& name) {
  return id.role == Role::kRouter || id.role == Role::kRouterBias || name.ends_with("e_score_correction_bias");
}

bool is_fp8_scale(const Checkpoint& source, const std::string& name) {
  for (const char* suffix : {".weight_scale_inv", ".weight_scale"})
    if (name.ends_with(suffix)) {
      const TensorView* weight = source.find(name.substr(0, name.size() - std::string_view(suffix).size()) + ".weight");
      return weight != nullptr && weight->dtype == DType::kF8E4M3;
    }
  return false;
}

class Planner {
 public:
  Planner(const Checkpoint& source, const ModelConfig& config, const QuantizeOptions& options)
      : source_(source), config_(config), options_(options) {}

  Result<QuantizePlan> run() {
    if (config_.stored == StoredFormat::kNvfp4ModelOpt || config_.stored == StoredFormat::kNvfp4CompressedTensors)
      return invalid_input("nothing to quantize", source_.directory().string(), "its experts are NVFP4 already");
    if (config_.experts == 0)
      return make_error(ErrorCode::kUnsupported, "nothing to quantize", source_.directory().string(),
                        "the model has no experts");
    plan_.units.resize(static_cast<std::size_t>(config_.layers + config_.mtp_layers) + 1);
    for (std::size_t i = 0; i < plan_.units.size(); ++i) plan_.units[i].layer = static_cast<std::int64_t>(i) - 1;
    for (const auto& entry : source_.entries()) {
      plan_.bytes_in += entry.view.bytes.size();
      TETRAD_TRY(add_entry(entry));
    }
    for (std::int64_t layer = 0; layer < config_.layers; ++layer)
      if (config_.sparse[static_cast<std::size_t>(layer)]) TETRAD_TRY(add_experts(layer));
    TETRAD_TRY(lay_out());
    std::erase_if(plan_.units, [](const WorkUnit& unit) { return unit.dense.empty() && unit.experts.empty(); });
    plan_.carried_files = TETRAD_TRY(list_carried_files(source_.directory()));
    if (options_.calibration.empty())
      plan_.warnings.push_back(
          "no calibration data: every input_scale is 1.0 (W4A16 engines ignore it; W4A4 engines use it)");
    return std::move(plan_);
  }

 private:
  std::size_t add_output(std::size_t unit, std::string name, DType dtype, Shape shape) {
    outputs_.push_back({std::move(name), dtype, std::move(shape)});
    output_units_.push_back(unit);
    return outputs_.size() - 1;
  }

  Status add_entry(const Checkpoint::Entry& entry) {
    const TensorIdentity id = identify_tensor(config_, entry.name);
    if (id.role == Role::kExpert || is_fp8_scale(source_, entry.name)) return {};
    const auto unit =
        static_cast<std::size_t>(std::clamp<std::int64_t>(id.layer, -1, config_.layers + config_.mtp_layers - 1) + 1);
    DenseTensor dense{entry.name, DenseAction::kCopy, 0};
    const DType from = entry.view.dtype;
    const bool floating = from == DType::kF32 || from == DType::kF16;
    if (from == DType::kF8E4M3) {
      if (!entry.name.ends_with(".weight") || entry.view.shape.size() != 2)
        return invalid_input("unexpected FP8 tensor", entry.name, "only matrices named *.weight have block scales");
      const std::string module = entry.name.substr(0, entry.name.size() - 7);
      TETRAD_TRY(source_.weight(module, entry.view.shape[0], entry.view.shape[1]));
      dense.action = DenseAction::kToBF16;
    } else if (floating && !keeps_type(id, entry.name)) {
      dense.action = DenseAction::kToBF16;
      ++rounded_;
    }
    dense.output =
        add_output(unit, entry.name, dense.action == DenseAction::kCopy ? from : DType::kBF16, entry.view.shape);
    plan_.units[unit].dense.push_back(dense);
    return {};
  }

  Status add_experts(std::int64_t layer) {
    const auto unit = static_cast<std::size_t>(layer + 1);
    for (std::int64_t expert = 0; expert < config_.experts; ++expert) {
      ExpertJob job{expert, {}};
      for (int projection = 0; projection < 3; ++projection) {
        const std::string module = config_.expert_module(layer, expert, projection);
        const std::int64_t rows = config_.projection_rows(projection), cols = config_.projection_cols(projection);
        auto& output = job.projections[static_cast<std::size_t>(projection)];
        output.source = TETRAD_TRY(source_.weight(module, rows, cols));
        if (cols % 16 != 0)
          return make_error(ErrorCode::kUnsupported, "cannot quantize to NVFP4", module,
                            fmt::format("{} columns are not a multiple of 16", cols));
        output.weight = add_output(unit, module + ".weight", DType::kU8, {rows, cols / 2});
        output.weight_scale = add_output(unit, module + ".weight_scale", DType::kF8E4M3, {rows, cols / 16});
        output.weight_scale_2 = add_output(unit, module + ".weight_scale_2", DType::kF32, {});
        output.input_scale = add_output(unit, module + ".input_scale", DType::kF32, {});
        plan_.quantized_modules.push_back(module);
        plan_.quantized_weights += static_cast<std::uint64_t>(rows * cols);
      }
      plan_.units[unit].experts.push_back(job);
    }
    return {};
  }

  // Shards are filled unit by unit, so that a finished layer's bytes lie together.
  Status lay_out() {
    std::vector<std::size_t> order(outputs_.size());
    for (std::size_t i = 0; i < order.size(); ++i) order[i] = i;
    std::stable_sort(order.begin(), order.end(),
                     [&](std::size_t a, std::size_t b) { return output_units_[a] < output_units_[b]; });
    std::vector<std::size_t> position(order.size());
    std::vector<TensorSpec> sorted;
    for (std::size_t i = 0; i < order.size(); ++i) {
      position[order[i]] = i;
      sorted.push_back(outputs_[order[i]]);
    }
    for (auto& unit : plan_.units) {
      for (auto& dense : unit.dense) dense.output = position[dense.output];
      for (auto& job : unit.experts)
        for (auto& p : job.projections)
          for (std::size_t* index : {&p.weight, &p.weight_scale, &p.weight_scale_2, &p.input_scale})
            *index = position[*index];
    }
    plan_.layout = TETRAD_TRY(ShardLayout::plan(std::move(sorted), options_.shard_size));
    plan_.bytes_out = plan_.layout.total_bytes();
    if (rounded_ > 0)
      plan_.warnings.push_back(
          fmt::format("{} F32 or F16 tensors outside of the experts are rounded to BF16", rounded_));
    plan_.fingerprint = fingerprint();
    return {};
  }

  std::string fingerprint() const {
    Fingerprint print;
    print.add(source_.config().dump());
    for (const auto& entry : source_.entries())
      print.add(fmt::format("{} {} {}", entry.name, dtype_name(entry.view.dtype), shape_text(entry.view.shape)));
    add_values(print);
    print.add(fmt::format("{} {} {} {} {}", options_.recipe, algorithm_name(options_.algorithm),
                          static_cast<int>(options_.calibration_precision), options_.input_scale_per_expert,
                          options_.shard_size));
    return print.hex();
  }

  // Another training of the same model has the same headers: a few bytes from the middle of tensors that are spread
  // over the model tell them apart.
  void add_values(Fingerprint& print) const {
    constexpr std::size_t kSamples = 1024, kSampleBytes = 64;
    const auto& entries = source_.entries();
    const std::size_t step = std::max<std::size_t>(1, entries.size() / kSamples);
    for (std::size_t i = 0; i < entries.size(); i += step) {
      const auto bytes = entries[i].view.bytes;
      const auto part = bytes.subspan(bytes.size() / 2, std::min(kSampleBytes, bytes.size() - bytes.size() / 2));
      print.add({reinterpret_cast<const char*>(part.data()), part.size()});
      source_.release(bytes);  // all: a touched page brings its neighbours along
    }
  }

  const Checkpoint& source_;
  const ModelConfig& config_;
  const QuantizeOptions& options_;
  QuantizePlan plan_;
  std::vector<TensorSpec> outputs_;
  std::vector<std::size_t> output_units_;
  std::size_t rounded_ = 0;
};

// Weights a second and core, measured on a 2.6 GHz Zen 4 core with AVX-512; for the estimate of time only.
double weights_per_second(Algorithm algorithm) { return algorithm == Algorithm::kMax ? 300e6 : 60e6; }

}  // namespace

Result<QuantizePlan> make_plan(const Checkpoint& source, const ModelConfig& config, const QuantizeOptions& options) {
  return Planner(source, config, options).run();
}

std::string describe_plan(const QuantizePlan& plan, const ModelConfig& config, const QuantizeOptions& options,
                          std::int64_t calibration_tokens, std::size_t threads) {
  std::string text;
  const auto line = [&](const char* name, const std::string& value) {
    text += fmt::format("  {:<14} {}\n", name, value);
  };
  text += fmt::format("plan: {} -> {}\n", options.source.string(), options.destination.string());
  line("model", fmt::format("{}: {} layers, {} experts, top-{}, hidden {}", config.model_type, config.layers,
                            config.experts, config.experts_per_token, config.hidden));
  line("quantize", fmt::format("{} expert matrices ({} weights) to NVFP4, algorithm {}", plan.quantized_modules.size(),
                               format_count(plan.quantized_weights), algorithm_name(options.algorithm)));
  line("tensors", fmt::format("{} out, {} shard{}", plan.layout.tensors().size(), plan.layout.shards(),
                              plan.layout.shards() == 1 ? "" : "s"));
  line("bytes", fmt::format("{} in, {} out", format_bytes(plan.bytes_in), format_bytes(plan.bytes_out)));
  const std::uint64_t limit = options.memory_limit;
  double seconds = static_cast<double>(plan.quantized_weights) / weights_per_second(options.algorithm) /
                   static_cast<double>(threads);
  if (calibration_tokens > 0) {
    const std::uint64_t stores =
        2 * static_cast<std::uint64_t>(calibration_tokens) * static_cast<std::uint64_t>(config.hidden) * 4;
    line("calibration", fmt::format("{} tokens; hidden states {}{}", calibration_tokens, format_bytes(stores),
                                    stores > limit / 2 ? ", in a temporary file" : ", in memory"));
    const double active = 3.0 * static_cast<double>(config.experts_per_token * config.expert_width * config.hidden) *
                          static_cast<double>(config.layers);
    seconds += 2 * active * static_cast<double>(calibration_tokens) / (40e9 * static_cast<double>(threads));
  } else {
    line("calibration", "none");
  }
  line("memory", fmt::format("at most {} for buffers and hidden states", format_bytes(limit)));
  line("time", fmt::format("about {} on {} threads", format_seconds(seconds), threads));
  line("carried over", plan.carried_files.empty() ? "nothing" : fmt::format("{}", fmt::join(plan.carried_files, ", ")));
  for (const auto& warning : plan.warnings) text += "  warning: " + warning + "\n";
  return text;
}

}  // namespace tetrad
