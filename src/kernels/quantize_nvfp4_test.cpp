// Every SIMD target against the plain codec, byte for byte and bit for bit.
#include "kernels/quantize_nvfp4.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <functional>
#include <limits>
#include <vector>

#include "base/rng.h"
#include "kernels/compute.h"
#include "numeric/bf16.h"
#include "numeric/e4m3.h"

namespace tetrad {
namespace {

constexpr float kInf = std::numeric_limits<float>::infinity();

struct Quantized {
  std::vector<std::uint8_t> codes, scales;
  float tensor_scale = 0;
  Nvfp4Error error;
  std::int64_t nonfinite = 0;
  double candidates = 0;  // a block
  bool operator==(const Quantized& other) const {
    return codes == other.codes && scales == other.scales && tensor_scale == other.tensor_scale &&
           error.squared_error == other.error.squared_error && error.squared_norm == other.error.squared_norm &&
           nonfinite == other.nonfinite;
  }
};

Quantized empty(const std::vector<float>& w) {
  Quantized q;
  q.codes.resize(w.size() / 2);
  q.scales.resize(w.size() / 16);
  return q;
}

float amax_of(const std::vector<float>& w) {
  float amax = 0;
  for (const float v : w)
    if (std::isfinite(v)) amax = std::max(amax, std::fabs(v));
  return amax;
}

Quantized by_reference(const std::vector<float>& w, Algorithm algorithm, float amax) {
  Quantized q = empty(w);
  q.error = nvfp4_quantize(w.data(), 1, static_cast<std::int64_t>(w.size()), algorithm, amax, q.codes.data(),
                           q.scales.data(), q.tensor_scale);
  q.nonfinite = std::count_if(w.begin(), w.end(), [](float v) { return !std::isfinite(v); });
  return q;
}

Quantized by_kernel(const std::vector<float>& w, Algorithm algorithm, float amax, const QuantizeKernels& kernels) {
  Quantized q = empty(w);
  std::vector<float> padded = w;
  padded.resize((w.size() + kQuantizeRowMultiple - 1) / kQuantizeRowMultiple * kQuantizeRowMultiple);
  QuantizeRow row;
  row.values = padded.data();
  row.cols = static_cast<std::int64_t>(w.size());
  row.algorithm = algorithm;
  row.amax = amax;
  row.tensor_scale = q.tensor_scale = nvfp4_tensor_scale(algorithm, amax);
  row.codes = q.codes.data();
  row.scales = q.scales.data();
  kernels.quantize_row(row);
  q.error = row.error;
  q.nonfinite = row.nonfinite;
  q.candidates = static_cast<double>(row.candidates) * 16 / static_cast<double>(padded.size());
  return q;
}

// All targets, all algorithms; amax as given (0: the row's own).
void expect_reference(const std::vector<float>& w, const std::string& what, float amax = 0) {
  if (amax == 0) amax = amax_of(w);
  for (const Algorithm algorithm : {Algorithm::kMax, Algorithm::kMse, Algorithm::kFourOverSix}) {
    const Quantized expected = by_reference(w, algorithm, amax);
    for (const std::string& simd : available_simd_targets()) {
      const Quantized q = by_kernel(w, algorithm, amax, *quantize_kernels(simd));
      ASSERT_TRUE(q == expected) << what << ", " << simd << ", algorithm " << static_cast<int>(algorithm);
    }
  }
}

class Source {
 public:
  explicit Source(std::uint64_t seed) : rng_(seed) {}
  double uniform() { return rng_.uniform(); }
  double normal() { return std::sqrt(-2 * std::log(1 - uniform())) * std::cos(6.283185307179586 * uniform()); }
  std::size_t below(std::size_t bound) { return rng_.below(bound); }
  std::vector<float> row(std::size_t n, const std::function<double(std::size_t)>& value) {
    std::vector<float> w(n);
    for (std::size_t i = 0; i < n; ++i) w[i] = static_cast<float>(value(i));
    return w;
  }

 private:
  Rng rng_;
};

TEST(QuantizeNvfp4, RandomRowsOfManyShapes) {
  Source source(1);
  for (const std::size_t cols : {16UL, 32UL, 240UL, 256UL, 272UL, 1536UL}) {
    expect_reference(source.row(cols, [&](std::size_t) { return 0.02 * source.normal(); }), "normal");
    expect_reference(
        source.row(
            cols, [&](std::size_t) { return static_cast<double>(round_to_bf16(static_cast<float>(source.normal()))); }),
        "normal BF16");
    expect_reference(
        source.row(cols, [&](std::size_t) { return source.normal() / (std::fabs(source.normal()) + 0.01); }),
        "heavy tails");
    expect_reference(source.row(cols, [&](std::size_t) { return source.normal() * std::exp(10 * source.normal()); }),
                     "log-normal");
    expect_reference(source.row(cols, [&](std::size_t) { return source.uniform() - 0.5; }), "uniform");
  }
}

TEST(QuantizeNvfp4, Fp8Values) {
  Source source(2);
  for (int i = 0; i < 20; ++i) {
    const auto scale = static_cast<float>(std::exp(-5 * source.uniform()));
    expect_reference(
        source.row(512,
                   [&](std::size_t) {
                     return static_cast<double>(round_to_bf16(
                         e4m3_to_float(static_cast<std::uint8_t>(source.below(127) | (source.below(2) << 7))) * scale));
                   }),
        "FP8");
  }
}

// Blocks whose values lie on multiples of a quarter of some scale, so that rounding and losses tie all the time.
TEST(QuantizeNvfp4, Ties) {
  Source source(3);
  for (int i = 0; i < 30; ++i) {
    const double unit = std::ldexp(1.0, static_cast<int>(source.below(12)) - 6) *
                        (i % 3 == 0 ? 1.0 : 1.0 + 0.125 * static_cast<double>(source.below(8)));
    const auto w =
        source.row(512, [&](std::size_t) { return unit * 0.25 * (static_cast<double>(source.below(49)) - 24); });
    expect_reference(w, "E2M1 ties");
    expect_reference(w, "E2M1 ties", static_cast<float>(unit * 2688));
  }
  for (int i = 0; i < 8; ++i)  // block maxima at the midpoints between E4M3 scales
    expect_reference(source.row(512,
                                [&](std::size_t k) {
                                  const double c = static_cast<double>(e4m3_to_float(
                                      static_cast<std::uint8_t>(1 + (k / 16 * 7 + static_cast<std::size_t>(i)) % 125)));
                                  const double next = static_cast<double>(e4m3_to_float(
                                      static_cast<std::uint8_t>(2 + (k / 16 * 7 + static_cast<std::size_t>(i)) % 125)));
                                  return k % 16 == 3 ? 3 * (c + next) : source.normal() * c;
                                }),
                     "E4M3 ties", 2688.0F);
}

TEST(QuantizeNvfp4, DegenerateBlocks) {
  Source source(4);
  expect_reference(std::vector<float>(256, 0.0F), "zero");
  expect_reference(std::vector<float>(256, -0.0F), "negative zero");
  expect_reference(std::vector<float>(256, 0.37F), "constant");
  expect_reference(std::vector<float>(256, -1.0F), "negative");
  expect_reference(source.row(512, [&](std::size_t i) { return i / 16 % 3 == 0 ? 0.0 : source.normal(); }),
                   "zero blocks");
  expect_reference(source.row(512, [&](std::size_t i) { return i % 16 == i / 16 % 16 ? -4.0 : 0.0; }),
                   "one weight a block");
  expect_reference(source.row(512, [&](std::size_t i) { return i == 77 ? 1e4 : 0.01 * source.normal(); }),
                   "one outlier");
  expect_reference(source.row(512, [&](std::size_t i) { return i == 77 ? 1e30 : source.normal(); }),
                   "all but one round to zero");
  expect_reference(
      source.row(512,
                 [&](std::size_t i) { return (i % 2 == 0 ? 1 : -1) * (i % 32 < 16 ? 3.0 : 1e-9 * source.normal()); }),
      "signs");
  expect_reference(
      source.row(512, [&](std::size_t i) { return std::ldexp(1 + source.uniform(), -static_cast<int>(i / 16)); }),
      "falling");
}

TEST(QuantizeNvfp4, ExtremeMagnitudes) {
  Source source(5);
  for (const double unit : {1e-45, 1e-42, 1e-40, 1e-38, 1e-37, 1e-20, 1e20, 1e36, 5e37}) {
    expect_reference(source.row(256, [&](std::size_t) { return unit * source.normal(); }), "magnitude");
    expect_reference(source.row(256, [&](std::size_t) { return unit * source.normal(); }),
                     "magnitude below a larger amax", 3e38F);
  }
  std::vector<float> most(256, std::numeric_limits<float>::max());
  expect_reference(most, "largest floats");
  expect_reference(std::vector<float>(256, std::numeric_limits<float>::denorm_min()), "smallest floats");
}

TEST(QuantizeNvfp4, AnyBits) {
  Rng rng(6);
  for (int i = 0; i < 40; ++i) {
    std::vector<float> w(256);
    for (float& v : w) v = std::bit_cast<float>(static_cast<std::uint32_t>(rng.next()));
    expect_reference(w, "random bits");
    for (float& v : w) v = bf16_to_float(static_cast<std::uint16_t>(rng.next()));
    expect_reference(w, "random BF16 bits");
  }
}

TEST(QuantizeNvfp4, NonFiniteWeightsAreCountedAndDropped) {
  Source source(7);
  std::vector<float> w = source.row(300 / 16 * 16, [&](std::size_t) { return source.normal(); });
  w[0] = kInf;
  w[100] = -kInf;
  w[287] = std::numeric_limits<float>::quiet_NaN();
  expect_reference(w, "non-finite");
  for (const std::string& simd : available_simd_targets()) {
    float amax = 0.25F;
    std::int64_t nonfinite = 5;
    quantize_kernels(simd)->range(w.data(), 288, &amax, &nonfinite);
    EXPECT_EQ(amax, amax_of(w));
    EXPECT_EQ(nonfinite, 8);
    quantize_kernels(simd)->range(w.data(), 1, &amax, &nonfinite);
    EXPECT_EQ(nonfinite, 9);
  }
}

// The search leaves out what can't win; on ordinary weights that is most of the 126.
TEST(QuantizeNvfp4, SearchTriesFewScales) {
  Source source(8);
  const auto w = source.row(16384, [&](std::size_t) { return source.normal(); });
  for (const std::string& simd : available_simd_targets())
    EXPECT_LT(by_kernel(w, Algorithm::kMse, amax_of(w), *quantize_kernels(simd)).candidates, 24) << simd;
}

}  // namespace
}  // namespace tetrad
