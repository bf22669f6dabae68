// Checkpoint::weight: one linear layer's tensors, in each of the forms that checkpoints have, as one checked
// WeightView.
#include <fmt/format.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "base/check.h"
#include "checkpoint/checkpoint_impl.h"

namespace tetrad {
namespace {

constexpr std::int64_t kNvfp4Block = 16;

std::int64_t blocks_of(std::int64_t size, std::int64_t block) { return (size + block - 1) / block; }

struct BlockSize {
  std::int64_t rows = 128, cols = 128;
};

BlockSize fp8_block_of(const Json& config) {
  BlockSize block;
  const auto quantization = config.find("quantization_config");
  if (quantization == config.end() || !quantization->is_object()) return block;
  const auto size = quantization->find("weight_block_size");
  if (size == quantization->end() || !size->is_array() || size->size() != 2) return block;
  const auto read = [](const Json& value, std::int64_t& out) {
    if (value.is_number_unsigned() && value.get<std::uint64_t>() >= 1 && value.get<std::uint64_t>() <= (1U << 30))
      out = value.get<std::int64_t>();
  };
  read((*size)[0], block.rows);
  read((*size)[1], block.cols);
  return block;
}

class Reader {
 public:
  Reader(const Checkpoint& checkpoint, std::string module, std::int64_t rows, std::int64_t cols)
      : checkpoint_(checkpoint), module_(std::move(module)), rows_(rows), cols_(cols) {}

  std::string name(const char* suffix) const { return module_ + suffix; }
  std::string where(const char* suffix) const {
    return checkpoint_.directory().string() + ": tensor " + module_ + suffix;
  }
  const TensorView* find(const char* suffix) const { return checkpoint_.find(name(suffix)); }

  Result<TensorView> get(const char* suffix, DType dtype, const Shape& shape) const {
    TensorView view = TETRAD_TRY(checkpoint_.tensor(name(suffix), shape));
    if (view.dtype != dtype)
      return invalid_input("wrong dtype", where(suffix),
                           fmt::format("it is {}, not {}", dtype_name(view.dtype), dtype_name(dtype)));
    return view;
  }

  // A scale of the whole matrix: F32 (or BF16) of one element.
  Result<float> scalar(const char* suffix) const {
    const TensorView view = TETRAD_TRY(checkpoint_.tensor(name(suffix)));
    if (view.dtype != DType::kF32 && view.dtype != DType::kBF16)
      return invalid_input("wrong dtype", where(suffix), fmt::format("it is {}, not F32", dtype_name(view.dtype)));
    if (view.elements() != 1)
      return invalid_input("wrong shape", where(suffix),
                           fmt::format("it is {}, not a single value", shape_text(view.shape)));
    return element_as_float(view, 0);
  }

  Result<float> tensor_scale(const char* suffix) const {
    const float value = TETRAD_TRY(scalar(suffix));
    if (!std::isfinite(value) || value < 0)
      return invalid_input("invalid scale", where(suffix), fmt::format("{} is not a scale", value));
    return value;
  }

  Result<WeightView> nvfp4_blocks(const char* codes, const char* scales) const {
    if (cols_ % kNvfp4Block != 0)
      return invalid_input("wrong shape", where(codes),
                           fmt::format("{} columns are no multiple of {}", cols_, kNvfp4Block));
    WeightView weight = plain(WeightFormat::kNvfp4, TETRAD_TRY(get(codes, DType::kU8, {rows_, cols_ / 2})));
    weight.scales = TETRAD_TRY(get(scales, DType::kF8E4M3, {rows_, cols_ / kNvfp4Block})).bytes;
    return weight;
  }

  WeightView plain(WeightFormat format, const TensorView& view) const {
    WeightView weight;
    weight.format = format;
    weight.rows = rows_;
    weight.cols = cols_;
    weight.data = view.bytes;
    return weight;
  }

 private:
  const Checkpoint& checkpoint_;
  std::string module_;
  std::int64_t rows_, cols_;
};

std::optional<float> usable(float scale) {
  if (std::isfinite(scale) && scale > 0) return scale;
  return std::nullopt;
}

Result<WeightView> modelopt_nvfp4(const Reader& reader) {
  WeightView weight = TETRAD_TRY(reader.nvfp4_blocks(".weight", ".weight_scale"));
  weight.tensor_scale = TETRAD_TRY(reader.tensor_scale(".weight_scale_2"));
  if (reader.find(".input_scale") != nullptr) weight.input_scale = usable(TETRAD_TRY(reader.scalar(".input_scale")));
  return weight;
}

// compressed-tensors stores the factors that map values into the range of the codes: the reciprocals of ModelOpt's.
Result<WeightView> compressed_tensors_nvfp4(const Reader& reader) {
  WeightView weight = TETRAD_TRY(reader.nvfp4_blocks(".weight_packed", ".weight_scale"));
  const float factor = TETRAD_TRY(reader.tensor_scale(".weight_global_scale"));
  weight.tensor_scale = 1.0F / factor;
  if (!std::isfinite(weight.tensor_scale))
    return invalid_input("invalid scale", reader.where(".weight_global_scale"),
                         fmt::format("{} has no reciprocal", factor));
  if (reader.find(".input_global_scale") != nullptr)
    weight.input_scale = usable(1.0F / TETRAD_TRY(reader.scalar(".input_global_scale")));
  return weight;
}

}  // namespace

Result<WeightView> Checkpoint::weight(const std::string& module, std::int64_t rows, std::int64_t cols) const {
  TETRAD_CHECK(rows > 0 && cols > 0);
  const Reader reader(*this, module, rows, cols);
  if (reader.find(".weight") == nullptr && reader.find(".weight_packed") != nullptr)
    return compressed_tensors_nvfp4(reader);
  const TensorView stored = TETRAD_TRY(tensor(reader.name(".weight")));
  if (stored.dtype == DType::kU8) return modelopt_nvfp4(reader);

  const TensorView view = TETRAD_TRY(tensor(reader.name(".weight"), {rows, cols}));
  switch (view.dtype) {
    case DType::kF32:
      return reader.plain(WeightFormat::kF32, view);
    case DType::kF16:
      return reader.plain(WeightFormat::kF16, view);
    case DType::kBF16:
      return reader.plain(WeightFormat::kBF16, view);
    case DType::kF8E4M3:
      break;
    default:
      return make_error(ErrorCode::kUnsupported, "wrong dtype", reader.where(".weight"),
                        fmt::format("weights in {} are not supported", dtype_name(view.dtype)));
  }

  WeightView weight = reader.plain(WeightFormat::kFp8Block, view);
  const char* suffix = reader.find(".weight_scale_inv") == nullptr && reader.find(".weight_scale") != nullptr
                           ? ".weight_scale"
                           : ".weight_scale_inv";
  const TensorView scale = TETRAD_TRY(tensor(reader.name(suffix)));
  const BlockSize block = fp8_block_of(config());
  weight.block_rows = block.rows;
  weight.block_cols = block.cols;
  const Shape blocks = {blocks_of(rows, block.rows), blocks_of(cols, block.cols)};
  if (scale.shape != blocks) {
    if (scale.elements() != 1 || scale.shape.size() > 1)
      return invalid_input("wrong shape", reader.where(suffix),
                           fmt::format("it is {}, not {}", shape_text(scale.shape), shape_text(blocks)));
    weight.block_rows = rows;
    weight.block_cols = cols;
  }
  if (scale.dtype == DType::kF32) {
    weight.scales = scale.bytes;
    return weight;
  }
  if (scale.dtype != DType::kBF16)
    return invalid_input("wrong dtype", reader.where(suffix),
                         fmt::format("it is {}, not F32", dtype_name(scale.dtype)));
  const std::lock_guard lock(impl_->widened_mutex);
  std::vector<float>& values = impl_->widened[reader.name(suffix)];
  if (values.empty())
    for (std::int64_t i = 0; i < scale.elements(); ++i) values.push_back(element_as_float(scale, i));
  weight.scales = std::as_bytes(std::span(values));
  return weight;
}

}  // namespace tetrad
