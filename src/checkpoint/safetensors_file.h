// One safetensors file, mapped: header checked in full at open (length, JSON, dtypes, shapes, offsets inside the file,
// no overlap), then tensors are views into the mapping. Format: 8 bytes little-endian header length, JSON header,
// tensor bytes. Source: huggingface/safetensors README. Immutable and thread-safe after open. Views live as long as the
// file object.
#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "base/files.h"
#include "tensor/tensor_view.h"

namespace tetrad {

inline constexpr std::uint64_t kMaxSafetensorsHeader = 100'000'000;  // bytes; the limit of the reference implementation

struct NamedTensor {
  std::string name;
  TensorView view;
};

class SafetensorsFile {
 public:
  static Result<SafetensorsFile> open(const std::filesystem::path& path);

  const std::vector<NamedTensor>& tensors() const { return tensors_; }  // in file order (by offset)
  const std::map<std::string, std::string>& metadata() const { return metadata_; }
  const MappedFile& file() const { return file_; }

 private:
  MappedFile file_;
  std::vector<NamedTensor> tensors_;
  std::map<std::string, std::string> metadata_;
};

// The header of a file whose bytes are `bytes`; what open() uses and what the fuzzer calls. `where` names the file in
// errors.
Result<std::vector<NamedTensor>> parse_safetensors(std::span<const std::byte> bytes, const std::string& where,
                                                   std::map<std::string, std::string>& metadata);

}  // namespace tetrad
