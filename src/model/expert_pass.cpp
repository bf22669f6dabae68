#include "model/expert_pass.h"

#include <algorithm>
#include <cmath>
#include <mutex>
#include <optional>

#include "base/check.h"
#include "model/expert_cache.h"

namespace tetrad {
namespace {

// The first error of a parallel loop.
class FirstError {
 public:
  void take(Status status) {
    if (status.has_value()) return;
    const std::lock_guard lock(mutex_);
    if (!error_) error_ = std::move(status).error();
  }
  Status status() {
    if (error_) return Unexpected(*error_);
    return {};
  }

 private:
  std::mutex mutex_;
  std::optional<Error> error_;
};

struct RoutedRow {
  std::int64_t token = 0;
  float weight = 0;
  float gate_up_amax = 0, down_amax = 0;
  bool dropped = false;
};

// Rows of one expert in the buffers.
struct Part {
  std::size_t expert = 0;
  std::int64_t row = 0, count = 0;
  const std::array<WeightView, 3>* weights = nullptr;  // gate, up, down
};

// All routed rows sorted by expert, tokens ascending.
struct RowsByExpert {
  std::vector<std::int64_t> begin;  // [experts + 1]
  std::vector<RoutedRow> rows;
};

RowsByExpert sort_by_expert(const Routing& routing, std::int64_t tokens, std::size_t experts) {
  RowsByExpert sorted;
  sorted.begin.assign(experts + 1, 0);
  const auto entries = static_cast<std::size_t>(tokens * routing.per_token);
  for (std::size_t i = 0; i < entries; ++i) ++sorted.begin[static_cast<std::size_t>(routing.experts[i]) + 1];
  for (std::size_t e = 0; e < experts; ++e) sorted.begin[e + 1] += sorted.begin[e];
  sorted.rows.resize(entries);
  std::vector<std::int64_t> next(sorted.begin.begin(), sorted.begin.end() - 1);
  for (std::size_t i = 0; i < entries; ++i) {
    RoutedRow& row = sorted.rows[static_cast<std::size_t>(next[static_cast<std::size_t>(routing.experts[i])]++)];
    row.token = static_cast<std::int64_t>(i) / routing.per_token;
    row.weight = routing.weights[i];
  }
  return sorted;
}

class Runner {
 public:
  explicit Runner(const ExpertPass& pass)
      : pass_(pass),
        hidden_(pass.context.config.hidden),
        width_(pass.context.config.expert_width),
        x_(pass.buffers.x.grow(pass.max_rows * hidden_)),
        gate_(pass.buffers.gate.grow(pass.max_rows * width_)),
        up_(pass.buffers.up.grow(pass.max_rows * width_)) {}

  Status run(std::span<RoutedRow> rows, std::span<const Part> parts);
  Status run_from_cache(RowsByExpert& sorted);

 private:
  const KernelTable& kernels() const { return pass_.context.compute.kernels(); }
  bool bf16() const { return pass_.context.bf16(); }
  LinearOptions options() const { return {bf16(), pass_.context.options.computes_in_int8()}; }
  float* x(std::int64_t row) { return x_ + row * hidden_; }
  float* gate(std::int64_t row) { return gate_ + row * width_; }
  float* up(std::int64_t row) { return up_ + row * width_; }
  // The scale to quantize an expert's inputs with; 0: leave them.
  float input_scale(const WeightView& a, const WeightView& b) const;
  Status gather(RoutedRow& row, std::int64_t at, float scale);
  void activate(RoutedRow& row, std::int64_t at, float scale);
  // The steps of a run over the rows of some parts. `rows` are all rows in the buffers.
  Status gather_parts(std::span<RoutedRow> rows, std::span<const Part> parts);
  void compute_parts(std::span<RoutedRow> rows, std::span<const Part> parts);
  Status scatter(std::span<const RoutedRow> rows);

  const ExpertPass& pass_;
  std::int64_t hidden_, width_;
  float *x_, *gate_, *up_;
};

float Runner::input_scale(const WeightView& a, const WeightView& b) const {
  if (pass_.context.options.activations != ActivationFormat::kNvfp4 || a.format != WeightFormat::kNvfp4) return 0;
  const float scale = std::max(a.input_scale.value_or(0), b.input_scale.value_or(0));
  return std::isfinite(scale) && scale > 0 ? scale : 0;
}

Status Runner::gather(RoutedRow& row, std::int64_t at, float scale) {
  float* to = x(at);
  TETRAD_TRY(pass_.hidden.read(row.token, 1, to));
  kernels().rms_norm(to, pass_.weights.post_norm.data(), hidden_, static_cast<float>(pass_.context.config.rms_eps),
                     bf16(), to);
  row.gate_up_amax = kernels().amax(to, hidden_);
  if (!std::isfinite(row.gate_up_amax) && pass_.context.options.drop_nonfinite) {
    row.dropped = true;
    std::fill(to, to + hidden_, 0.0F);
  }
  if (scale > 0) kernels().fake_quantize(to, hidden_, scale, to);
  return {};
}

void Runner::activate(RoutedRow& row, std::int64_t at, float scale) {
  kernels().swiglu(gate(at), up(at), width_, bf16(), gate(at));
  row.down_amax = kernels().amax(gate(at), width_);
  if (!std::isfinite(row.down_amax) && pass_.context.options.drop_nonfinite) {
    row.dropped = true;
    std::fill(gate(at), gate(at) + width_, 0.0F);
  }
  if (scale > 0) kernels().fake_quantize(gate(at), width_, scale, gate(at));
}

// A token may have rows of several experts here: each task owns a share of the tokens and adds their rows in order.
Status Runner::scatter(std::span<const RoutedRow> rows) {
  ThreadPool& pool = pass_.context.compute.pool();
  const std::size_t shares = pool.size() == 1 ? 1 : 4 * pool.size();
  FirstError error;
  pool.run(shares, [&](std::size_t share, std::size_t worker) {
    float* buffer = pass_.context.workspace.get(worker, hidden_);
    for (std::size_t i = 0; i < rows.size(); ++i) {
      const RoutedRow& row = rows[i];
      if (row.dropped || static_cast<std::size_t>(row.token) % shares != share) continue;
      float* sum = pass_.sums.row(row.token);
      const bool stored = sum == nullptr;
      if (stored) {
        sum = buffer;
        error.take(pass_.sums.read(row.token, 1, sum));
      }
      kernels().add_scaled(sum, x(static_cast<std::int64_t>(i)), row.weight, hidden_, bf16());
      if (stored) error.take(pass_.sums.write(row.token, 1, sum));
    }
  });
  return error.status();
}

// The rows that the parts have in the buffers, in one list.
std::vector<std::int64_t> rows_of(std::span<const Part> parts) {
  std::vector<std::int64_t> list;
  for (const Part& part : parts)
    for (std::int64_t i = 0; i < part.count; ++i) list.push_back(part.row + i);
  return list;
}

Status Runner::gather_parts(std::span<RoutedRow> rows, std::span<const Part> parts) {
  const OpTimer timer(pass_.context.profile, Op::kGather);
  std::vector<float> scale(rows.size());
  for (const Part& part : parts)
    std::fill_n(scale.begin() + part.row, part.count, input_scale((*part.weights)[0], (*part.weights)[1]));
  const std::vector<std::int64_t> list = rows_of(parts);
  FirstError error;
  pass_.context.compute.pool().run(
      list.size(),
      [&](std::size_t i, std::size_t) {
        const auto row = static_cast<std::size_t>(list[i]);
        error.take(gather(rows[row], list[i], scale[row]));
      },
      8);
  return error.status();
}

void Runner::compute_parts(std::span<RoutedRow> rows, std::span<const Part> parts) {
  const DecoderContext& context = pass_.context;
  std::vector<float> scale(rows.size());
  std::vector<LinearJob> wide, narrow;
  for (const Part& part : parts) {
    const auto& [w1, w3, w2] = *part.weights;
    std::fill_n(scale.begin() + part.row, part.count, input_scale(w2, w2));
    wide.push_back({&w1, x(part.row), part.count, hidden_, gate(part.row), width_});
    wide.push_back({&w3, x(part.row), part.count, hidden_, up(part.row), width_});
    narrow.push_back({&w2, gate(part.row), part.count, width_, x(part.row), hidden_});
  }
  OpTimer wide_timer(context.profile, Op::kGateUp);
  linear(context.compute, context.workspace, wide, options());
  wide_timer.stop();
  OpTimer activate_timer(context.profile, Op::kActivate);
  const std::vector<std::int64_t> list = rows_of(parts);
  context.compute.pool().run(
      list.size(),
      [&](std::size_t i, std::size_t) {
        const auto row = static_cast<std::size_t>(list[i]);
        activate(rows[row], list[i], scale[row]);
      },
      8);
  activate_timer.stop();
  const OpTimer narrow_timer(context.profile, Op::kDown);
  linear(context.compute, context.workspace, narrow, options());
}

Status Runner::run(std::span<RoutedRow> rows, std::span<const Part> parts) {
  TETRAD_TRY(gather_parts(rows, parts));
  compute_parts(rows, parts);
  const OpTimer timer(pass_.context.profile, Op::kScatter);
  return scatter(rows);
}

// What is in memory is computed first, the others as the disk brings them.
Status Runner::run_from_cache(RowsByExpert& sorted) {
  const std::size_t experts = pass_.weights.experts.size();
  TETRAD_CHECK(pass_.max_rows >= sorted.begin[experts]);
  std::vector<std::int64_t> counts(experts);
  std::vector<Part> all;
  for (std::size_t e = 0; e < experts; ++e) {
    counts[e] = sorted.begin[e + 1] - sorted.begin[e];
    if (counts[e] > 0) all.push_back({e, sorted.begin[e], counts[e], &pass_.weights.experts[e]});
  }
  ExpertCache::Pass fetch(*pass_.cache, pass_.layer, counts, pass_.tokens);
  fetch.foresee(pass_.foreseen);
  TETRAD_TRY(gather_parts(sorted.rows, all));  // while the first reads are under way
  for (;;) {
    OpTimer wait_timer(pass_.context.profile, Op::kFetch);
    const auto ready = TETRAD_TRY(fetch.next());
    wait_timer.stop();
    if (ready.empty()) break;
    std::vector<Part> parts;
    for (const ExpertCache::Ready& one : ready)
      parts.push_back({one.expert, sorted.begin[one.expert], counts[one.expert], one.views});
    compute_parts(sorted.rows, parts);
    fetch.done(ready);
  }
  const OpTimer timer(pass_.context.profile, Op::kScatter);
  return scatter(sorted.rows);
}

void record(const ExpertPass& pass, std::span<const RoutedRow> rows, ExpertActivity& activity) {
  for (const RoutedRow& row : rows) {
    const bool finite = std::isfinite(row.gate_up_amax) && std::isfinite(row.down_amax);
    if (!finite) ++activity.nonfinite_rows;
    if (!finite && pass.context.options.drop_nonfinite) continue;
    ++activity.tokens;
    activity.route_mass += static_cast<double>(row.weight);
    if (!finite) continue;
    activity.gate_up_amax = std::max(activity.gate_up_amax, row.gate_up_amax);
    activity.down_amax = std::max(activity.down_amax, row.down_amax);
  }
}

}  // namespace

std::uint64_t expert_bytes_per_row(const ModelConfig& config) {
  // As linear() packs them: 4-byte values in tiles, whose classes are padded.
  const auto packed = static_cast<std::uint64_t>((config.hidden + 127) / 128 * 128 + 256) * sizeof(float);
  return static_cast<std::uint64_t>(config.hidden + 2 * config.expert_width) * sizeof(float) + packed +
         sizeof(RoutedRow);
}

Result<std::vector<ExpertActivity>> run_experts(const ExpertPass& pass) {
  const std::size_t experts = pass.weights.experts.size();
  RowsByExpert sorted = sort_by_expert(pass.routing, pass.tokens, experts);
  std::vector<ExpertActivity> activity(experts);
  Runner runner(pass);
  if (pass.cache != nullptr) {
    TETRAD_TRY(runner.run_from_cache(sorted));
    for (std::size_t e = 0; e < experts; ++e) {
      const auto begin = static_cast<std::size_t>(sorted.begin[e]), end = static_cast<std::size_t>(sorted.begin[e + 1]);
      record(pass, std::span(sorted.rows).subspan(begin, end - begin), activity[e]);
    }
    return activity;
  }
  const auto has_rows = [&](std::size_t e) { return sorted.begin[e + 1] > sorted.begin[e]; };
  const auto prefetch = [&](std::size_t e) {
    if (pass.release && e < experts && has_rows(e))
      for (const WeightView& weight : pass.weights.experts[e]) pass.checkpoint.prefetch(weight);
  };

  // Hands over the experts whose rows all lie before `end`.
  std::size_t visited = 0;
  const auto visit = [&](std::int64_t end) -> Status {
    std::vector<std::int64_t> done;
    for (; visited < experts && sorted.begin[visited + 1] <= end; ++visited)
      done.push_back(static_cast<std::int64_t>(visited));
    if (pass.visitor == nullptr || done.empty()) return {};
    return (*pass.visitor)(done);
  };

  // Fill the buffers with the rows of as many experts as fit, run them, go on.
  std::size_t expert = 0;
  std::int64_t next = 0;  // row in sorted.rows
  while (next < sorted.begin[experts]) {
    const std::int64_t first = next, limit = std::min(first + pass.max_rows, sorted.begin[experts]);
    std::vector<Part> parts;
    std::size_t weight_bytes = 0;
    while (next < limit) {
      while (sorted.begin[expert + 1] <= next) ++expert;
      for (const WeightView& weight : pass.weights.experts[expert]) weight_bytes += weight.bytes();
      if (!parts.empty() && weight_bytes > pass.max_weight_bytes) break;
      const std::int64_t end = std::min(limit, sorted.begin[expert + 1]);
      parts.push_back({expert, next - first, end - next, &pass.weights.experts[expert]});
      next = end;
    }
    prefetch(expert + 1);
    const std::span<RoutedRow> rows(sorted.rows.data() + first, static_cast<std::size_t>(next - first));
    TETRAD_TRY(runner.run(rows, parts));
    for (const Part& part : parts)
      record(pass, rows.subspan(static_cast<std::size_t>(part.row), static_cast<std::size_t>(part.count)),
             activity[part.expert]);
    TETRAD_TRY(visit(next));
    for (const Part& part : parts) {
      if (!pass.release || sorted.begin[part.expert + 1] > next) continue;
      for (const WeightView& weight : pass.weights.experts[part.expert]) pass.checkpoint.release(weight);
    }
  }
  TETRAD_TRY(visit(sorted.begin[experts]));
  return activity;
}

}  // namespace tetrad
