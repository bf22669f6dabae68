#include "kernels/ref/reference.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

#include "numeric/bf16.h"
#include "numeric/e2m1.h"
#include "numeric/e4m3.h"

namespace tetrad::ref {
namespace {

template <class T>
T element(const std::byte* bytes, std::int64_t i) {
  T value;
  std::memcpy(&value, bytes + static_cast<std::size_t>(i) * sizeof(T), sizeof(T));
  return value;
}

}  // namespace

float weight_at(const RawWeight& w, std::int64_t r, std::int64_t c) {
  const std::int64_t i = r * w.cols + c;
  switch (w.format) {
    case WeightFormat::kF32:
      return element<float>(w.data, i);
    case WeightFormat::kF16:
      return f16_to_float(element<std::uint16_t>(w.data, i));
    case WeightFormat::kBF16:
      return bf16_to_float(element<std::uint16_t>(w.data, i));
    case WeightFormat::kFp8Block: {
      const std::int64_t blocks = (w.cols + w.block_cols - 1) / w.block_cols;
      const auto scale = element<float>(w.scales, r / w.block_rows * blocks + c / w.block_cols);
      return round_to_bf16(e4m3_to_float(element<std::uint8_t>(w.data, i)) * scale);
    }
    case WeightFormat::kNvfp4: {
      const unsigned code = unsigned{element<std::uint8_t>(w.data, i / 2)} >> (4 * (i % 2)) & 15U;
      return kE2m1Values[code] * (e4m3_to_float(element<std::uint8_t>(w.scales, i / 16)) * w.tensor_scale);
    }
    case WeightFormat::kInt8Row:
      return static_cast<float>(element<std::int8_t>(w.data, i)) * element<float>(w.scales, r);
    case WeightFormat::kFp8Row:
      return e4m3_to_float(element<std::uint8_t>(w.data, i)) * element<float>(w.scales, r);
  }
  return 0;
}

std::vector<float> decode(const WeightView& view) {
  const RawWeight weight = raw_weight(view);
  std::vector<float> out;
  for (std::int64_t r = 0; r < weight.rows; ++r)
    for (std::int64_t c = 0; c < weight.cols; ++c) out.push_back(weight_at(weight, r, c));
  return out;
}

Product linear(std::span<const float> x, std::int64_t m, const WeightView& weight) {
  const std::vector<float> w = decode(weight);
  const auto cols = static_cast<std::size_t>(weight.cols), rows = static_cast<std::size_t>(weight.rows);
  Product product;
  for (std::size_t i = 0; i < static_cast<std::size_t>(m); ++i)
    for (std::size_t r = 0; r < rows; ++r) {
      double sum = 0, norm = 0;
      for (std::size_t c = 0; c < cols; ++c) {
        const double term = static_cast<double>(x[i * cols + c]) * static_cast<double>(w[r * cols + c]);
        sum += term;
        norm += std::abs(term);
      }
      product.value.push_back(sum);
      product.norm.push_back(norm);
    }
  return product;
}

std::vector<double> rms_norm(std::span<const float> x, std::span<const float> weight, double eps) {
  double squares = 0;
  for (const float v : x) squares += static_cast<double>(v) * static_cast<double>(v);
  const double scale = 1.0 / std::sqrt(squares / static_cast<double>(x.size()) + eps);
  std::vector<double> out;
  for (std::size_t i = 0; i < x.size(); ++i)
    out.push_back(static_cast<double>(x[i]) * scale * static_cast<double>(weight[i]));
  return out;
}

std::vector<double> rotate(std::span<const float> x, std::span<const float> cos, std::span<const float> sin) {
  const std::size_t half = cos.size();
  std::vector<double> out(x.begin(), x.end());
  for (std::size_t i = 0; i < half; ++i) {
    const double a = static_cast<double>(x[i]), b = static_cast<double>(x[half + i]);
    out[i] = a * static_cast<double>(cos[i]) - b * static_cast<double>(sin[i]);
    out[half + i] = b * static_cast<double>(cos[i]) + a * static_cast<double>(sin[i]);
  }
  return out;
}

std::vector<double> swiglu(std::span<const float> gate, std::span<const float> up) {
  std::vector<double> out;
  for (std::size_t i = 0; i < gate.size(); ++i) {
    const double g = static_cast<double>(gate[i]);
    out.push_back(g / (1.0 + std::exp(-g)) * static_cast<double>(up[i]));
  }
  return out;
}

namespace {

// Element d of the key (or value) of a position, wherever it lies.
double cached(const AttendArgs& args, const float* rows, const std::byte* paged, std::int64_t key, std::int64_t d) {
  if (args.slots == nullptr) return static_cast<double>(rows[key * args.kv_stride + d]);
  const std::int64_t i = args.slots[key] * args.kv_stride + d;
  return static_cast<double>(args.paged_bf16 ? bf16_to_float(element<std::uint16_t>(paged, i))
                                             : element<float>(paged, i));
}

}  // namespace

std::vector<double> attend(const AttendArgs& args) {
  std::vector<double> out;
  for (std::int64_t row = 0; row < args.rows; ++row) {
    const float* q = args.q + row / args.group * args.q_stride + row % args.group * args.head_dim;
    const std::int64_t keys = args.first_position + row / args.group + 1;
    std::vector<double> p;
    for (std::int64_t key = 0; key < keys; ++key) {
      double score = 0;
      for (std::int64_t d = 0; d < args.head_dim; ++d)
        score += static_cast<double>(q[d]) * cached(args, args.k, args.paged_k, key, d);
      p.push_back(score * static_cast<double>(args.scale));
    }
    const double largest = *std::max_element(p.begin(), p.end());
    double total = 0;
    for (double& value : p) total += value = std::exp(value - largest);
    for (std::int64_t d = 0; d < args.head_dim; ++d) {
      double sum = 0;
      for (std::int64_t key = 0; key < keys; ++key)
        sum += p[static_cast<std::size_t>(key)] * cached(args, args.v, args.paged_v, key, d);
      out.push_back(sum / total);
    }
  }
  return out;
}

RowCodes quantize_row(std::span<const float> x, WeightFormat format) {
  const bool fp8 = format == WeightFormat::kFp8Row;
  RowCodes row;
  float amax = 0;
  for (const float v : x) {
    if (!std::isfinite(v)) return {std::numeric_limits<float>::quiet_NaN(), {}};
    amax = std::max(amax, std::abs(v));
  }
  row.scale = amax / (fp8 ? kE4m3Max : 127.0F);
  if (row.scale < std::numeric_limits<float>::min()) row.scale = 0;
  for (const float v : x) {
    const float ratio = row.scale > 0 ? v / row.scale : 0.0F;
    row.codes.push_back(
        static_cast<std::byte>(fp8 ? e4m3_from_float(ratio) : static_cast<std::uint8_t>(std::lrint(ratio))));
  }
  return row;
}

std::vector<float> fake_quantize(std::span<const float> x, float input_scale) {
  std::vector<float> out(x.size());
  const float g = 1.0F / input_scale;
  for (std::size_t block = 0; block < x.size(); block += 16) {
    float amax = 0;
    for (std::size_t i = block; i < block + 16; ++i) amax = std::max(amax, std::abs(x[i]));
    const float s = e4m3_to_float(e4m3_from_float(std::min(g * amax / 6.0F, 448.0F)));
    for (std::size_t i = block; i < block + 16; ++i)
      out[i] = s > 0 ? kE2m1Values[e2m1_from_float(x[i] * g / s)] * (s * input_scale) : 0.0F;
  }
  return out;
}

}  // namespace tetrad::ref
