#include "eval/evaluate.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <optional>

#include "base/interrupt.h"
#include "base/log.h"
#include "base/units.h"
#include "model/dense_weights.h"

namespace tetrad {
namespace fs = std::filesystem;
namespace {

constexpr std::int64_t kHiddenRows = 1024;       // read at a time when layers are compared
constexpr std::uint64_t kLogitBytes = 64 << 20;  // of all models' logits at a time

// A model under test. The checkpoint outlives the stream that reads it.
struct Runner {
  Checkpoint checkpoint;
  ModelConfig config;
  std::optional<LayerStream> stream;
  std::optional<OutputHead> head;
};

// What is gathered of one candidate, position by position.
struct Gathered {
  std::vector<double> kld, reference_nll, candidate_nll;
  std::vector<std::uint8_t> same_top1;
  std::vector<std::uint32_t> window;
  std::int64_t nonfinite = 0;
};

class Evaluation {
 public:
  Evaluation(const EvalOptions& options, const Compute& compute) : options_(options), compute_(compute) {}

  Result<EvalResult> run() {
    const auto start = std::chrono::steady_clock::now();
    TETRAD_TRY(open());
    TETRAD_TRY(run_layers());
    TETRAD_TRY(compare_logits());
    summarize_all();
    result_.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    result_.peak_rss_bytes = peak_resident_bytes();
    return std::move(result_);
  }

 private:
  Status open();
  Status open_stream(std::size_t i, const ForwardOptions& forward, const LayerStream::Limits& limits);
  Status run_layers();
  Status compare_hidden();
  Status compare_logits();
  Status compare_rows(std::size_t window, std::int64_t first_row, std::int64_t begin, std::int64_t rows);
  void summarize_all();
  CategoryResult summarize_category(const Gathered& gathered, std::size_t category) const;

  const EvalOptions& options_;
  const Compute& compute_;
  std::vector<Runner> runners_;  // the reference first
  TokenSet tokens_;
  std::vector<Gathered> gathered_;
  double reference_nll_ = 0;
  std::int64_t reference_positions_ = 0;
  std::vector<std::vector<float>> hidden_, logits_;  // one of each a model
  EvalResult result_;
};

Status Evaluation::open() {
  std::vector<fs::path> paths = {options_.reference};
  paths.insert(paths.end(), options_.candidates.begin(), options_.candidates.end());
  for (const auto& path : paths) {
    auto checkpoint = TETRAD_TRY(Checkpoint::open(path));
    auto config = TETRAD_TRY(ModelConfig::parse(checkpoint.config(), (path / "config.json").string()));
    runners_.push_back({std::move(checkpoint), std::move(config), {}, {}});
    const ModelConfig &ours = runners_.back().config, &theirs = runners_.front().config;
    if (ours.vocab != theirs.vocab || ours.layers != theirs.layers || ours.hidden != theirs.hidden)
      return invalid_input("models cannot be compared", path.string(),
                           fmt::format("vocabulary {}, {} layers, hidden {}; the reference has {}, {}, {}", ours.vocab,
                                       ours.layers, ours.hidden, theirs.vocab, theirs.layers, theirs.hidden));
  }
  tokens_ = TETRAD_TRY(load_token_set(options_.data, options_.reference, runners_.front().config));
  const std::uint64_t limit = options_.memory_limit > 0 ? options_.memory_limit : total_memory_bytes() / 2;
  const LayerStream::Limits limits{
      std::max<std::uint64_t>(1, (limit - std::min(limit / 4, kLogitBytes)) / runners_.size()),
      options_.temporary_directory.empty() ? fs::temp_directory_path() : options_.temporary_directory};
  ForwardOptions candidate;
  candidate.activations = options_.activations;
  candidate.dense = options_.dense;
  candidate.int8_inputs = options_.int8_inputs;
  for (std::size_t i = 0; i < runners_.size(); ++i)
    TETRAD_TRY(open_stream(i, i > 0 ? candidate : ForwardOptions{}, limits));
  result_.reference = options_.reference.string();
  result_.command_line = options_.command_line;
  result_.activations = options_.activations == ActivationFormat::kNvfp4 ? "nvfp4" : "bf16";
  result_.dense_weights = dense_weights_name(options_.dense);
  result_.expert_inputs = expert_inputs_name(candidate, compute_);
  for (const auto& file : options_.data.files) result_.data.push_back(file.string());
  result_.positions = tokens_.positions;
  result_.windows = static_cast<std::int64_t>(tokens_.windows.size());
  result_.context = std::min(options_.data.context, runners_.front().config.max_position);
  result_.stride = options_.data.stride > 0 ? std::min(options_.data.stride, result_.context) : result_.context;
  result_.truncated = tokens_.truncated;
  for (const auto& path : options_.candidates) result_.candidates.emplace_back().path = path.string();
  gathered_.resize(options_.candidates.size());
  hidden_.resize(runners_.size());
  logits_.resize(runners_.size());
  return {};
}

Status Evaluation::open_stream(std::size_t i, const ForwardOptions& forward, const LayerStream::Limits& limits) {
  Runner& runner = runners_[i];
  std::vector<std::vector<std::int32_t>> sequences;
  for (const auto& window : tokens_.windows) sequences.push_back(window.ids);
  runner.stream = TETRAD_TRY(
      LayerStream::create(runner.checkpoint, runner.config, compute_, forward, std::move(sequences), limits));
  runner.head.emplace(TETRAD_TRY(OutputHead::create(runner.checkpoint, runner.config, compute_, forward)));
  return {};
}

Status Evaluation::run_layers() {
  const std::int64_t layers = runners_.front().config.layers;
  Progress progress("evaluating", static_cast<std::uint64_t>(layers) * runners_.size());
  for (std::int64_t layer = 0; layer < layers; ++layer) {
    for (std::size_t i = 0; i < runners_.size(); ++i) {
      TETRAD_TRY(check_interrupt());
      auto activity = TETRAD_TRY(runners_[i].stream->run_layer());
      if (i == 0) result_.coverage.push_back(std::move(activity));
      progress.advance(static_cast<std::uint64_t>(layer) * runners_.size() + i + 1,
                       fmt::format("layer {} of {}", layer, layers));
    }
    TETRAD_TRY(compare_hidden());
  }
  return {};
}

Status Evaluation::compare_hidden() {
  const auto width = static_cast<std::size_t>(runners_.front().config.hidden);
  const std::int64_t total = runners_.front().stream->tokens();
  double norm = 0;
  std::vector<double> error(runners_.size(), 0);
  for (std::int64_t begin = 0; begin < total; begin += kHiddenRows) {
    const std::int64_t rows = std::min(kHiddenRows, total - begin);
    const std::size_t n = static_cast<std::size_t>(rows) * width;
    for (std::size_t i = 0; i < runners_.size(); ++i) {
      hidden_[i].resize(n);
      TETRAD_TRY(runners_[i].stream->read_hidden(begin, rows, hidden_[i]));
      for (std::size_t k = 0; k < n; ++k) {
        const double reference = hidden_[0][k], difference = static_cast<double>(hidden_[i][k]) - reference;
        if (i == 0)
          norm += reference * reference;
        else
          error[i] += difference * difference;
      }
    }
  }
  for (std::size_t i = 1; i < runners_.size(); ++i)
    result_.candidates[i - 1].hidden_relative_error.push_back(norm == 0 ? 0 : std::sqrt(error[i] / norm));
  return {};
}

Status Evaluation::compare_logits() {
  const auto vocab = static_cast<std::uint64_t>(runners_.front().config.vocab);
  const auto chunk =
      static_cast<std::int64_t>(std::clamp<std::uint64_t>(kLogitBytes / (vocab * 4 * runners_.size()), 1, 256));
  Progress progress("comparing", static_cast<std::uint64_t>(tokens_.positions));
  std::int64_t first_row = 0, done = 0;
  for (std::size_t w = 0; w < tokens_.windows.size(); ++w) {
    const Window& window = tokens_.windows[w];
    const auto last = static_cast<std::int64_t>(window.ids.size()) - 1;
    for (std::int64_t begin = window.first_counted; begin < last; begin += chunk) {
      TETRAD_TRY(check_interrupt());
      TETRAD_TRY(compare_rows(w, first_row, begin, std::min(chunk, last - begin)));
      progress.advance(static_cast<std::uint64_t>(done += std::min(chunk, last - begin)));
    }
    first_row += last + 1;
  }
  return {};
}

// Positions [begin, begin + rows) of a window whose first row among all is `first_row`.
Status Evaluation::compare_rows(std::size_t w, std::int64_t first_row, std::int64_t begin, std::int64_t rows) {
  const auto vocab = static_cast<std::size_t>(runners_.front().config.vocab),
             width = static_cast<std::size_t>(runners_.front().config.hidden);
  const auto count = static_cast<std::size_t>(rows);
  for (std::size_t i = 0; i < runners_.size(); ++i) {
    hidden_[i].resize(count * width);
    logits_[i].resize(count * vocab);
    TETRAD_TRY(runners_[i].stream->read_hidden(first_row + begin, rows, hidden_[i]));
    runners_[i].head->logits(hidden_[i], rows, logits_[i]);
  }
  std::vector<RowComparison> compared(count * gathered_.size());
  std::vector<double> reference_nll(count);
  const auto& ids = tokens_.windows[w].ids;
  compute_.pool().run(count, [&](std::size_t r, std::size_t) {
    const std::int64_t next = ids[static_cast<std::size_t>(begin) + r + 1];
    const auto row_of = [&](std::size_t i) { return std::span<const float>(logits_[i]).subspan(r * vocab, vocab); };
    const ReferenceRow reference(row_of(0));
    reference_nll[r] = reference.finite() ? reference.nll(next) : std::nan("");
    for (std::size_t c = 0; c < gathered_.size(); ++c)
      compared[r * gathered_.size() + c] = reference.compare(row_of(c + 1), next);
  });
  for (std::size_t r = 0; r < count; ++r) {
    if (std::isfinite(reference_nll[r])) {
      reference_nll_ += reference_nll[r];
      ++reference_positions_;
    }
    for (std::size_t c = 0; c < gathered_.size(); ++c) {
      const RowComparison& row = compared[r * gathered_.size() + c];
      Gathered& g = gathered_[c];
      if (!row.finite) {
        ++g.nonfinite;
        continue;
      }
      g.kld.push_back(row.kld);
      g.reference_nll.push_back(row.reference_nll);
      g.candidate_nll.push_back(row.candidate_nll);
      g.same_top1.push_back(row.same_top1);
      g.window.push_back(static_cast<std::uint32_t>(w));
    }
  }
  return {};
}

CategoryResult Evaluation::summarize_category(const Gathered& g, std::size_t category) const {
  CategoryResult out;
  out.name = tokens_.categories[category];
  std::vector<double> kld;
  std::vector<std::uint32_t> window;
  double nll = 0, same = 0;
  for (std::size_t i = 0; i < g.kld.size(); ++i) {
    if (tokens_.windows[g.window[i]].category != category) continue;
    kld.push_back(g.kld[i]);
    window.push_back(g.window[i]);
    nll += g.candidate_nll[i];
    same += g.same_top1[i];
  }
  out.positions = static_cast<std::int64_t>(kld.size());
  const KldSummary summary = summarize(kld, window);
  out.kld_mean = summary.mean;
  out.kld_standard_error = summary.standard_error;
  out.top1_agreement = same / static_cast<double>(kld.size());
  out.perplexity = std::exp(nll / static_cast<double>(kld.size()));
  return out;
}

void Evaluation::summarize_all() {
  // Means over no position are NaN (null in JSON): 0 would read as a perfect model.
  result_.reference_perplexity = std::exp(reference_nll_ / static_cast<double>(reference_positions_));
  for (std::size_t c = 0; c < gathered_.size(); ++c) {
    Gathered& g = gathered_[c];
    CandidateResult& out = result_.candidates[c];
    const auto n = static_cast<double>(g.kld.size());
    double nll = 0, same = 0;
    for (std::size_t i = 0; i < g.kld.size(); ++i) {
      nll += g.candidate_nll[i];
      same += g.same_top1[i];
    }
    out.perplexity = std::exp(nll / n);
    out.top1_agreement = same / n;
    out.kld = summarize(g.kld, g.window);
    out.nonfinite = g.nonfinite;
    for (std::size_t category = 0; category < tokens_.categories.size(); ++category)
      out.categories.push_back(summarize_category(g, category));
    out.position_kld = std::move(g.kld);
  }
}

}  // namespace

Result<EvalResult> evaluate(const EvalOptions& options, const Compute& compute) {
  return Evaluation(options, compute).run();
}

}  // namespace tetrad
