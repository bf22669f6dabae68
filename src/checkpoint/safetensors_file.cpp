#include "checkpoint/safetensors_file.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <limits>
#include <nlohmann/json.hpp>

#include "base/json.h"

namespace tetrad {
namespace {

constexpr std::size_t kPrefixBytes = 8;
constexpr std::size_t kMaxRank = 16;  // deeper than any real tensor; keeps messages and loops short

const std::string kInvalidFile = "invalid safetensors file";

struct Placed {
  NamedTensor tensor;
  std::uint64_t begin, end;  // in the data part
};

std::string place_of(const std::string& where, const std::string& name) { return where + ": tensor " + name; }

Result<std::uint64_t> unsigned_of(const Json& value, const std::string& where, const char* what) {
  if (!value.is_number_unsigned())
    return invalid_input(kInvalidFile, where, fmt::format("{} must be a non-negative integer", what));
  return value.get<std::uint64_t>();
}

Result<Shape> shape_of(const Json& entry, const std::string& where) {
  const auto found = entry.find("shape");
  if (found == entry.end() || !found->is_array())
    return invalid_input(kInvalidFile, where, "\"shape\" must be an array");
  if (found->size() > kMaxRank)
    return invalid_input(kInvalidFile, where, fmt::format("it has {} dimensions", found->size()));
  Shape shape;
  for (const Json& value : *found) {
    const std::uint64_t size = TETRAD_TRY(unsigned_of(value, where, "each size of \"shape\""));
    if (size > static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max()))
      return invalid_input(kInvalidFile, where, fmt::format("its size {} is too large", size));
    shape.push_back(static_cast<std::int64_t>(size));
  }
  return shape;
}

// Bytes that dtype and shape ask for; an error when the product does not fit.
Result<std::uint64_t> bytes_of(DType dtype, const Shape& shape, const std::string& where) {
  std::uint64_t bytes = dtype_size(dtype);
  for (const std::int64_t size : shape) {
    if (__builtin_mul_overflow(bytes, static_cast<std::uint64_t>(size), &bytes))
      return invalid_input(kInvalidFile, where, fmt::format("the shape {} overflows", shape_text(shape)));
  }
  return bytes;
}

Result<Placed> parse_entry(const std::string& name, const Json& entry, std::span<const std::byte> data,
                           const std::string& file) {
  const std::string where = place_of(file, name);
  if (!entry.is_object()) return invalid_input(kInvalidFile, where, "its entry in the header is not an object");
  const auto type = entry.find("dtype");
  if (type == entry.end() || !type->is_string())
    return invalid_input(kInvalidFile, where, "\"dtype\" must be a string");
  const auto& type_name = type->get_ref<const std::string&>();
  const std::optional<DType> dtype = dtype_from_name(type_name);
  if (!dtype)
    return make_error(ErrorCode::kUnsupported, kInvalidFile, where, fmt::format("unknown dtype \"{}\"", type_name));
  Shape shape = TETRAD_TRY(shape_of(entry, where));

  const auto offsets = entry.find("data_offsets");
  if (offsets == entry.end() || !offsets->is_array() || offsets->size() != 2)
    return invalid_input(kInvalidFile, where, "\"data_offsets\" must be two offsets");
  const std::uint64_t begin = TETRAD_TRY(unsigned_of((*offsets)[0], where, "the offset of its first byte"));
  const std::uint64_t end = TETRAD_TRY(unsigned_of((*offsets)[1], where, "the offset of its end"));
  if (begin > end) return invalid_input(kInvalidFile, where, fmt::format("it begins at {} but ends at {}", begin, end));
  if (end > data.size())
    return invalid_input(kInvalidFile, where, fmt::format("it ends at byte {} of {} bytes of data", end, data.size()),
                         "the file seems to be cut short: copy or download it again");
  const std::uint64_t bytes = TETRAD_TRY(bytes_of(*dtype, shape, where));
  if (bytes != end - begin)
    return invalid_input(
        kInvalidFile, where,
        fmt::format("{} {} needs {} bytes but has {}", type_name, shape_text(shape), bytes, end - begin));
  return Placed{{name, {*dtype, std::move(shape), data.subspan(begin, end - begin)}}, begin, end};
}

Status parse_metadata(const Json& entry, const std::string& where, std::map<std::string, std::string>& metadata) {
  if (!entry.is_object()) return invalid_input(kInvalidFile, where, "\"__metadata__\" must be an object");
  for (const auto& [key, value] : entry.items()) {
    if (!value.is_string())
      return invalid_input(kInvalidFile, where, fmt::format("metadata \"{}\" must be a string", key));
    metadata[key] = value.get<std::string>();
  }
  return {};
}

// The reference implementation's rule: the tensors cover the data part without holes and without overlap.
Status check_cover(const std::vector<Placed>& placed, std::uint64_t data_bytes, const std::string& where) {
  std::uint64_t at = 0;
  for (const Placed& one : placed) {
    if (one.begin < at)
      return invalid_input(
          kInvalidFile, place_of(where, one.tensor.name),
          fmt::format("it begins at byte {}, inside the tensor before it, which ends at {}", one.begin, at));
    if (one.begin > at)
      return invalid_input(kInvalidFile, place_of(where, one.tensor.name),
                           fmt::format("bytes {} to {} before it belong to no tensor", at, one.begin));
    at = one.end;
  }
  if (at != data_bytes)
    return invalid_input(kInvalidFile, where,
                         fmt::format("the tensors end at byte {} of {} bytes of data", at, data_bytes));
  return {};
}

}  // namespace

Result<std::vector<NamedTensor>> parse_safetensors(std::span<const std::byte> bytes, const std::string& where,
                                                   std::map<std::string, std::string>& metadata) {
  metadata.clear();
  if (bytes.size() < kPrefixBytes)
    return invalid_input(kInvalidFile, where, fmt::format("{} bytes are too few for a header", bytes.size()));
  std::uint64_t length = 0;
  for (std::size_t i = 0; i < kPrefixBytes; ++i) length |= std::to_integer<std::uint64_t>(bytes[i]) << (8 * i);
  if (length > kMaxSafetensorsHeader)
    return invalid_input(kInvalidFile, where,
                         fmt::format("the header's length {} is over the limit of {}", length, kMaxSafetensorsHeader));
  if (length > bytes.size() - kPrefixBytes)
    return invalid_input(kInvalidFile, where,
                         fmt::format("a header of {} bytes does not fit into a file of {}", length, bytes.size()),
                         "the file seems to be cut short: copy or download it again");
  const std::string_view text(reinterpret_cast<const char*>(bytes.data()) + kPrefixBytes, length);
  if (text.empty() || text.front() != '{')
    return invalid_input(kInvalidFile, where, "the header does not begin with '{'");
  const Json header = TETRAD_TRY(parse_json(text, where + ": header"));
  if (!header.is_object()) return invalid_input(kInvalidFile, where, "the header is not an object");

  const std::span<const std::byte> data = bytes.subspan(kPrefixBytes + length);
  std::vector<Placed> placed;
  placed.reserve(header.size());
  for (const auto& [name, entry] : header.items()) {
    if (name == "__metadata__")
      TETRAD_TRY(parse_metadata(entry, where, metadata));
    else
      placed.push_back(TETRAD_TRY(parse_entry(name, entry, data, where)));
  }
  std::stable_sort(placed.begin(), placed.end(), [](const Placed& a, const Placed& b) {
    return std::pair(a.begin, a.end) < std::pair(b.begin, b.end);
  });
  TETRAD_TRY(check_cover(placed, data.size(), where));

  std::vector<NamedTensor> tensors;
  tensors.reserve(placed.size());
  for (Placed& one : placed) tensors.push_back(std::move(one.tensor));
  return tensors;
}

Result<SafetensorsFile> SafetensorsFile::open(const std::filesystem::path& path) {
  SafetensorsFile file;
  file.file_ = TETRAD_TRY(MappedFile::open(path));
  file.tensors_ = TETRAD_TRY(parse_safetensors(file.file_.bytes(), path.string(), file.metadata_));
  return file;
}

}  // namespace tetrad
