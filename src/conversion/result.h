// What a quantization did, for `--json`, `--html`, the summary on the terminal, and the record kept in the checkpoint
// itself.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "base/json.h"
#include "model/layer_stream.h"
#include "quant/quantizer.h"

namespace tetrad {

struct ExpertResult {
  std::int64_t expert = 0;
  std::array<QuantizationError, 3> error;  // gate, up, down
  ExpertActivity activity;                 // zero without calibration
};
struct LayerResult {
  std::int64_t layer = 0;
  std::vector<ExpertResult> experts;
};

struct QuantizeResult {
  std::string source, destination, recipe, algorithm;
  std::uint64_t tensors = 0, quantized_tensors = 0, quantized_weights = 0, bytes_in = 0, bytes_out = 0,
                peak_rss_bytes = 0;
  double seconds = 0;
  std::int64_t calibration_tokens = 0, calibration_sequences = 0;
  std::vector<LayerResult> layers;
  std::vector<std::string> warnings;
  bool already_complete = false;  // --resume found the finished checkpoint

  std::int64_t nonfinite_rows() const;
};

Json to_json(const QuantizeResult& result);  // as the command line's contract has it
std::string to_text(const QuantizeResult& result);
std::string to_html(const QuantizeResult& result);

// Fills result.warnings from the layers: experts without tokens, all-zero matrices, non-finite weights and rows.
void collect_warnings(QuantizeResult& result);

// One layer's results to JSON and back without loss (the journal and the record).
Json layer_to_json(const LayerResult& layer);
Result<LayerResult> layer_from_json(const Json& json, const std::string& where);

}  // namespace tetrad
