#include "audit/compare.h"

#include <fmt/format.h>

#include <cmath>

#include "audit/row_decode.h"
#include "numeric/bf16.h"

namespace tetrad {
namespace {

constexpr std::int64_t kStepElements = 1 << 16;

float rounded_to(DType dtype, float value) {
  if (dtype == DType::kBF16) return round_to_bf16(value);
  if (dtype == DType::kF16) return f16_to_float(f16_from_float(value));
  return value;
}

DType dtype_of(WeightFormat format) {
  if (format == WeightFormat::kF32) return DType::kF32;
  return format == WeightFormat::kF16 ? DType::kF16 : DType::kBF16;
}

// Counts values that differ; NaN equals NaN.
class Differences {
 public:
  void add(std::span<const float> mine, std::span<const float> theirs, DType dtype) {
    for (std::size_t i = 0; i < mine.size(); ++i) {
      const float wanted = rounded_to(dtype, theirs[i]);
      if (mine[i] == wanted || (std::isnan(mine[i]) && std::isnan(wanted))) continue;
      if (count_++ == 0) first_ = fmt::format("{} instead of {}", mine[i], wanted);
    }
  }
  void report(const std::string& where, Comparison& comparison) const {
    comparison.equal = count_ == 0;
    if (count_ > 0)
      comparison.faults.push_back(
          {where, fmt::format("{} of its values are not the source's, the first {}", count_, first_)});
  }

 private:
  std::int64_t count_ = 0;
  std::string first_;
};

}  // namespace

Comparison compare_linear(const Checkpoint& checkpoint, const Checkpoint& source, const std::string& module,
                          std::int64_t rows, std::int64_t cols) {
  Comparison comparison;
  const auto mine = checkpoint.weight(module, rows, cols);
  const auto theirs = source.weight(module, rows, cols);
  if (!theirs) comparison.faults.push_back({module, "not compared: " + theirs.error().message});
  if (!mine || !theirs) return comparison;
  const bool quantized = mine->format == WeightFormat::kNvfp4 || mine->format == WeightFormat::kFp8Block;
  std::vector<float> row(static_cast<std::size_t>(cols)), source_row(static_cast<std::size_t>(cols));
  Differences differences;
  double error = 0, norm = 0;  // in order, row by row: the same sums whatever the threads
  for (std::int64_t r = 0; r < rows; ++r) {
    decode_row(*mine, r, row);
    decode_row(*theirs, r, source_row);
    if (!quantized) {
      differences.add(row, source_row, dtype_of(mine->format));
      continue;
    }
    for (std::size_t c = 0; c < row.size(); ++c) {
      // What is not finite in the source has no NVFP4 form: the quantizer takes it as 0.
      const double w = std::isfinite(source_row[c]) ? source_row[c] : 0.0F, d = w - static_cast<double>(row[c]);
      error += d * d;
      norm += w * w;
    }
  }
  if (!quantized)
    differences.report(module + ".weight", comparison);
  else
    comparison.relative_error = norm == 0 ? (error == 0 ? 0.0 : INFINITY) : std::sqrt(error / norm);
  checkpoint.release(*mine);
  source.release(*theirs);
  return comparison;
}

Comparison compare_plain(const Checkpoint& checkpoint, const Checkpoint& source, const std::string& name) {
  Comparison comparison;
  const TensorView* mine = checkpoint.find(name);
  const TensorView* theirs = source.find(name);
  if (theirs == nullptr) comparison.faults.push_back({name, "the source has no such tensor"});
  if (mine == nullptr || theirs == nullptr) return comparison;
  if (mine->shape != theirs->shape) {
    comparison.faults.push_back(
        {name, fmt::format("its shape is {}, in the source {}", shape_text(mine->shape), shape_text(theirs->shape))});
    return comparison;
  }
  Differences differences;
  std::vector<float> a, b;
  for (std::int64_t begin = 0; begin < mine->elements(); begin += kStepElements) {
    const auto count = static_cast<std::size_t>(std::min(kStepElements, mine->elements() - begin));
    a.resize(count);
    b.resize(count);
    decode_elements(*mine, begin, a);
    decode_elements(*theirs, begin, b);
    differences.add(a, b, mine->dtype);
  }
  differences.report(name, comparison);
  checkpoint.release(mine->bytes);
  source.release(theirs->bytes);
  return comparison;
}

}  // namespace tetrad
