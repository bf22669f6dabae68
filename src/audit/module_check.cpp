#include "audit/module_check.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <nlohmann/json.hpp>

#include "numeric/e4m3.h"
#include "numeric/nvfp4.h"

namespace tetrad {
namespace {

constexpr std::size_t kBlockBytes = kNvfp4Block / 2;

std::int64_t blocks_of(std::int64_t size, std::int64_t block) { return (size + block - 1) / block; }

std::uint8_t byte_at(std::span<const std::byte> bytes, std::size_t i) {
  return std::to_integer<std::uint8_t>(bytes[i]);
}

// Is there a byte that `suspect` accepts? A plain loop without a way out, which compilers turn into vector code: nearly
// all data has none.
template <class Suspect>
bool any_byte(std::span<const std::byte> bytes, Suspect suspect) {
  unsigned found = 0;
  for (const std::byte b : bytes) found |= suspect(std::to_integer<std::uint8_t>(b)) ? 1U : 0U;
  return found != 0;
}

bool is_float(DType dtype) { return dtype == DType::kF32 || dtype == DType::kBF16 || dtype == DType::kF16; }

// Elements whose exponent is all ones: infinities and NaN.
template <class T>
std::int64_t count_nonfinite(const TensorView& view, T exponent) {
  std::int64_t count = 0;
  const std::byte* p = view.bytes.data();
  for (std::int64_t i = 0; i < view.elements(); ++i, p += sizeof(T)) {
    T bits;
    std::memcpy(&bits, p, sizeof(T));
    count += (bits & exponent) == exponent ? 1 : 0;
  }
  return count;
}

std::int64_t nonfinite(const TensorView& view) {
  switch (view.dtype) {
    case DType::kF32:
      return count_nonfinite<std::uint32_t>(view, 0x7F800000U);
    case DType::kBF16:
      return count_nonfinite<std::uint16_t>(view, 0x7F80U);
    case DType::kF16:
      return count_nonfinite<std::uint16_t>(view, 0x7C00U);
    default:
      return 0;
  }
}

// What is known while a module is looked at.
class Module {
 public:
  Module(const Checkpoint& checkpoint, std::string name, ModuleCheck& check)
      : checkpoint_(checkpoint), name_(std::move(name)), check_(check) {}

  void fault(const std::string& suffix, std::string what) {
    check_.faults.push_back({name_ + suffix, std::move(what)});
  }

  // The tensor, when it is there with this type and shape; else a fault and nullptr.
  const TensorView* get(const std::string& suffix, DType dtype, const Shape& shape) {
    const TensorView* view = checkpoint_.find(name_ + suffix);
    if (view == nullptr)
      fault(suffix, "missing tensor");
    else if (view->shape != shape)
      fault(suffix, fmt::format("wrong shape: {} instead of {}", shape_text(view->shape), shape_text(shape)));
    else if (view->dtype != dtype)
      fault(suffix, fmt::format("wrong dtype: {} instead of {}", dtype_name(view->dtype), dtype_name(dtype)));
    else
      return view;
    return nullptr;
  }

  // A positive, finite F32 of one element.
  std::optional<float> scale(const std::string& suffix, bool required = true) {
    const TensorView* view = checkpoint_.find(name_ + suffix);
    if (view == nullptr) {
      if (required) fault(suffix, "missing tensor");
      return std::nullopt;
    }
    if (view->elements() != 1) {
      fault(suffix, fmt::format("wrong shape: {} instead of a single value", shape_text(view->shape)));
      return std::nullopt;
    }
    if (view->dtype != DType::kF32)
      fault(suffix, fmt::format("wrong dtype: {} instead of F32", dtype_name(view->dtype)));
    if (!is_float(view->dtype)) return std::nullopt;
    const float value = element_as_float(*view, 0);
    if (!std::isfinite(value) || value <= 0)
      fault(suffix, fmt::format("{} is not a usable scale: it must be finite and above 0", value));
    return value;
  }

 private:
  const Checkpoint& checkpoint_;
  std::string name_;
  ModuleCheck& check_;
};

struct Tell {
  std::int64_t count = 0, row = 0, block = 0;
  void add(std::int64_t at_row, std::int64_t at_block) {
    if (count++ == 0) {
      row = at_row;
      block = at_block;
    }
  }
  std::string text(const char* what) const {
    return fmt::format("{} of its scales {}, the first at [{}, {}]", count, what, row, block);
  }
};

void check_block_scales(Module& module, const std::string& suffix, const TensorView* codes, const TensorView& scales) {
  if (!any_byte(scales.bytes, [](std::uint8_t code) { return code == 0 || code >= 0x7F; })) return;
  Tell nan, negative, zero;
  const std::int64_t cols = scales.shape[1];
  for (std::int64_t i = 0; i < scales.elements(); ++i) {
    const std::uint8_t code = byte_at(scales.bytes, static_cast<std::size_t>(i));
    if (code != 0 && code < 0x7F) continue;
    if ((code & 0x7FU) == 0x7F) {
      nan.add(i / cols, i % cols);
    } else if ((code & 0x7FU) != 0) {
      negative.add(i / cols, i % cols);
    } else if (codes != nullptr) {
      std::uint64_t block = 0;
      std::memcpy(&block, codes->bytes.data() + static_cast<std::size_t>(i) * kBlockBytes, kBlockBytes);
      if ((block & 0x7777'7777'7777'7777U) != 0) zero.add(i / cols, i % cols);
    }
  }
  if (nan.count > 0) module.fault(suffix, nan.text("are NaN"));
  if (negative.count > 0) module.fault(suffix, negative.text("are negative"));
  if (zero.count > 0) module.fault(suffix, zero.text("are zero over values that are not"));
}

// Does this checkpoint promise activation scales? W4A16 ones have none.
bool wants_input_scale(const ModelConfig& config, const Json& json) {
  if (config.stored != StoredFormat::kNvfp4ModelOpt && config.stored != StoredFormat::kNvfp4CompressedTensors)
    return true;
  const bool usual = json.contains("quantization_config") && json["quantization_config"].is_object();
  const Json& quantization =
      json.at(usual ? "quantization_config" : "compression_config");  // ModelConfig::parse found one of them
  if (quantization.contains("quant_algo") && quantization["quant_algo"] == "W4A16_NVFP4") return false;
  const auto groups = quantization.find("config_groups");
  if (groups == quantization.end() || !groups->is_object()) return config.stored == StoredFormat::kNvfp4ModelOpt;
  for (const auto& [name, group] : groups->items())
    if (group.contains("input_activations") && !group["input_activations"].is_null()) return true;
  return false;
}

void check_nvfp4(Module& module, const Checkpoint& checkpoint, const ModelConfig& config, bool packed,
                 std::int64_t rows, std::int64_t cols, ModuleCheck& check) {
  if (cols % kNvfp4Block != 0) {
    module.fault("", fmt::format("{} columns are no multiple of {}", cols, kNvfp4Block));
    return;
  }
  const std::string suffix = packed ? ".weight_packed" : ".weight";
  const TensorView* codes = module.get(suffix, DType::kU8, {rows, cols / 2});
  const TensorView* scales = module.get(".weight_scale", DType::kF8E4M3, {rows, cols / kNvfp4Block});
  if (scales != nullptr) check_block_scales(module, ".weight_scale", codes, *scales);
  check.tensor_scale = module.scale(packed ? ".weight_global_scale" : ".weight_scale_2");
  check.input_scale =
      module.scale(packed ? ".input_global_scale" : ".input_scale", wants_input_scale(config, checkpoint.config()));
}

void check_fp8_scales(Module& module, const std::string& suffix, const TensorView& codes, const TensorView& scales,
                      const ModelConfig& config, std::int64_t cols) {
  Tell bad, zero;
  const std::int64_t scale_cols = blocks_of(cols, config.fp8_block_cols);
  for (std::int64_t i = 0; i < scales.elements(); ++i) {
    const float value = element_as_float(scales, i);
    const std::int64_t block_row = i / scale_cols, block_col = i % scale_cols;
    if (!std::isfinite(value) || value < 0) bad.add(block_row, block_col);
    if (value != 0) continue;
    bool used = false;
    for (std::int64_t r = block_row * config.fp8_block_rows;
         r < std::min((block_row + 1) * config.fp8_block_rows, codes.shape[0]); ++r)
      for (std::int64_t c = block_col * config.fp8_block_cols;
           c < std::min((block_col + 1) * config.fp8_block_cols, cols); ++c)
        used = used || (byte_at(codes.bytes, static_cast<std::size_t>(r * cols + c)) & 0x7FU) != 0;
    if (used) zero.add(block_row, block_col);
  }
  if (bad.count > 0) module.fault(suffix, bad.text("are not finite or negative"));
  if (zero.count > 0) module.fault(suffix, zero.text("are zero over values that are not"));
}

void check_fp8(Module& module, const Checkpoint& checkpoint, const ModelConfig& config, const std::string& name,
               std::int64_t rows, std::int64_t cols) {
  const TensorView* codes = module.get(".weight", DType::kF8E4M3, {rows, cols});
  if (codes != nullptr && any_byte(codes->bytes, [](std::uint8_t code) { return (code & 0x7FU) == 0x7F; })) {
    Tell nan;
    for (std::int64_t i = 0; i < codes->elements(); ++i)
      if ((byte_at(codes->bytes, static_cast<std::size_t>(i)) & 0x7FU) == 0x7F) nan.add(i / cols, i % cols);
    if (nan.count > 0)
      module.fault(".weight",
                   fmt::format("{} of its values are NaN, the first at [{}, {}]", nan.count, nan.row, nan.block));
  }
  const std::string suffix =
      checkpoint.find(name + ".weight_scale_inv") == nullptr && checkpoint.find(name + ".weight_scale") != nullptr
          ? ".weight_scale"
          : ".weight_scale_inv";
  const TensorView* found = checkpoint.find(name + suffix);
  if (found != nullptr && found->elements() == 1 && found->shape.size() <= 1) {
    module.scale(suffix);
    return;
  }
  const DType dtype = found != nullptr && found->dtype == DType::kBF16 ? DType::kBF16 : DType::kF32;
  const TensorView* scales =
      module.get(suffix, dtype, {blocks_of(rows, config.fp8_block_rows), blocks_of(cols, config.fp8_block_cols)});
  if (scales != nullptr && codes != nullptr) check_fp8_scales(module, suffix, *codes, *scales, config, cols);
}

void release_all(const Checkpoint& checkpoint, const std::string& module) {
  for (const char* suffix : {".weight", ".weight_packed", ".weight_scale", ".weight_scale_inv"})
    if (const TensorView* view = checkpoint.find(module + suffix)) checkpoint.release(view->bytes);
}

void check_values(const Checkpoint& checkpoint, const std::string& name, const TensorView& view,
                  std::vector<Fault>& faults) {
  if (const std::int64_t count = nonfinite(view); count > 0)
    faults.push_back({name, fmt::format("{} of its values are not finite", count)});
  checkpoint.release(view.bytes);
}

}  // namespace

ModuleCheck check_linear(const Checkpoint& checkpoint, const ModelConfig& config, const std::string& module,
                         std::int64_t rows, std::int64_t cols) {
  ModuleCheck check;
  Module tensors(checkpoint, module, check);
  const TensorView* weight = checkpoint.find(module + ".weight");
  const bool packed = weight == nullptr && checkpoint.find(module + ".weight_packed") != nullptr;
  if (weight == nullptr && !packed) {
    tensors.fault(".weight", "missing tensor");
    return check;
  }
  check.dtype = packed ? "U8" : std::string(dtype_name(weight->dtype));
  if (packed || weight->dtype == DType::kU8) {
    check.stored = StoredAs::kNvfp4;
    check_nvfp4(tensors, checkpoint, config, packed, rows, cols, check);
  } else if (weight->dtype == DType::kF8E4M3) {
    check.stored = StoredAs::kFp8;
    check_fp8(tensors, checkpoint, config, module, rows, cols);
  } else if (is_float(weight->dtype)) {
    check.stored = StoredAs::kPlain;
    if (tensors.get(".weight", weight->dtype, {rows, cols}) != nullptr)
      check_values(checkpoint, module + ".weight", *weight, check.faults);
  } else {
    check.stored = StoredAs::kUnknown;
    tensors.fault(".weight", fmt::format("wrong dtype: {} holds no weights", dtype_name(weight->dtype)));
  }
  release_all(checkpoint, module);
  return check;
}

ModuleCheck check_plain(const Checkpoint& checkpoint, const std::string& name, const Shape& shape) {
  ModuleCheck check;
  const TensorView* view = checkpoint.find(name);
  if (view == nullptr) {
    check.faults.push_back({name, "missing tensor"});
    return check;
  }
  check.stored = StoredAs::kPlain;
  check.dtype = dtype_name(view->dtype);
  Module tensors(checkpoint, name, check);
  if (!is_float(view->dtype))
    tensors.fault("", fmt::format("wrong dtype: {} instead of BF16, F16 or F32", dtype_name(view->dtype)));
  else if (tensors.get("", view->dtype, shape) != nullptr)
    check_values(checkpoint, name, *view, check.faults);
  return check;
}

bool is_scale(const std::string& suffix) {
  return suffix.find("scale") != std::string::npos || suffix == ".weight_shape";
}

bool suffix_belongs(StoredAs stored, const std::string& module, const std::string& suffix) {
  const auto any_of = [&](std::initializer_list<const char*> known) {
    return std::find(known.begin(), known.end(), suffix) != known.end();
  };
  if (suffix == ".k_scale") return module.ends_with(".k_proj");
  if (suffix == ".v_scale") return module.ends_with(".v_proj");
  switch (stored) {
    case StoredAs::kMissing:
      return true;  // reported as missing; what is left of it is no second fault
    case StoredAs::kPlain:
    case StoredAs::kUnknown:
      return suffix == ".weight";
    case StoredAs::kFp8:
      return any_of({".weight", ".weight_scale_inv", ".weight_scale", ".input_scale"});
    case StoredAs::kNvfp4:
      return any_of({".weight", ".weight_scale", ".weight_scale_2", ".input_scale", ".weight_packed",
                     ".weight_global_scale", ".input_global_scale", ".weight_shape"});
  }
  return false;
}

}  // namespace tetrad
