// Against Model Optimizer's own results (tests/data/nvfp4/golden.safetensors, made by tools/make_nvfp4_fixtures.py;
// TETRAD_NVFP4_GOLDEN names another file of that form) and against the plain codec.
#include "quant/quantizer.h"

#include <gmock/gmock.h>

#include <cmath>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <map>

#include "base/rng.h"
#include "checkpoint/checkpoint.h"
#include "checkpoint/safetensors_file.h"
#include "numeric/bf16.h"
#include "numeric/e2m1.h"
#include "numeric/e4m3.h"

namespace tetrad {
namespace {

constexpr std::array kAlgorithms = {Algorithm::kMax, Algorithm::kMse, Algorithm::kFourOverSix};

struct Quantized {
  std::vector<std::uint8_t> codes, scales;
  float tensor_scale = 0;
  QuantizationError error;
};

Quantized quantize(const Compute& compute, const WeightView& weight, Algorithm algorithm, float amax, bool serial) {
  Quantized q;
  q.codes.resize(static_cast<std::size_t>(weight.rows * weight.cols / 2));
  q.scales.resize(static_cast<std::size_t>(weight.rows * weight.cols / 16));
  const auto function = serial ? quantize_matrix_serial : quantize_matrix;
  q.error = function(compute, weight, algorithm, amax, q.codes, q.scales, q.tensor_scale);
  return q;
}

void expect_same(const Quantized& a, const Quantized& b, const std::string& what) {
  EXPECT_EQ(a.codes, b.codes) << what;
  EXPECT_EQ(a.scales, b.scales) << what;
  EXPECT_EQ(a.tensor_scale, b.tensor_scale) << what;
  EXPECT_EQ(a.error.squared_error, b.error.squared_error) << what;
  EXPECT_EQ(a.error.squared_norm, b.error.squared_norm) << what;
  EXPECT_EQ(a.error.nonfinite_weights, b.error.nonfinite_weights) << what;
}

Compute compute_of(const std::string& simd, std::size_t threads) { return Compute::create(threads, simd).value(); }

class Golden : public testing::Test {
 protected:
  static std::string path() {
    const char* const other = std::getenv("TETRAD_NVFP4_GOLDEN");
    return other != nullptr ? other : "tests/data/nvfp4/golden.safetensors";
  }
  void SetUp() override {
    file_ = SafetensorsFile::open(path()).value();
    for (const NamedTensor& tensor : file_.tensors()) {
      tensors_[tensor.name] = tensor.view;
      if (tensor.name.ends_with(".input")) names_.push_back(tensor.name.substr(0, tensor.name.size() - 6));
    }
    ASSERT_EQ(names_.size(), 16U);
  }
  WeightView input(const std::string& name) const {
    const TensorView& view = tensors_.at(name + ".input");
    WeightView weight;
    weight.format = WeightFormat::kBF16;
    weight.rows = view.shape[0];
    weight.cols = view.shape[1];
    weight.data = view.bytes;
    return weight;
  }
  float scalar(const std::string& name) const { return element_as_float(tensors_.at(name), 0); }
  std::vector<std::uint8_t> bytes(const std::string& name) const {
    const auto raw = tensors_.at(name).bytes;
    std::vector<std::uint8_t> result(raw.size());
    std::memcpy(result.data(), raw.data(), raw.size());
    return result;
  }
  // Squared error of block `b` of matrix `name` with scale code `scale`, in double precision.
  double loss(const std::string& name, std::size_t b, std::uint8_t scale, float tensor_scale) const {
    const float d = e4m3_to_float(scale) * tensor_scale;
    double sum = 0;
    for (std::size_t i = 16 * b; i < 16 * b + 16; ++i) {
      const float w = element_as_float(tensors_.at(name + ".input"), static_cast<std::int64_t>(i));
      const double e =
          static_cast<double>(w) - static_cast<double>(kE2m1Values[e2m1_from_float(w / d)]) * static_cast<double>(d);
      sum += e * e;
    }
    return sum;
  }
  // Matrices whose squares leave F32: there Model Optimizer's search picks the first or the smallest candidate.
  static bool extreme(const std::string& name) {
    return name.starts_with("huge") || name.starts_with("tiny") || name.starts_with("subnormal");
  }
  static bool zero(const std::string& name) { return name.starts_with("all_zero"); }

  // Blocks that differ from the golden scales, none of them worse; codes equal where scales are.
  std::size_t compare_search(const std::string& name, const std::string& golden, const Quantized& q) const {
    const auto scales = bytes(name + "." + golden + ".weight_scale"), codes = bytes(name + "." + golden + ".weight");
    std::size_t differing = 0;
    for (std::size_t b = 0; b < scales.size(); ++b) {
      if (scales[b] == q.scales[b]) {
        EXPECT_TRUE(std::equal(&codes[8 * b], &codes[8 * b] + 8, &q.codes[8 * b])) << name << ", block " << b;
        continue;
      }
      ++differing;
      EXPECT_LE(loss(name, b, q.scales[b], q.tensor_scale), loss(name, b, scales[b], q.tensor_scale) * (1 + 1e-6))
          << name << ", block " << b;
    }
    return differing;
  }

  SafetensorsFile file_;
  std::map<std::string, TensorView> tensors_;
  std::vector<std::string> names_;
  Compute compute_ = compute_of("", 2);
};

TEST_F(Golden, MaxIsModelOptimizersByteForByte) {
  for (const std::string& name : names_) {
    if (zero(name)) continue;
    const Quantized q = quantize(compute_, input(name), Algorithm::kMax, scalar(name + ".amax"), false);
    EXPECT_EQ(q.tensor_scale, scalar(name + ".max.weight_scale_2")) << name;
    EXPECT_EQ(q.scales, bytes(name + ".max.weight_scale")) << name;
    EXPECT_EQ(q.codes, bytes(name + ".max.weight")) << name;
    std::vector<float> decoded(16);
    for (std::size_t b = 0; b < q.scales.size(); ++b) {
      nvfp4_decode_block(&q.codes[8 * b], q.scales[b], q.tensor_scale, decoded.data());
      for (std::size_t i = 0; i < 16; ++i)
        ASSERT_EQ(decoded[i],
                  element_as_float(tensors_.at(name + ".max.dequant_f32"), static_cast<std::int64_t>(16 * b + i)))
            << name;
    }
  }
}

TEST_F(Golden, SearchesDifferInNearTiesOnly) {
  const std::map<std::string, Algorithm> searches = {
      {"mse", Algorithm::kMse}, {"mse_kernel", Algorithm::kMse}, {"four_over_six", Algorithm::kFourOverSix}};
  for (const auto& [golden, algorithm] : searches) {
    std::size_t differing = 0, blocks = 0;
    for (const std::string& name : names_) {
      if (zero(name)) continue;
      const Quantized q = quantize(compute_, input(name), algorithm, scalar(name + ".amax"), false);
      const std::string scale_name =
          name + (algorithm == Algorithm::kMse ? ".mse" : ".four_over_six") + ".weight_scale_2";
      EXPECT_EQ(q.tensor_scale, scalar(scale_name)) << name;
      if (extreme(name)) continue;
      const std::size_t here = compare_search(name, golden, q);
      if (here > 0)
        std::printf("%s, %s: %zu of %zu blocks differ\n", name.c_str(), golden.c_str(), here, q.scales.size());
      differing += here;
      blocks += q.scales.size();
    }
    EXPECT_LE(static_cast<double>(differing), 0.0005 * static_cast<double>(blocks)) << golden;
  }
}

TEST_F(Golden, SearchIsBetterAtExtremeMagnitudes) {
  for (const std::string& name : names_) {
    if (!extreme(name)) continue;
    const float amax = scalar(name + ".amax");
    const double by_max = quantize(compute_, input(name), Algorithm::kMax, amax, true).error.relative();
    for (const Algorithm algorithm : {Algorithm::kMse, Algorithm::kFourOverSix})
      EXPECT_LT(quantize(compute_, input(name), algorithm, amax, true).error.relative(), by_max) << name;
  }
}

TEST_F(Golden, ZeroMatrixIsHarmless) {
  const WeightView weight = input("all_zero_16x64");
  EXPECT_EQ(weight_range(compute_, weight).amax, 0.0F);
  for (const Algorithm algorithm : kAlgorithms) {
    const Quantized q = quantize(compute_, weight, algorithm, 0.0F, false);
    EXPECT_EQ(q.tensor_scale, 1.0F);
    EXPECT_THAT(q.codes, testing::Each(0));
    EXPECT_THAT(q.scales, testing::Each(algorithm == Algorithm::kMse ? 0x01 : 0x38));
    EXPECT_EQ(q.error.relative(), 0.0);
  }
}

// A matrix in some stored form with random contents; partial FP8 blocks at both edges, a row of odd length for the
// search's groups.
struct Stored {
  std::vector<std::byte> data, scales;
  WeightView view;
  std::vector<float> values;  // what it means
};

void set_values(Stored& stored) {
  const WeightView& view = stored.view;
  const std::int64_t scale_cols = view.block_cols > 0 ? (view.cols + view.block_cols - 1) / view.block_cols : 0;
  for (std::int64_t i = 0; i < view.rows * view.cols; ++i) {
    const std::byte* const p = stored.data.data();
    std::uint16_t half = 0;
    float value = 0;
    if (view.format == WeightFormat::kF32) std::memcpy(&value, p + 4 * i, 4);
    if (view.format == WeightFormat::kF16 || view.format == WeightFormat::kBF16) std::memcpy(&half, p + 2 * i, 2);
    if (view.format == WeightFormat::kF16) value = f16_to_float(half);
    if (view.format == WeightFormat::kBF16) value = bf16_to_float(half);
    if (view.format == WeightFormat::kFp8Block) {
      float scale = 0;
      std::memcpy(
          &scale,
          stored.scales.data() + 4 * (i / view.cols / view.block_rows * scale_cols + i % view.cols / view.block_cols),
          4);
      value = round_to_bf16(e4m3_to_float(static_cast<std::uint8_t>(p[i])) * scale);
    }
    if (view.format == WeightFormat::kNvfp4) {
      const auto code = static_cast<std::uint32_t>(p[i / 2]) >> (4 * (i % 2)) & 15U;
      value = kE2m1Values[code] *
              (e4m3_to_float(static_cast<std::uint8_t>(stored.scales[static_cast<std::size_t>(i / 16)])) *
               view.tensor_scale);
    }
    stored.values.push_back(value);
  }
}

Stored stored(WeightFormat format, std::int64_t rows, std::int64_t cols, std::uint64_t seed) {
  Rng rng(seed);
  Stored result;
  WeightView& view = result.view;
  view.format = format;
  view.rows = rows;
  view.cols = cols;
  const auto push = [](std::vector<std::byte>& to, auto value) {
    const auto* const bytes = reinterpret_cast<const std::byte*>(&value);
    to.insert(to.end(), bytes, bytes + sizeof(value));
  };
  const auto small = [&] { return static_cast<float>((rng.uniform() - 0.5) * std::exp(4 * rng.uniform())); };
  const std::int64_t n = rows * cols;
  for (std::int64_t i = 0; i < (format == WeightFormat::kNvfp4 ? n / 2 : n); ++i) {
    const auto any = static_cast<std::uint8_t>(rng.next());
    if (format == WeightFormat::kF32) push(result.data, small());
    if (format == WeightFormat::kF16) push(result.data, f16_from_float(small()));
    if (format == WeightFormat::kBF16) push(result.data, bf16_from_float(small()));
    if (format == WeightFormat::kFp8Block)
      push(result.data, static_cast<std::uint8_t>((any & 0x7F) == 0x7F ? 0x38 : any));
    if (format == WeightFormat::kNvfp4) push(result.data, any);
  }
  const std::int64_t fp8_blocks = (rows + 127) / 128 * ((cols + 127) / 128);
  if (format == WeightFormat::kFp8Block)
    for (std::int64_t i = 0; i < fp8_blocks; ++i) push(result.scales, std::fabs(small()) + 0.01F);
  if (format == WeightFormat::kNvfp4)
    for (std::int64_t i = 0; i < n / 16; ++i) push(result.scales, static_cast<std::uint8_t>(rng.below(127)));
  view.tensor_scale = 0.003F;
  view.data = result.data;
  view.scales = result.scales;
  set_values(result);
  return result;
}

Quantized by_reference(const Stored& source, Algorithm algorithm, float amax) {
  Quantized q;
  q.codes.resize(source.values.size() / 2);
  q.scales.resize(source.values.size() / 16);
  const Nvfp4Error error = nvfp4_quantize(source.values.data(), source.view.rows, source.view.cols, algorithm, amax,
                                          q.codes.data(), q.scales.data(), q.tensor_scale);
  q.error = {error.squared_error, error.squared_norm, 0};
  for (const float v : source.values) q.error.nonfinite_weights += std::isfinite(v) ? 0 : 1;
  return q;
}

constexpr std::array kFormats = {WeightFormat::kF32, WeightFormat::kF16, WeightFormat::kBF16, WeightFormat::kFp8Block,
                                 WeightFormat::kNvfp4};

TEST(Quantizer, EveryFormatTargetAndThreadCountGivesTheReferencesBytes) {
  for (const WeightFormat format : kFormats) {
    const Stored source = stored(format, 131, 272, static_cast<std::uint64_t>(format) + 1);
    float amax = 0;
    for (const float v : source.values) amax = std::max(amax, std::fabs(v));
    std::vector<Quantized> expected;
    for (const Algorithm algorithm : kAlgorithms) expected.push_back(by_reference(source, algorithm, amax * 1.25F));
    for (const std::string& simd : available_simd_targets())
      for (const std::size_t threads : {1UL, 3UL}) {
        const Compute compute = compute_of(simd, threads);
        const std::string what =
            simd + ", format " + std::to_string(static_cast<int>(format)) + ", threads " + std::to_string(threads);
        EXPECT_EQ(weight_range(compute, source.view).amax, amax) << what;
        EXPECT_EQ(weight_range_serial(compute, source.view).amax, amax) << what;
        for (std::size_t i = 0; i < kAlgorithms.size(); ++i)
          for (const bool serial : {false, true})
            expect_same(quantize(compute, source.view, kAlgorithms[i], amax * 1.25F, serial), expected[i], what);
      }
  }
}

TEST(Quantizer, NonFiniteWeightsAreReportedAndCountAsZero) {
  Stored source = stored(WeightFormat::kFp8Block, 130, 144, 9);
  source.data[7] = std::byte{0x7F};
  source.data[130 * 144 - 1] = std::byte{0xFF};
  const float huge = 3e38F;  // products beyond BF16 are infinite: a whole corner of 2 rows x 16 columns, zeros excepted
  std::memcpy(source.scales.data() + 12, &huge, 4);
  source.values.clear();
  set_values(source);
  std::int64_t nonfinite = 0;
  float amax = 0;
  for (const float v : source.values) {
    nonfinite += std::isfinite(v) ? 0 : 1;
    if (std::isfinite(v)) amax = std::max(amax, std::fabs(v));
  }
  const Compute compute = compute_of("", 2);
  const WeightRange range = weight_range(compute, source.view);
  EXPECT_GT(nonfinite, 10);
  EXPECT_EQ(range.nonfinite, nonfinite);
  EXPECT_EQ(range.amax, amax);
  for (const Algorithm algorithm : kAlgorithms) {
    const Quantized q = quantize(compute, source.view, algorithm, range.amax, false);
    expect_same(q, by_reference(source, algorithm, range.amax), "non-finite");
    EXPECT_EQ(q.codes[3] >> 4, 0);
    for (const std::uint8_t scale : q.scales) EXPECT_TRUE(scale >= 1 && scale <= 126);
  }
}

TEST(Quantizer, RangeOfFp8WithOddScales) {
  const float infinity = std::numeric_limits<float>::infinity(), nan = std::numeric_limits<float>::quiet_NaN();
  for (const float scale : {-2.5F, 0.0F, -0.0F, 0x1p-149F, 1e-38F, 7.5e35F, 1e36F, infinity, -infinity, nan})
    for (const std::int64_t block : {2, 3}) {  // the second row of blocks: rows 128 and 129; 3: a partial block
      Stored source = stored(WeightFormat::kFp8Block, 130, 144, 10);
      std::memcpy(source.scales.data() + 4 * block, &scale, 4);
      source.values.clear();
      set_values(source);
      WeightRange expected;
      for (const float v : source.values) {
        if (std::isfinite(v))
          expected.amax = std::max(expected.amax, std::fabs(v));
        else
          ++expected.nonfinite;
      }
      const WeightRange range = weight_range_serial(compute_of("", 1), source.view);
      EXPECT_EQ(range.amax, expected.amax) << scale;
      EXPECT_EQ(range.nonfinite, expected.nonfinite) << scale;
    }
}

// The small models that Model Optimizer exported: expert matrices from BF16 and from FP8; gate and up share their amax.
void expect_model(const std::string& source, const std::string& golden, const std::vector<std::string>& projections,
                  const std::string& experts, std::int64_t rows, std::int64_t cols) {
  const Checkpoint from = Checkpoint::open("tests/data/golden/" + source).value(),
                   to = Checkpoint::open("tests/data/golden/" + golden).value();
  const Compute compute = compute_of("", 1);
  for (const std::int64_t expert : {0, 1, 3}) {
    const std::string prefix = experts + std::to_string(expert) + ".";
    std::array<WeightView, 3> weights;
    for (std::size_t p = 0; p < 3; ++p)
      weights[p] = from.weight(prefix + projections[p], p == 2 ? cols : rows, p == 2 ? rows : cols).value();
    const float gate_up = std::max(weight_range(compute, weights[0]).amax, weight_range(compute, weights[1]).amax);
    for (std::size_t p = 0; p < 3; ++p) {
      const Quantized q = quantize(compute, weights[p], Algorithm::kMax,
                                   p == 2 ? weight_range(compute, weights[2]).amax : gate_up, true);
      const WeightView expected = to.weight(prefix + projections[p], weights[p].rows, weights[p].cols).value();
      EXPECT_EQ(q.tensor_scale, expected.tensor_scale) << golden << " " << prefix << projections[p];
      EXPECT_EQ(std::memcmp(q.codes.data(), expected.data.data(), q.codes.size()), 0)
          << golden << " " << prefix << projections[p];
      EXPECT_EQ(std::memcmp(q.scales.data(), expected.scales.data(), q.scales.size()), 0)
          << golden << " " << prefix << projections[p];
    }
  }
}

TEST(Quantizer, ExpertsOfWholeModels) {
  const std::string minimax = "model.layers.1.block_sparse_moe.experts.";
  expect_model("tiny_m2_bf16", "tiny_m2_nvfp4", {"w1", "w3", "w2"}, minimax, 64, 128);
  expect_model("tiny_m2_fp8", "tiny_m2_fp8_dequant_bf16_nvfp4", {"w1", "w3", "w2"}, minimax, 256, 256);
  expect_model("tiny_glm_bf16", "tiny_glm_nvfp4", {"gate_proj", "up_proj", "down_proj"}, "model.layers.1.mlp.experts.",
               64, 128);
}

TEST(Quantizer, RefusesWhatIsNoWholeNumberOfBlocks) {
  const Stored source = stored(WeightFormat::kBF16, 4, 32, 1);
  EXPECT_TRUE(check_quantizable(source.view, "w").has_value());
  WeightView odd = source.view;
  odd.cols = 24;
  EXPECT_THAT(check_quantizable(odd, "layer.w").error().message,
              testing::AllOf(testing::HasSubstr("layer.w"), testing::HasSubstr("multiple of 16")));
  WeightView short_data = source.view;
  short_data.data = short_data.data.first(10);
  EXPECT_FALSE(check_quantizable(short_data, "w").has_value());
  WeightView empty = source.view;
  empty.rows = 0;
  EXPECT_FALSE(check_quantizable(empty, "w").has_value());
}

TEST(Quantizer, AlgorithmsHaveNames) {
  for (const Algorithm algorithm : kAlgorithms)
    EXPECT_EQ(algorithm_from_name(algorithm_name(algorithm)).value(), algorithm);
  EXPECT_THAT(algorithm_from_name("none").error().message, testing::HasSubstr("max, mse, four-over-six"));
  EXPECT_EQ(algorithm_from_name("none").error().code, ErrorCode::kUsage);
}

}  // namespace
}  // namespace tetrad
