// How far quantized checkpoints are from their original: KL divergence over the full vocabulary, perplexity, top-1
// agreement, error of the hidden states layer by layer. Used by `tetrad eval`.
//
// All models run layer by layer in lockstep, so memory holds one layer's weights of each at most, and hidden states
// instead of logits (beyond the limit in a temporary file). Logits exist for a few rows at a time.
#pragma once

#include <string>
#include <vector>

#include "base/json.h"
#include "eval/statistics.h"
#include "eval/token_set.h"
#include "model/layer_stream.h"

namespace tetrad {

struct EvalOptions {
  std::filesystem::path reference;
  std::vector<std::filesystem::path> candidates;
  TokenSetOptions data;
  ActivationFormat activations = ActivationFormat::kBF16;  // of the candidates; the reference runs unquantized
  DenseWeights dense = DenseWeights::kStored;              // likewise
  bool int8_inputs = false;                                // likewise
  std::uint64_t memory_limit = 0;             // bytes, shared by all models; 0: half of the machine's memory
  std::filesystem::path temporary_directory;  // empty: the system's
  std::string command_line;                   // for the report
};

struct CategoryResult {
  std::string name;
  std::int64_t positions = 0;
  double kld_mean = 0, kld_standard_error = 0, top1_agreement = 0, perplexity = 0;
};

struct CandidateResult {
  std::string path;
  double perplexity = 0, top1_agreement = 0;
  KldSummary kld;
  std::int64_t nonfinite = 0;  // positions with a non-finite logit; left out of every mean
  std::vector<CategoryResult> categories;
  std::vector<double> hidden_relative_error;  // [layers]: |h_ref - h_cand| / |h_ref| over all positions (Frobenius)
  std::vector<double> position_kld;           // of the finite positions, in order; for the histogram
};

struct EvalResult {
  std::string reference, command_line, activations, dense_weights, expert_inputs;
  std::vector<std::string> data;
  std::int64_t positions = 0, windows = 0, context = 0, stride = 0;
  bool truncated = false;
  double reference_perplexity = 0, seconds = 0;
  std::uint64_t peak_rss_bytes = 0;
  std::vector<CandidateResult> candidates;
  std::vector<LayerActivity> coverage;  // of the reference run: tokens an expert
};

Result<EvalResult> evaluate(const EvalOptions& options, const Compute& compute);

Json to_json(const EvalResult& result);         // as the command line's contract has it
std::string to_text(const EvalResult& result);  // an aligned table
std::string to_html(const EvalResult& result);  // one self-contained page

}  // namespace tetrad
