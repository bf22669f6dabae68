#include "conversion/quantize.h"

#include <fmt/format.h>

#include <chrono>
#include <future>
#include <nlohmann/json.hpp>
#include <numeric>
#include <optional>

#include "base/fingerprint.h"
#include "base/interrupt.h"
#include "base/log.h"
#include "base/units.h"
#include "conversion/carried_files.h"
#include "conversion/journal.h"
#include "conversion/unit_writer.h"
#include "conversion/workplace.h"
#include "model/layer_weights.h"
#include "quant/quant_config.h"

namespace tetrad {
namespace fs = std::filesystem;
namespace {

constexpr const char* kRecordName = "tetrad_quantization.json";
constexpr std::uint64_t kOutputBufferBytes =
    128 << 20;  // what is kept of the memory limit for output buffers and mapped pages in use

// Everything one run needs, in the order in which it comes to be.
class Run {
 public:
  Run(const QuantizeOptions& options, const Compute& compute) : options_(options), compute_(compute) {}

  Result<QuantizeResult> run(const QuantizeHooks& hooks);

 private:
  Status prepare();
  Status begin_stream();
  Status run_units();
  Result<LayerResult> run_unit(const WorkUnit& unit);
  Status settle_pending();
  Status write_configs();
  Json record() const;
  Result<bool> already_complete();

  QuantizeOptions options_;
  const Compute& compute_;
  std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
  std::optional<Checkpoint> source_;
  ModelConfig config_;
  CalibrationSet calibration_;
  QuantizePlan plan_;
  std::string fingerprint_;
  std::optional<Workplace> workplace_;
  std::optional<Journal> journal_;
  std::optional<SafetensorsWriter> writer_;
  std::optional<LayerStream> stream_;
  std::future<Status> pending_;  // the last unit on its way to the disk and into the journal
  QuantizeResult result_;
};

Status Run::prepare() {
  source_ = TETRAD_TRY(Checkpoint::open(options_.source));
  TETRAD_TRY(Workplace::check_apart(options_.source, options_.destination));
  config_ = TETRAD_TRY(ModelConfig::parse(source_->config(), (options_.source / "config.json").string()));
  if (options_.recipe != "nvfp4-experts")
    return make_error(ErrorCode::kUsage, "unknown recipe", options_.recipe, "there is nvfp4-experts");
  if (options_.memory_limit == 0) options_.memory_limit = total_memory_bytes() / 2;
  plan_ = TETRAD_TRY(make_plan(*source_, config_, options_));
  if (!options_.calibration.empty()) {
    if (auto runs = check_runnable(config_); !runs)
      return Unexpected(std::move(runs).error().with_hint(
          "without calibration data it can be quantized: every input_scale is 1.0 then"));
    calibration_ = TETRAD_TRY(load_calibration_set(options_.calibration, options_.source, config_));
    plan_.warnings.insert(plan_.warnings.end(), calibration_.warnings.begin(), calibration_.warnings.end());
  }
  Fingerprint print;
  print.add(plan_.fingerprint);
  print.add(calibration_.fingerprint);
  fingerprint_ = print.hex();
  result_.source = options_.source.string();
  result_.destination = options_.destination.string();
  result_.recipe = options_.recipe;
  result_.algorithm = algorithm_name(options_.algorithm);
  result_.tensors = plan_.layout.tensors().size();
  result_.quantized_tensors = plan_.quantized_modules.size();
  result_.quantized_weights = plan_.quantized_weights;
  result_.bytes_in = plan_.bytes_in;
  result_.bytes_out = plan_.bytes_out;
  result_.calibration_tokens = calibration_.tokens;
  result_.calibration_sequences = static_cast<std::int64_t>(calibration_.sequences.size());
  result_.warnings = plan_.warnings;
  return {};
}

// A destination that this very work has finished before: a resume has nothing left to do.
Result<bool> Run::already_complete() {
  const fs::path path = options_.destination / kRecordName;
  std::error_code ignored;
  if (!options_.resume || !fs::exists(path, ignored)) return false;
  const Json json = TETRAD_TRY(read_json_file(path));
  if (!json.is_object() || json.value("fingerprint", "") != fingerprint_ || !json.contains("layers")) return false;
  for (const Json& layer : json["layers"]) result_.layers.push_back(TETRAD_TRY(layer_from_json(layer, path.string())));
  result_.already_complete = true;
  TETRAD_TRY(Workplace::discard(options_.destination));
  return true;
}

Status Run::begin_stream() {
  if (calibration_.tokens == 0) return {};
  ForwardOptions forward;
  forward.precision = options_.calibration_precision;
  forward.drop_nonfinite = true;
  const std::uint64_t limit = options_.memory_limit > 2 * kOutputBufferBytes
                                  ? options_.memory_limit - kOutputBufferBytes
                                  : options_.memory_limit / 2;
  stream_ = TETRAD_TRY(LayerStream::create(*source_, config_, compute_, forward, calibration_.sequences,
                                           {limit, workplace_->directory()}));
  if (!journal_->entries().empty() && !journal_->entries().back().state_file.empty())
    TETRAD_TRY(stream_->restore(workplace_->directory() / journal_->entries().back().state_file));
  return {};
}

Status Run::settle_pending() {
  if (!pending_.valid()) return {};
  return pending_.get();
}

Result<LayerResult> Run::run_unit(const WorkUnit& unit) {
  UnitWriter unit_writer(*source_, options_, compute_, *writer_);
  LayerResult layer{unit.layer, {}};
  std::vector<ExpertActivity> activity;
  const auto quantize_experts = [&](std::span<const std::int64_t> experts) {
    return unit_writer.write_experts(unit, experts, layer.experts);
  };
  if (stream_ && unit.layer >= 0 && unit.layer < config_.layers) {
    activity = TETRAD_TRY(stream_->run_layer(unit.experts.empty() ? ExpertVisitor() : ExpertVisitor(quantize_experts)))
                   .experts;
    for (std::size_t i = 0; i < layer.experts.size(); ++i) layer.experts[i].activity = activity[i];
  } else {
    std::vector<std::int64_t> all(unit.experts.size());
    std::iota(all.begin(), all.end(), 0);
    TETRAD_TRY(quantize_experts(all));
  }
  TETRAD_TRY(unit_writer.write_dense(unit));
  TETRAD_TRY(unit_writer.write_input_scales(unit, activity));
  return layer;
}

Status Run::run_units() {
  std::size_t done = 0;
  for (const auto& entry : journal_->entries()) {
    if (entry.unit != done || done >= plan_.units.size())
      return invalid_input("damaged journal", workplace_->directory().string(), "its entries are out of order",
                           "begin anew without --resume, with --overwrite");
    if (entry.layer.layer >= 0 && !entry.layer.experts.empty()) result_.layers.push_back(entry.layer);
    ++done;
  }
  if (done > 0) log_note(fmt::format("resuming behind {} of {} parts", done, plan_.units.size()));
  Progress progress("quantizing", plan_.units.size());
  for (std::size_t i = done; i < plan_.units.size(); ++i) {
    TETRAD_TRY(check_interrupt());
    const WorkUnit& unit = plan_.units[i];
    progress.advance(i,
                     unit.layer < 0 ? "embedding and head" : fmt::format("layer {} of {}", unit.layer, config_.layers));
    JournalEntry entry{i, TETRAD_TRY(run_unit(unit)), ""};
    TETRAD_TRY(settle_pending());
    if (stream_ && unit.layer < config_.layers) {
      // Two files in turn: the one that the journal names is never the one being written.
      entry.state_file = fmt::format("hidden-{}", i % 2);
      TETRAD_TRY(stream_->save(workplace_->directory() / entry.state_file));
    }
    if (!entry.layer.experts.empty()) result_.layers.push_back(entry.layer);
    // The disk works on this unit while the processors work on the next.
    pending_ = std::async(std::launch::async, [this, entry = std::move(entry)]() -> Status {
      TETRAD_TRY(writer_->sync());
      return journal_->append(entry);
    });
  }
  return settle_pending();
}

Json Run::record() const {
  Json json;
  json["format"] = "tetrad quantization record";
  json["version"] = 1;
  json["fingerprint"] = fingerprint_;
  json["recipe"] = result_.recipe;
  json["algorithm"] = result_.algorithm;
  json["calibration"] = {{"tokens", result_.calibration_tokens},
                         {"sequences", result_.calibration_sequences},
                         {"nonfinite_rows", result_.nonfinite_rows()}};
  json["layers"] = Json::array();
  for (const auto& layer : result_.layers) json["layers"].push_back(layer_to_json(layer));
  return json;
}

Status Run::write_configs() {
  const fs::path directory = workplace_->checkpoint();
  TETRAD_TRY(copy_carried_files(options_.source, directory, plan_.carried_files));
  const auto configs = TETRAD_TRY(make_quant_configs(*source_, config_));
  TETRAD_TRY(write_file_atomically(directory / "config.json", configs.config_json));
  TETRAD_TRY(write_file_atomically(directory / "hf_quant_config.json", configs.hf_quant_config_json));
  return write_file_atomically(directory / kRecordName, record().dump(1) + "\n");
}

Result<QuantizeResult> Run::run(const QuantizeHooks& hooks) {
  TETRAD_TRY(prepare());
  if (hooks.plan_text != nullptr)
    *hooks.plan_text = describe_plan(plan_, config_, options_, calibration_.tokens, compute_.pool().size());
  const auto finish = [&]() -> QuantizeResult {
    collect_warnings(result_);
    result_.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start_).count();
    result_.peak_rss_bytes = peak_resident_bytes();
    return result_;
  };
  if (hooks.plan_only) return finish();
  if (TETRAD_TRY(already_complete())) return finish();
  if (hooks.plan_text != nullptr) log_note(*hooks.plan_text);
  workplace_ = TETRAD_TRY(Workplace::open(options_.destination, options_.resume, options_.overwrite));
  journal_ = TETRAD_TRY(Journal::open(workplace_->directory() / "journal", fingerprint_, options_.resume));
  writer_ = TETRAD_TRY(SafetensorsWriter::open(workplace_->checkpoint(), plan_.layout, !journal_->entries().empty()));
  TETRAD_TRY(begin_stream());
  Status status = run_units();
  if (pending_.valid()) pending_.wait();
  if (!status) {
    if (status.error().hint.empty())
      status.error().hint = "the finished layers are kept: the same command with --resume continues behind them";
    return Unexpected(status.error());
  }
  TETRAD_TRY(write_configs());
  TETRAD_TRY(writer_->finish());
  writer_.reset();
  TETRAD_TRY(workplace_->publish());
  return finish();
}

}  // namespace

Result<QuantizeResult> quantize(const QuantizeOptions& options, const Compute& compute, const QuantizeHooks& hooks) {
  return Run(options, compute).run(hooks);
}

}  // namespace tetrad
