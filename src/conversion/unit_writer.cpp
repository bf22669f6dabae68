#include "conversion/unit_writer.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <mutex>
#include <optional>

#include "base/interrupt.h"
#include "kernels/kernel_table.h"
#include "numeric/bf16.h"

namespace tetrad {
namespace {

constexpr std::size_t kCopyBytes =
    8 << 20;  // a piece of a copied tensor: long enough for the disk, short enough for memory
constexpr float kInputScaleDivisor = 2688.0F;  // 6 * 448: ModelOpt's input_scale = amax / 2688
constexpr float kNoAmax = 6.0F;  // what ModelOpt takes for a zero or missing amax (the format's largest value)

std::span<const std::byte> bytes_of(const float& value) { return std::as_bytes(std::span(&value, 1)); }

float input_scale(float amax) { return (amax > 0 && std::isfinite(amax) ? amax : kNoAmax) / kInputScaleDivisor; }

}  // namespace

// A thread's output buffers: gate and up are quantized with one tensor scale, so that both are looked at before either
// is written.
struct UnitWriter::Scratch {
  std::vector<std::uint8_t> codes, scales;
};

Status UnitWriter::write_dense(const WorkUnit& unit) {
  for (const DenseTensor& dense : unit.dense)
    TETRAD_TRY(dense.action == DenseAction::kCopy ? write_copy(dense) : write_rounded(dense));
  return {};
}

Status UnitWriter::write_copy(const DenseTensor& dense) {
  const auto bytes = TETRAD_TRY(source_.tensor(dense.source)).bytes;
  for (std::size_t begin = 0; begin < bytes.size(); begin += kCopyBytes) {
    const auto part = bytes.subspan(begin, std::min(kCopyBytes, bytes.size() - begin));
    TETRAD_TRY(writer_.write(dense.output, begin, part));
    source_.release(part);
  }
  return {};
}

Status UnitWriter::write_rounded(const DenseTensor& dense) {
  const TensorView view = TETRAD_TRY(source_.tensor(dense.source));
  WeightView weight;
  if (view.dtype == DType::kF8E4M3) {
    weight = TETRAD_TRY(source_.weight(dense.source.substr(0, dense.source.size() - 7), view.shape[0], view.shape[1]));
  } else {
    weight.format = view.dtype == DType::kF16 ? WeightFormat::kF16 : WeightFormat::kF32;
    weight.cols = view.shape.empty() ? 1 : view.shape.back();
    weight.rows = weight.cols == 0 ? 0 : view.elements() / weight.cols;
    weight.data = view.bytes;
  }
  if (weight.rows * weight.cols == 0) return {};
  const auto cols = static_cast<std::size_t>(weight.cols);
  const std::size_t stride = (cols + 15) / 16 * 16;
  const std::int64_t step = std::max<std::int64_t>(1, static_cast<std::int64_t>(kCopyBytes / 4 / stride));
  std::vector<float> values(static_cast<std::size_t>(step) * stride);
  std::vector<std::uint16_t> rounded(static_cast<std::size_t>(step) * cols);
  for (std::int64_t row = 0; row < weight.rows; row += step) {
    const std::int64_t rows = std::min(step, weight.rows - row);
    compute_.kernels().decode_rows(raw_weight(weight), row, rows, values.data(), static_cast<std::int64_t>(stride));
    const auto count = static_cast<std::size_t>(rows);
    for (std::size_t r = 0; r < count; ++r)
      for (std::size_t c = 0; c < cols; ++c) rounded[r * cols + c] = bf16_from_float(values[r * stride + c]);
    TETRAD_TRY(writer_.write(dense.output, static_cast<std::uint64_t>(row) * cols * 2,
                             std::as_bytes(std::span(rounded).first(count * cols))));
  }
  source_.release(weight);
  return {};
}

// `whole_pool`: all threads work on this expert; otherwise the calling thread alone.
Result<ExpertResult> UnitWriter::write_expert(const ExpertJob& job, bool whole_pool, Scratch& scratch) {
  ExpertResult result;
  result.expert = job.expert;
  const auto amax = [&](std::size_t p) {
    const WeightView& source = job.projections[p].source;
    return (whole_pool ? weight_range(compute_, source) : weight_range_serial(compute_, source)).amax;
  };
  const float gate_up = std::max(amax(0), amax(1));
  for (std::size_t p = 0; p < 3; ++p) {
    const auto& out = job.projections[p];
    scratch.codes.resize(static_cast<std::size_t>(out.source.rows * out.source.cols / 2));
    scratch.scales.resize(static_cast<std::size_t>(out.source.rows * out.source.cols / 16));
    float tensor_scale = 0;
    result.error[p] = (whole_pool ? quantize_matrix : quantize_matrix_serial)(compute_, out.source, options_.algorithm,
                                                                              p < 2 ? gate_up : amax(2), scratch.codes,
                                                                              scratch.scales, tensor_scale);
    TETRAD_TRY(writer_.write(out.weight, 0, std::as_bytes(std::span(scratch.codes))));
    TETRAD_TRY(writer_.write(out.weight_scale, 0, std::as_bytes(std::span(scratch.scales))));
    TETRAD_TRY(writer_.write(out.weight_scale_2, 0, bytes_of(tensor_scale)));
    source_.release(out.source);
  }
  return result;
}

Status UnitWriter::write_experts(const WorkUnit& unit, std::span<const std::int64_t> experts,
                                 std::vector<ExpertResult>& results) {
  results.resize(unit.experts.size());
  ThreadPool& pool = compute_.pool();
  std::vector<Scratch> scratch(pool.size());
  std::mutex mutex;
  std::optional<Error> failure;
  const bool whole_pool = experts.size() < pool.size();  // too few to give each thread one
  const auto one = [&](std::size_t i, std::size_t worker) {
    const auto index = static_cast<std::size_t>(experts[i]);
    auto result = interrupted() ? Result<ExpertResult>(Unexpected(check_interrupt().error()))
                                : write_expert(unit.experts[index], whole_pool, scratch[worker]);
    if (result) {
      results[index] = std::move(*result);
      return;
    }
    const std::lock_guard lock(mutex);
    if (!failure) failure = result.error();
  };
  if (whole_pool) {
    for (std::size_t i = 0; i < experts.size(); ++i) one(i, 0);
  } else {
    pool.run(experts.size(), one);
  }
  if (failure) return Unexpected(*failure);
  return {};
}

Status UnitWriter::write_input_scales(const WorkUnit& unit, const std::vector<ExpertActivity>& activity) {
  float gate_up = 0, down = 0;
  for (const auto& expert : activity) {
    gate_up = std::max(gate_up, expert.gate_up_amax);
    down = std::max(down, expert.down_amax);
  }
  for (const auto& job : unit.experts)
    for (std::size_t p = 0; p < 3; ++p) {
      float scale = 1.0F;  // no calibration: constant amax 2688
      if (!activity.empty()) {
        const auto& own = activity[static_cast<std::size_t>(job.expert)];
        const float own_amax = p == 2 ? own.down_amax : own.gate_up_amax;
        const bool use_own = options_.input_scale_per_expert && own_amax > 0;
        scale = input_scale(use_own ? own_amax : p == 2 ? down : gate_up);
      }
      TETRAD_TRY(writer_.write(job.projections[p].input_scale, 0, bytes_of(scale)));
    }
  return {};
}

}  // namespace tetrad
