// What a tensor is, without owning it: element type, shape, bytes. Row-major, contiguous. Used by everything that reads
// or writes checkpoints. A view is valid as long as the memory it was made from (usually a MappedFile) lives.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace tetrad {

enum class DType : std::uint8_t {
  kF32,
  kBF16,
  kF16,
  kF8E4M3,
  kF8E5M2,
  kU8,
  kI8,
  kI16,
  kI32,
  kI64,
  kU16,
  kU32,
  kU64,
  kF64,
  kBool
};

std::size_t dtype_size(DType dtype);                          // bytes of an element
std::string_view dtype_name(DType dtype);                     // safetensors' name: "F32", "BF16", "F8_E4M3", ...
std::optional<DType> dtype_from_name(std::string_view name);  // nullopt when safetensors has no such type (or we don't)

using Shape = std::vector<std::int64_t>;
std::string shape_text(const Shape& shape);  // "[256, 3072]"

struct TensorView {
  DType dtype = DType::kF32;
  Shape shape;                       // [] is a scalar of one element
  std::span<const std::byte> bytes;  // may be unaligned for its dtype: safetensors does not promise alignment

  std::int64_t elements() const;
};

// Element i (row-major) as F32, for the small and the rare; kernels convert whole rows. Integer types too. i <
// elements().
float element_as_float(const TensorView& view, std::int64_t i);

}  // namespace tetrad
