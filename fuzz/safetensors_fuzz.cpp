// Any bytes as a safetensors file: an error or tensors that lie inside the bytes and cover them.
#include <cstdint>

#include "base/check.h"
#include "checkpoint/safetensors_file.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto bytes = std::as_bytes(std::span(data, size));
  std::map<std::string, std::string> metadata;
  const auto tensors = tetrad::parse_safetensors(bytes, "fuzz", metadata);
  if (!tensors) {
    TETRAD_CHECK(!tensors.error().message.empty() && tensors.error().message.find('\n') == std::string::npos);
    return 0;
  }
  std::size_t covered = 0;
  float sum = 0;
  for (const tetrad::NamedTensor& tensor : *tensors) {
    std::int64_t elements = 1;
    for (const std::int64_t dimension : tensor.view.shape) elements *= dimension;
    TETRAD_CHECK(elements == tensor.view.elements());
    TETRAD_CHECK(tensor.view.bytes.empty() ||
                 (tensor.view.bytes.data() >= bytes.data() &&
                  tensor.view.bytes.data() + tensor.view.bytes.size() <= bytes.data() + size));
    covered += tensor.view.bytes.size();
    if (elements > 0) sum += tetrad::element_as_float(tensor.view, elements - 1);
  }
  TETRAD_CHECK(covered <= size);
  static volatile float sink;
  sink = sum;
  return 0;
}
