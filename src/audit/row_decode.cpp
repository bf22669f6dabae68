#include "audit/row_decode.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <utility>

#include "base/check.h"
#include "numeric/bf16.h"
#include "numeric/e2m1.h"
#include "numeric/e4m3.h"
#include "numeric/nvfp4.h"

namespace tetrad {
namespace {

template <class T>
T load(std::span<const std::byte> bytes, std::size_t index) {
  T value;
  std::memcpy(&value, bytes.data() + index * sizeof(T), sizeof(T));
  return value;
}

// All 256 codes at once: a look-up is several times as fast as the arithmetic.
constexpr std::array<float, 256> kE4m3Values = [] {
  std::array<float, 256> values{};
  for (std::size_t code = 0; code < values.size(); ++code)
    values[code] = e4m3_to_float(static_cast<std::uint8_t>(code));
  return values;
}();

void decode_fp8(const WeightView& weight, std::int64_t row, std::span<float> out) {
  const std::int64_t scale_cols = (weight.cols + weight.block_cols - 1) / weight.block_cols;
  const std::int64_t scale_row = row / weight.block_rows * scale_cols;
  const auto codes = weight.data.subspan(static_cast<std::size_t>(row * weight.cols), out.size());
  for (std::int64_t block = 0; block < scale_cols; ++block) {
    const auto scale = load<float>(weight.scales, static_cast<std::size_t>(scale_row + block));
    const auto end = static_cast<std::size_t>(std::min((block + 1) * weight.block_cols, weight.cols));
    for (auto c = static_cast<std::size_t>(block * weight.block_cols); c < end; ++c)
      out[c] = round_to_bf16(kE4m3Values[std::to_integer<std::size_t>(codes[c])] * scale);
  }
}

void decode_nvfp4(const WeightView& weight, std::int64_t row, std::span<float> out) {
  const auto codes =
      weight.data.subspan(static_cast<std::size_t>(row * weight.cols / 2), static_cast<std::size_t>(weight.cols / 2));
  const std::int64_t blocks = weight.cols / kNvfp4Block;
  for (std::int64_t block = 0; block < blocks; ++block) {
    const float scale =
        e4m3_to_float(load<std::uint8_t>(weight.scales, static_cast<std::size_t>(row * blocks + block))) *
        weight.tensor_scale;
    for (std::size_t i = 0; i < kNvfp4Block; ++i) {
      const std::size_t c = static_cast<std::size_t>(block * kNvfp4Block) + i;
      const auto pair = std::to_integer<unsigned>(codes[c / 2]);
      out[c] = kE2m1Values[c % 2 == 0 ? pair & 15U : pair >> 4] * scale;
    }
  }
}

}  // namespace

void decode_row(const WeightView& weight, std::int64_t row, std::span<float> out) {
  TETRAD_CHECK(row >= 0 && row < weight.rows && std::cmp_equal(out.size(), weight.cols));
  const auto start = static_cast<std::size_t>(row * weight.cols);
  switch (weight.format) {
    case WeightFormat::kF32:
      for (std::size_t c = 0; c < out.size(); ++c) out[c] = load<float>(weight.data, start + c);
      return;
    case WeightFormat::kF16:
      for (std::size_t c = 0; c < out.size(); ++c) out[c] = f16_to_float(load<std::uint16_t>(weight.data, start + c));
      return;
    case WeightFormat::kBF16:
      for (std::size_t c = 0; c < out.size(); ++c) out[c] = bf16_to_float(load<std::uint16_t>(weight.data, start + c));
      return;
    case WeightFormat::kFp8Block:
      decode_fp8(weight, row, out);
      return;
    case WeightFormat::kNvfp4:
      decode_nvfp4(weight, row, out);
      return;
    case WeightFormat::kInt8Row:
    case WeightFormat::kFp8Row:
      break;  // no checkpoint has them
  }
}

void decode_elements(const TensorView& view, std::int64_t begin, std::span<float> out) {
  for (std::size_t i = 0; i < out.size(); ++i) out[i] = element_as_float(view, begin + static_cast<std::int64_t>(i));
}

}  // namespace tetrad
