#include "tensor/tensor_view.h"

#include <array>
#include <cstring>

#include "base/check.h"
#include "numeric/bf16.h"
#include "numeric/e4m3.h"

namespace tetrad {
namespace {

struct Entry {
  DType dtype;
  std::string_view name;
  std::size_t size;
};

constexpr std::array<Entry, 15> kTypes = {{{DType::kF32, "F32", 4},
                                           {DType::kBF16, "BF16", 2},
                                           {DType::kF16, "F16", 2},
                                           {DType::kF8E4M3, "F8_E4M3", 1},
                                           {DType::kF8E5M2, "F8_E5M2", 1},
                                           {DType::kU8, "U8", 1},
                                           {DType::kI8, "I8", 1},
                                           {DType::kI16, "I16", 2},
                                           {DType::kI32, "I32", 4},
                                           {DType::kI64, "I64", 8},
                                           {DType::kU16, "U16", 2},
                                           {DType::kU32, "U32", 4},
                                           {DType::kU64, "U64", 8},
                                           {DType::kF64, "F64", 8},
                                           {DType::kBool, "BOOL", 1}}};

template <class T>
T load(const std::byte* p) {
  T value;
  std::memcpy(&value, p, sizeof(T));
  return value;
}

}  // namespace

std::size_t dtype_size(DType dtype) { return kTypes[static_cast<std::size_t>(dtype)].size; }
std::string_view dtype_name(DType dtype) { return kTypes[static_cast<std::size_t>(dtype)].name; }

std::optional<DType> dtype_from_name(std::string_view name) {
  for (const Entry& entry : kTypes)
    if (entry.name == name) return entry.dtype;
  return std::nullopt;
}

std::string shape_text(const Shape& shape) {
  std::string text = "[";
  for (std::size_t i = 0; i < shape.size(); ++i) text += (i == 0 ? "" : ", ") + std::to_string(shape[i]);
  return text + "]";
}

std::int64_t TensorView::elements() const { return static_cast<std::int64_t>(bytes.size() / dtype_size(dtype)); }

float element_as_float(const TensorView& view, std::int64_t i) {
  TETRAD_CHECK(i >= 0 && i < view.elements());
  const std::byte* p = view.bytes.data() + static_cast<std::size_t>(i) * dtype_size(view.dtype);
  switch (view.dtype) {
    case DType::kF32:
      return load<float>(p);
    case DType::kBF16:
      return bf16_to_float(load<std::uint16_t>(p));
    case DType::kF16:
      return f16_to_float(load<std::uint16_t>(p));
    case DType::kF8E4M3:
      return e4m3_to_float(load<std::uint8_t>(p));
    case DType::kF8E5M2:
      return f16_to_float(static_cast<std::uint16_t>(load<std::uint8_t>(p) << 8));
    case DType::kU8:
    case DType::kBool:
      return static_cast<float>(load<std::uint8_t>(p));
    case DType::kI8:
      return static_cast<float>(load<std::int8_t>(p));
    case DType::kI16:
      return static_cast<float>(load<std::int16_t>(p));
    case DType::kU16:
      return static_cast<float>(load<std::uint16_t>(p));
    case DType::kI32:
      return static_cast<float>(load<std::int32_t>(p));
    case DType::kU32:
      return static_cast<float>(load<std::uint32_t>(p));
    case DType::kI64:
      return static_cast<float>(load<std::int64_t>(p));
    case DType::kU64:
      return static_cast<float>(load<std::uint64_t>(p));
    case DType::kF64:
      return static_cast<float>(load<double>(p));
  }
  return 0;
}

}  // namespace tetrad
