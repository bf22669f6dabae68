#include "quant/quantizer.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <optional>
#include <vector>

#include "base/check.h"
#include "kernels/kernel_table.h"
#include "kernels/quantize_nvfp4.h"
#include "numeric/bf16.h"
#include "numeric/e4m3.h"

namespace tetrad {
namespace {

struct NamedAlgorithm {
  Algorithm algorithm;
  std::string_view name;
};
constexpr std::array<NamedAlgorithm, 3> kAlgorithms = {
    {{Algorithm::kMax, "max"}, {Algorithm::kMse, "mse"}, {Algorithm::kFourOverSix, "four-over-six"}}};

constexpr std::size_t kRowsAtOnce = 8;  // of one turn of a thread

std::size_t stored_bytes(const WeightView& weight) {
  const auto elements = static_cast<std::size_t>(weight.rows) * static_cast<std::size_t>(weight.cols);
  switch (weight.format) {
    case WeightFormat::kF32:
      return 4 * elements;
    case WeightFormat::kF16:
    case WeightFormat::kBF16:
      return 2 * elements;
    case WeightFormat::kFp8Block:
    case WeightFormat::kInt8Row:
    case WeightFormat::kFp8Row:
      return elements;
    case WeightFormat::kNvfp4:
      return elements / 2;
  }
  return 0;
}

std::size_t scale_bytes(const WeightView& weight) {
  const auto blocks = [](std::int64_t n, std::int64_t size) { return static_cast<std::size_t>((n + size - 1) / size); };
  if (weight.format == WeightFormat::kFp8Block)
    return 4 * blocks(weight.rows, weight.block_rows) * blocks(weight.cols, weight.block_cols);
  if (weight.format == WeightFormat::kNvfp4) return stored_bytes(weight) / 8;
  return 0;
}

// The largest |value| of a row of FP8 from the codes alone: without the sign they order as their values do, and so do
// the products with a scale, rounded. Decoding the row takes a fifth of the whole time for max. Nothing if a value of
// the row may be NaN or infinite: these must be counted.
std::optional<float> fp8_row_amax(const RawWeight& w, std::int64_t row) {
  constexpr std::uint8_t kNan = 0x7F;
  const auto* codes = reinterpret_cast<const std::uint8_t*>(w.data) + row * w.cols;
  const std::byte* scales = w.scales + row / w.block_rows * w.scale_cols * 4;
  float amax = 0;
  for (std::int64_t col = 0; col < w.cols; col += w.block_cols, scales += 4) {
    const std::int64_t n = std::min(w.block_cols, w.cols - col);
    std::uint8_t most = 0;
    for (std::int64_t i = 0; i < n; ++i) most = std::max(most, static_cast<std::uint8_t>(codes[col + i] & kNan));
    float scale = 0;
    std::memcpy(&scale, scales, sizeof scale);
    const float value = round_to_bf16(e4m3_to_float(most) * std::fabs(scale));
    if (most == kNan || !std::isfinite(scale) || !std::isfinite(value)) return std::nullopt;
    amax = std::max(amax, value);
  }
  return amax;
}

// One thread's work on one matrix: decodes a row at a time into its scratch.
class RowWorker {
 public:
  RowWorker(const Compute& compute, const WeightView& weight)
      : table_(compute.kernels()),
        kernels_(*quantize_kernels(compute.simd())),
        weight_(raw_weight(weight)),
        row_(static_cast<std::size_t>((weight.cols + kQuantizeRowMultiple - 1) / kQuantizeRowMultiple *
                                      kQuantizeRowMultiple)) {}

  void range(std::int64_t row, WeightRange& range) {
    if (weight_.format == WeightFormat::kFp8Block) {
      if (const auto amax = fp8_row_amax(weight_, row)) {
        range.amax = std::max(range.amax, *amax);
        return;
      }
    }
    decode(row);
    kernels_.range(row_.data(), weight_.cols, &range.amax, &range.nonfinite);
  }

  void quantize(std::int64_t row, QuantizeRow& job) {
    decode(row);
    job.values = row_.data();
    job.cols = weight_.cols;
    kernels_.quantize_row(job);
  }

 private:
  void decode(std::int64_t row) {
    table_.decode_rows(weight_, row, 1, row_.data(), static_cast<std::int64_t>(row_.size()));
  }

  const KernelTable& table_;
  const QuantizeKernels& kernels_;
  RawWeight weight_;
  std::vector<float> row_;
};

// What all rows of a matrix have in common, and where the results go.
struct MatrixJob {
  std::int64_t rows, cols;
  QuantizeRow row;  // the constant part

  MatrixJob(const WeightView& weight, Algorithm algorithm, float amax, std::span<std::uint8_t> codes,
            std::span<std::uint8_t> scales, float& tensor_scale)
      : rows(weight.rows), cols(weight.cols) {
    TETRAD_CHECK(check_quantizable(weight, "").has_value());
    TETRAD_CHECK(codes.size() == static_cast<std::size_t>(rows) * static_cast<std::size_t>(cols) / 2);
    TETRAD_CHECK(scales.size() == codes.size() / 8);
    tensor_scale = nvfp4_tensor_scale(algorithm, amax);
    row.algorithm = algorithm;
    row.amax = amax;
    row.tensor_scale = tensor_scale;
    row.codes = codes.data();
    row.scales = scales.data();
  }

  QuantizeRow at(std::int64_t index) const {
    QuantizeRow result = row;
    result.codes += index * (cols / 2);
    result.scales += index * (cols / kNvfp4Block);
    return result;
  }
};

void add(QuantizationError& total, const QuantizeRow& row) {
  total.squared_error += row.error.squared_error;
  total.squared_norm += row.error.squared_norm;
  total.nonfinite_weights += row.nonfinite;
}

void merge(WeightRange& total, const WeightRange& part) {
  total.amax = std::max(total.amax, part.amax);
  total.nonfinite += part.nonfinite;
}

}  // namespace

Result<Algorithm> algorithm_from_name(std::string_view name) {
  std::string choices;
  for (const NamedAlgorithm& known : kAlgorithms) {
    if (known.name == name) return known.algorithm;
    choices += (choices.empty() ? "" : ", ") + std::string(known.name);
  }
  return make_error(ErrorCode::kUsage, "unknown algorithm", std::string(name), "choices: " + choices);
}

std::string_view algorithm_name(Algorithm algorithm) {
  for (const NamedAlgorithm& known : kAlgorithms)
    if (known.algorithm == algorithm) return known.name;
  return "";
}

double QuantizationError::relative() const { return squared_norm > 0 ? std::sqrt(squared_error / squared_norm) : 0.0; }

Status check_quantizable(const WeightView& weight, const std::string& where) {
  const auto refuse = [&](std::string why) {
    return make_error(ErrorCode::kInvalidInput, "can't quantize", where, std::move(why));
  };
  constexpr std::int64_t kMaxSide = std::int64_t{1} << 31;
  if (weight.rows <= 0 || weight.cols <= 0 || weight.rows > kMaxSide || weight.cols > kMaxSide)
    return refuse(fmt::format("{} rows and {} columns are no matrix", weight.rows, weight.cols));
  if (weight.cols % kNvfp4Block != 0)
    return refuse(fmt::format("{} columns, which is not a multiple of 16", weight.cols));
  if (weight.format == WeightFormat::kFp8Block && (weight.block_rows <= 0 || weight.block_cols <= 0))
    return refuse(fmt::format("FP8 blocks of {} x {}", weight.block_rows, weight.block_cols));
  if (weight.data.size() != stored_bytes(weight) || weight.scales.size() != scale_bytes(weight))
    return refuse(fmt::format("{} bytes of weights and {} of scales, expected {} and {}", weight.data.size(),
                              weight.scales.size(), stored_bytes(weight), scale_bytes(weight)));
  return {};
}

WeightRange weight_range_serial(const Compute& compute, const WeightView& weight) {
  RowWorker worker(compute, weight);
  WeightRange range;
  for (std::int64_t row = 0; row < weight.rows; ++row) worker.range(row, range);
  return range;
}

WeightRange weight_range(const Compute& compute, const WeightView& weight) {
  std::vector<RowWorker> workers(compute.pool().size(), RowWorker(compute, weight));
  std::vector<WeightRange> ranges(workers.size());
  compute.pool().run(
      static_cast<std::size_t>(weight.rows),
      [&](std::size_t row, std::size_t thread) {
        workers[thread].range(static_cast<std::int64_t>(row), ranges[thread]);
      },
      kRowsAtOnce);
  for (std::size_t i = 1; i < ranges.size(); ++i) merge(ranges[0], ranges[i]);
  return ranges[0];
}

QuantizationError quantize_matrix_serial(const Compute& compute, const WeightView& weight, Algorithm algorithm,
                                         float amax, std::span<std::uint8_t> codes, std::span<std::uint8_t> scales,
                                         float& tensor_scale) {
  const MatrixJob job(weight, algorithm, amax, codes, scales, tensor_scale);
  RowWorker worker(compute, weight);
  QuantizationError total;
  for (std::int64_t i = 0; i < job.rows; ++i) {
    QuantizeRow row = job.at(i);
    worker.quantize(i, row);
    add(total, row);
  }
  return total;
}

QuantizationError quantize_matrix(const Compute& compute, const WeightView& weight, Algorithm algorithm, float amax,
                                  std::span<std::uint8_t> codes, std::span<std::uint8_t> scales, float& tensor_scale) {
  const MatrixJob job(weight, algorithm, amax, codes, scales, tensor_scale);
  std::vector<RowWorker> workers(compute.pool().size(), RowWorker(compute, weight));
  std::vector<QuantizeRow> rows(static_cast<std::size_t>(job.rows));
  compute.pool().run(
      rows.size(),
      [&](std::size_t i, std::size_t thread) {
        rows[i] = job.at(static_cast<std::int64_t>(i));
        workers[thread].quantize(static_cast<std::int64_t>(i), rows[i]);
      },
      kRowsAtOnce);
  QuantizationError total;
  for (const QuantizeRow& row : rows) add(total, row);
  return total;
}

}  // namespace tetrad
