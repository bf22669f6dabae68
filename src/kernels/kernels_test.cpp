// Every kernel on every target against the oracle in double precision, and every target, batch and thread count against
// the others byte for byte.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>

#include "base/rng.h"
#include "kernels/kernels_fixture.h"
#include "kernels/linear.h"
#include "kernels/ref/reference.h"
#include "numeric/bf16.h"
#include "numeric/e4m3.h"

namespace tetrad {
namespace {

// A weight with its bytes, at an odd address so that an aligned access would be found.
struct OwnedWeight {
  std::vector<std::byte> data, scales;
  WeightView view;
};

OwnedWeight make_weight(WeightFormat format, std::int64_t rows, std::int64_t cols, std::uint64_t seed) {
  Rng rng(seed);
  OwnedWeight w;
  w.view.format = format;
  w.view.rows = rows;
  w.view.cols = cols;
  w.data.emplace_back();
  w.scales.emplace_back();
  const auto put = [](std::vector<std::byte>& to, const auto& value) {
    const auto* bytes = reinterpret_cast<const std::byte*>(&value);
    to.insert(to.end(), bytes, bytes + sizeof(value));
  };
  for (const float value : normal_values(static_cast<std::size_t>(rows * cols), seed ^ 1U)) {
    if (format == WeightFormat::kF32) put(w.data, value);
    if (format == WeightFormat::kF16) put(w.data, f16_from_float(value));
    if (format == WeightFormat::kBF16) put(w.data, bf16_from_float(value));
    if (format == WeightFormat::kFp8Block || format == WeightFormat::kFp8Row)
      put(w.data, e4m3_from_float(value * 100.0F));
    if (format == WeightFormat::kInt8Row)
      put(w.data, static_cast<std::int8_t>(std::clamp(value * 40.0F, -127.0F, 127.0F)));
  }
  if (format == WeightFormat::kFp8Block)
    for (std::int64_t i = 0; i < ((rows + 127) / 128) * ((cols + 127) / 128); ++i)
      put(w.scales, static_cast<float>(0.005 + 0.01 * rng.uniform()));
  if (format == WeightFormat::kInt8Row || format == WeightFormat::kFp8Row)
    for (std::int64_t i = 0; i < rows; ++i) put(w.scales, static_cast<float>(0.005 + 0.01 * rng.uniform()));
  if (format == WeightFormat::kNvfp4) {
    for (std::int64_t i = 0; i < rows * cols / 2; ++i) w.data.push_back(static_cast<std::byte>(rng.next()));
    for (std::int64_t i = 0; i < rows * cols / 16; ++i) w.scales.push_back(static_cast<std::byte>(rng.below(0x7F)));
    w.view.tensor_scale = 0.00123F;
  }
  w.view.data = std::span(w.data).subspan(1);
  w.view.scales = std::span(w.scales).subspan(1);
  return w;
}

constexpr WeightFormat kAllFormats[] = {WeightFormat::kF32,      WeightFormat::kF16,   WeightFormat::kBF16,
                                        WeightFormat::kFp8Block, WeightFormat::kNvfp4, WeightFormat::kInt8Row,
                                        WeightFormat::kFp8Row};

std::vector<float> run_linear(const Compute& compute, const WeightView& w, std::span<const float> x, std::int64_t m,
                              const LinearOptions& options = {}) {
  std::vector<float> y(static_cast<std::size_t>(m * w.rows));
  Workspace workspace(compute);
  const LinearJob job = {&w, x.data(), m, w.cols, y.data(), w.rows};
  linear(compute, workspace, {&job, 1}, options);
  return y;
}

TEST(Kernels, DecodeIsExactForEveryFormat) {
  for (const WeightFormat format : kAllFormats)
    for (const std::int64_t cols : {16, 144, 272, 320, 21, 133}) {
      if (format == WeightFormat::kNvfp4 && cols % 16 != 0) continue;
      const OwnedWeight w = make_weight(format, 131, cols, 5);
      const std::vector<float> expected = ref::decode(w.view);
      const std::int64_t stride = (cols + 15) / 16 * 16;
      for (const std::string& target : available_simd_targets()) {
        std::vector<float> got(static_cast<std::size_t>(131 * stride), -1.0F);
        kernel_table(target)->decode_rows(raw_weight(w.view), 0, 131, got.data(), stride);
        for (std::int64_t i = 0; i < 131 * stride; ++i) {
          const std::int64_t col = i % stride;
          const float want = col < cols ? expected[static_cast<std::size_t>(i / stride * cols + col)] : 0.0F;
          ASSERT_EQ(std::bit_cast<std::uint32_t>(want), std::bit_cast<std::uint32_t>(got[static_cast<std::size_t>(i)]))
              << target << " format " << static_cast<int>(format) << " cols " << cols << " at " << i;
        }
      }
    }
}

// What rounding x to integers up to `max_code` can cost each product with an NVFP4 weight: half a step of its block,
// times |w|.
std::vector<double> integer_bound(std::span<const float> x, std::int64_t rows, const WeightView& w, double max_code) {
  const std::vector<float> weight = ref::decode(w);
  std::vector<double> bound(static_cast<std::size_t>(rows * w.rows), 0.0);
  if (w.format != WeightFormat::kNvfp4) return bound;
  for (std::int64_t i = 0; i < rows; ++i)
    for (std::int64_t k = 0; k < w.cols; k += 16) {
      const auto block = x.subspan(static_cast<std::size_t>(i * w.cols + k), 16);
      float largest = 0;
      for (const float v : block) largest = std::max(largest, std::abs(v));
      for (std::int64_t n = 0; n < w.rows; ++n)
        for (std::int64_t j = 0; j < 16; ++j)
          bound[static_cast<std::size_t>(i * w.rows + n)] +=
              0.5001 * static_cast<double>(largest) / max_code *
              std::abs(static_cast<double>(weight[static_cast<std::size_t>(n * w.cols + k + j)]));
    }
  return bound;
}

// A weight by every way through linear() on `target`, byte for byte as `base`, which is for all rows at once.
void expect_the_same(const std::string& target, std::span<const float> base, const WeightView& w,
                     std::span<const float> x, const LinearOptions& options) {
  const auto rows = static_cast<std::int64_t>(x.size()) / w.cols;
  for (const std::size_t threads : {1U, 3U}) {
    const Compute compute = *Compute::create(threads, target);
    expect_same_bytes(base, run_linear(compute, w, x, rows, options), target);
    for (const std::int64_t m : {1, 2, 3, 4, 5, 7, 8, 9, 11, 16, 17, 20, 32, 33, 47, 48, 53, 64, 65, 81, 256, 257}) {
      if (m >= rows) continue;
      const std::vector<float> part = run_linear(compute, w, x.first(static_cast<std::size_t>(m * w.cols)), m, options);
      expect_same_bytes(base.first(part.size()), part, target + " m " + std::to_string(m));
    }
  }
}

// Every way through linear() against the oracle and, byte for byte, against the scalar target with all rows at once;
// "amx" against itself. 82 rows are more than any limit between one way and the next, but one of AMX's.
void expect_accurate_and_the_same(const WeightView& w, const LinearOptions& options, std::int64_t rows = 82) {
  const std::int64_t cols = w.cols;
  const std::vector<float> x = normal_values(static_cast<std::size_t>(rows * cols), 3);
  const ref::Product exact = ref::linear(x, rows, w);
  const std::vector<float> base = run_linear(*Compute::create(1, "scalar"), w, x, rows, options);
  const std::vector<double> integers = integer_bound(x, rows, w, options.int8 ? 127 : 32639);
  for (std::size_t i = 0; i < base.size(); ++i)  // cols / 16 + 4 roundings in a row at most
    ASSERT_LE(std::abs(static_cast<double>(base[i]) - exact.value[i]),
              (static_cast<double>(cols) / 16 + 5) * kEpsilon * exact.norm[i] + integers[i]);
  for (const std::string& target : available_simd_targets()) {
    if (shares_arithmetic(target) || w.format == WeightFormat::kF32 || w.format == WeightFormat::kF16) {
      expect_the_same(target, base, w, x, options);
      continue;
    }
    const std::vector<float> own = run_linear(*Compute::create(1, target), w, x, rows, options);
    // Two BF16 parts of x, or integers with a power of two for scale, leave something out.
    const std::vector<double> parts = integer_bound(x, rows, w, 65151 / 2.0);
    const double bf16 = w.format == WeightFormat::kNvfp4 ? 0 : 0x1p-17;
    for (std::size_t i = 0; i < own.size(); ++i)  // 16 sums in a tile, each tile, both parts, factors
      ASSERT_LE(std::abs(static_cast<double>(own[i]) - exact.value[i]),
                ((static_cast<double>(cols) / 32 + 22) * kEpsilon + bf16) * exact.norm[i] + parts[i])
          << i;
    expect_the_same(target, own, w, x, options);
  }
}

TEST(Kernels, LinearIsAccurateAndTheSameEverywhere) {
  for (const WeightFormat format : kAllFormats)
    for (const std::int64_t cols : {16, 144, 520}) {
      if (format == WeightFormat::kNvfp4 && cols % 16 != 0) continue;
      expect_accurate_and_the_same(make_weight(format, 137, cols, 9).view, {});
    }
}

// More columns than are taken at a time (kBlockK, twice and a bit), and odd ones behind the last whole step.
TEST(Kernels, ManyColumnsAreAccurateAndTheSameEverywhere) {
  for (const WeightFormat format : {WeightFormat::kF32, WeightFormat::kBF16, WeightFormat::kInt8Row})
    expect_accurate_and_the_same(make_weight(format, 41, 1616, 9).view, {});
}

// More rows than AMX decodes weights for at a time; more columns than it takes at a time with few rows.
TEST(Kernels, ManyRowsOrColumnsAreAccurateAndTheSameEverywhere) {
  for (const WeightFormat format : {WeightFormat::kNvfp4, WeightFormat::kBF16, WeightFormat::kFp8Block}) {
    expect_accurate_and_the_same(make_weight(format, 40, 144, 9).view, {}, 275);
    expect_accurate_and_the_same(make_weight(format, 21, 3344, 9).view, {}, 20);
  }
}

// Whole groups of 256 columns, a part of one behind them, and a part alone; inputs of 16 and of 8 bits.
TEST(Kernels, IntegerInputsAreAccurateAndTheSameEverywhere) {
  for (const bool int8 : {false, true})
    for (const std::int64_t cols : {16, 128, 144, 272, 400, 1024})
      expect_accurate_and_the_same(make_weight(WeightFormat::kNvfp4, 137, cols, 9).view, {.int8 = int8});
}

// A block that has no scale, for its values are too small or not finite, in each of both forms.
TEST(Kernels, IntegersOfOddBlocks) {
  const OwnedWeight w = make_weight(WeightFormat::kNvfp4, 40, 288, 3);
  for (const bool int8 : {false, true})
    for (const std::int64_t m : {1, 50, 66}) {
      std::vector<float> x = normal_values(static_cast<std::size_t>(m) * 288, 3);
      std::fill_n(x.begin() + 16, 16, 1e-33F);
      std::vector<float> base = run_linear(*Compute::create(1, "scalar"), w.view, x, m, {.int8 = int8});
      EXPECT_TRUE(std::isfinite(base.front()));
      x[270] = std::numeric_limits<float>::infinity();
      base = run_linear(*Compute::create(1, "scalar"), w.view, x, m, {.int8 = int8});
      EXPECT_TRUE(std::all_of(base.begin(), base.begin() + 40, [](float y) { return std::isnan(y); }));
      EXPECT_TRUE(std::none_of(base.begin() + 40, base.end(), [](float y) { return std::isnan(y); }));
      float largest = 0;
      for (const float y : base)
        if (std::isfinite(y)) largest = std::max(largest, std::abs(y));
      for (const std::string& target : available_simd_targets()) {
        const std::vector<float> got = run_linear(*Compute::create(1, target), w.view, x, m, {.int8 = int8});
        // "amx" rounds elsewhere, and takes 16 bits always.
        const float apart = shares_arithmetic(target) ? 0.0F : largest * (int8 ? 0.01F : 1e-4F);
        for (std::size_t i = 0; i < base.size(); ++i)
          ASSERT_TRUE(std::isnan(base[i]) ? std::isnan(got[i]) : std::abs(base[i] - got[i]) <= apart)
              << target << " at " << i;
      }
    }
}

// Inputs as small as count, and smaller; as large as AMX takes, and larger: a row's results are those of many rows.
TEST(Kernels, SmallAndLargeInputs) {
  const OwnedWeight w = make_weight(WeightFormat::kNvfp4, 40, 400, 3);
  for (const float scale : {0x1p-126F, 0x1p-97F, 0x1p-77F, 0x1p-75F, 0x1p33F, 0x1p35F, 0x1p36F, 0x1p90F}) {
    const std::vector<float> x = normal_values(std::size_t{20} * 400, 3, scale);
    for (const std::string& target : available_simd_targets()) {
      const Compute compute = *Compute::create(1, target);
      const std::vector<float> all = run_linear(compute, w.view, x, 20);
      for (const std::int64_t m : {1, 2, 9})
        for (std::int64_t i = 0;
             const float one : run_linear(compute, w.view, std::span(x).first(static_cast<std::size_t>(m * 400)), m)) {
          const float other = all[static_cast<std::size_t>(i++)];
          ASSERT_TRUE(one == other || (std::isnan(one) && std::isnan(other)))
              << target << " scale " << scale << " m " << m;
          ASSERT_TRUE(scale > 0x1p33F || std::isfinite(one)) << target << " scale " << scale;
        }
    }
  }
}

// All codes of FP8, NaN in some rows of blocks; many scales, of blocks half of them negative, a tiny one, a huge one
// and a NaN.
OwnedWeight make_fp8_weight(WeightFormat format, std::int64_t rows, std::int64_t cols, std::int64_t block_rows,
                            std::int64_t block_cols) {
  const bool block = format == WeightFormat::kFp8Block;
  OwnedWeight w = make_weight(format, rows, cols, 9);
  w.view.block_rows = block_rows;
  w.view.block_cols = block_cols;
  for (std::size_t i = 0; i + 1 < w.data.size(); ++i) {
    const std::size_t row = i / static_cast<std::size_t>(cols);
    const auto code = static_cast<std::uint8_t>(i * 7 + row);
    const bool nan = block && row % 9 == 0 && row < 128;  // else no result would tell anything; the NaN scale is below
    w.data[1 + i] = static_cast<std::byte>(!nan && (code & 0x7F) == 0x7F ? 0 : code);
  }
  std::vector<float> scales(static_cast<std::size_t>(rows * cols / 16));
  for (std::size_t i = 0; i < scales.size(); ++i)
    scales[i] = (block && i % 2 == 1 ? -0.37F : 0.37F) / static_cast<float>(i + 3);
  if (block) scales[3] = 0x1p-110F;
  if (block) scales[4] = -0x1p110F;
  if (block) scales[5] = std::numeric_limits<float>::quiet_NaN();
  w.scales.assign(1 + 4 * scales.size(), std::byte{0});
  std::memcpy(w.scales.data() + 1, scales.data(), 4 * scales.size());
  w.view.scales = std::span(w.scales).subspan(1);
  return w;
}

// Rows of x that pick a column each give the weight's values: `first` and those behind it.
void expect_columns(const std::string& target, const WeightView& w, std::span<const float> values, std::int64_t m,
                    std::int64_t first) {
  std::vector<float> x(static_cast<std::size_t>(m * w.cols));
  for (std::int64_t i = 0; i < m; ++i) x[static_cast<std::size_t>(i * w.cols + (first + i) % w.cols)] = 1.0F;
  const std::vector<float> got = run_linear(*Compute::create(2, target), w, x, m);
  for (std::int64_t i = 0; i < m * w.rows; ++i) {
    const auto row = values.subspan(static_cast<std::size_t>(i % w.rows * w.cols), static_cast<std::size_t>(w.cols));
    const bool nan = std::any_of(row.begin(), row.end(), [](float v) { return std::isnan(v); });
    const float want = row[static_cast<std::size_t>((first + i / w.rows) % w.cols)];
    const float result = got[static_cast<std::size_t>(i)];
    ASSERT_TRUE(nan ? std::isnan(result) : result == want)
        << target << " m " << m << " row " << i % w.rows << ": " << result << ", not " << want;
  }
}

// Blocks as checkpoints have them and others; rows of two blocks, columns behind the last whole block, whole lines and
// not.
TEST(Kernels, EveryFp8CodeIsExact) {
  constexpr std::pair<std::int64_t, std::int64_t> kBlocks[] = {{128, 128}, {32, 64}, {48, 144}};
  for (const WeightFormat format : {WeightFormat::kFp8Block, WeightFormat::kFp8Row})
    for (const auto& [block_rows, block_cols] : kBlocks)
      for (const std::int64_t cols : {320, 336}) {
        const OwnedWeight w = make_fp8_weight(format, 150, cols, block_rows, block_cols);
        const std::vector<float> values = ref::decode(w.view);
        for (const std::string& target : available_simd_targets())
          for (const std::int64_t m : {1, 2, 4, 7, 20, 40})
            for (std::int64_t first = 0; first < cols; first += 55) expect_columns(target, w.view, values, m, first);
      }
}

// Decoded they are the same bytes on every target, NaN's sign too.
TEST(Kernels, EveryFp8CodeIsDecodedToTheSameBytes) {
  const OwnedWeight w = make_fp8_weight(WeightFormat::kFp8Block, 150, 320, 128, 128);
  std::vector<float> base(std::size_t{150} * 336), got(base.size());
  kernel_table("scalar")->decode_rows(raw_weight(w.view), 0, 150, base.data(), 336);
  for (const std::string& target : available_simd_targets())
    for (const std::int64_t rows : {150, 128, 8, 3}) {
      kernel_table(target)->decode_rows(raw_weight(w.view), 150 - rows, rows, got.data(), 336);
      const auto count = static_cast<std::size_t>(rows * 336);
      expect_same_bytes(std::span(base).last(count), std::span(got).first(count), target);
    }
}

// A block scale that is NaN makes its row's results NaN, and no other's.
TEST(Kernels, ScalesThatAreNan) {
  OwnedWeight w = make_weight(WeightFormat::kNvfp4, 40, 400, 3);
  w.scales[1 + 7 * 25 + 13] = std::byte{0x7F};
  w.scales[1 + 30 * 25 + 24] = std::byte{0xFF};
  const std::vector<float> x = normal_values(std::size_t{70} * 400, 3);
  for (const std::string& target : available_simd_targets())
    for (const std::int64_t m : {1, 2, 3, 12, 70}) {
      const std::vector<float> got =
          run_linear(*Compute::create(1, target), w.view, std::span(x).first(static_cast<std::size_t>(m * 400)), m);
      for (std::size_t i = 0; i < got.size(); ++i)
        ASSERT_EQ(std::isnan(got[i]), i % 40 == 7 || i % 40 == 30) << target << " m " << m << " at " << i;
    }
}

TEST(Kernels, LinearRoundsToBf16) {
  const OwnedWeight w = make_weight(WeightFormat::kBF16, 50, 160, 2);
  const std::vector<float> x = normal_values(std::size_t{9} * 160, 3);
  const Compute compute = *Compute::create(2);
  std::vector<float> expected = run_linear(compute, w.view, x, 9);
  for (float& value : expected) value = round_to_bf16(value);
  expect_same_bytes(expected, run_linear(compute, w.view, x, 9, {.bf16 = true}), "bf16");
}

TEST(Kernels, RowOperationsMatchTheOracle) {
  for (const std::size_t n : {16U, 64U, 45U, 3U}) {
    const std::vector<float> x = normal_values(n, 1), y = normal_values(n, 2), cos = normal_values(n / 2, 3),
                             sin = normal_values(n / 2, 4);
    for (const std::string& target : available_simd_targets()) {
      const KernelTable& kernels = *kernel_table(target);
      const auto count = static_cast<std::int64_t>(n);
      std::vector<float> out(n);
      kernels.rms_norm(x.data(), y.data(), count, 1e-6F, false, out.data());
      expect_close(out, ref::rms_norm(x, y, 1e-6), 60, target + " rms_norm");
      kernels.swiglu(x.data(), y.data(), count, false, out.data());
      expect_close(out, ref::swiglu(x, y), 60, target + " swiglu");
      out = x;
      kernels.rotate(out.data(), cos.data(), sin.data(), count / 2, false);
      expect_close(out, ref::rotate(x, cos, sin), 60, target + " rotate");
      EXPECT_EQ(
          kernels.amax(x.data(), count),
          std::abs(*std::max_element(x.begin(), x.end(), [](float a, float b) { return std::abs(a) < std::abs(b); })));
      for (const bool bf16 : {false, true}) {
        std::vector<float> base = x, got = x;
        const KernelTable& scalar = *kernel_table("scalar");
        scalar.add_scaled(base.data(), y.data(), 0.37F, count, bf16);
        kernels.add_scaled(got.data(), y.data(), 0.37F, count, bf16);
        scalar.swiglu(base.data(), y.data(), count, bf16, base.data());
        kernels.swiglu(got.data(), y.data(), count, bf16, got.data());
        scalar.rms_norm(base.data(), y.data(), count, 1e-6F, bf16, base.data());
        kernels.rms_norm(got.data(), y.data(), count, 1e-6F, bf16, got.data());
        scalar.rotate(base.data(), cos.data(), sin.data(), count / 2, bf16);
        kernels.rotate(got.data(), cos.data(), sin.data(), count / 2, bf16);
        scalar.sigmoid(base.data(), count, base.data());
        kernels.sigmoid(got.data(), count, got.data());
        expect_same_bytes(base, got, target + " rows");
      }
    }
  }
}

TEST(Kernels, AmaxFindsWhatIsNotFinite) {
  for (const std::string& target : available_simd_targets())
    for (const std::size_t at : {0U, 17U, 36U}) {
      std::vector<float> x = normal_values(37, 1);
      x[at] = -std::numeric_limits<float>::infinity();
      EXPECT_EQ(kernel_table(target)->amax(x.data(), 37), std::numeric_limits<float>::infinity());
      x[at] = std::numeric_limits<float>::quiet_NaN();
      EXPECT_TRUE(std::isnan(kernel_table(target)->amax(x.data(), 37)));
    }
}

TEST(Kernels, FakeQuantizeIsTheLoadingRule) {
  std::vector<float> x = normal_values(64 * 16, 11, 3.0F);
  for (std::size_t i = 0; i < 16; ++i) x[i] = 0.0F;
  for (std::size_t i = 16; i < 32; ++i) x[i] = 1e-9F;  // its scale underflows: the block becomes 0
  constexpr float kTies[] = {0.25F,  0.75F,  1.25F,  1.75F,  2.5F,  3.5F,  5.0F,  6.0F,
                             -0.25F, -0.75F, -1.25F, -1.75F, -2.5F, -3.5F, -5.0F, 0.0F};
  for (std::size_t i = 0; i < 16; ++i) x[32 + i] = kTies[i];
  for (const float input_scale : {1.0F, 0.0031F, 7.0F}) {
    const std::vector<float> expected = ref::fake_quantize(x, input_scale);
    for (const std::string& target : available_simd_targets()) {
      std::vector<float> got(x.size());
      kernel_table(target)->fake_quantize(x.data(), static_cast<std::int64_t>(x.size()), input_scale, got.data());
      for (std::size_t i = 0; i < x.size(); ++i) ASSERT_EQ(expected[i], got[i]) << target << " at " << i;
    }
  }
}

TEST(Compute, NamesItsChoices) {
  const auto wrong = Compute::create(1, "sse9");
  ASSERT_FALSE(wrong.has_value());
  EXPECT_EQ(wrong.error().code, ErrorCode::kUsage);
  EXPECT_NE(wrong.error().message.find("scalar"), std::string::npos);
  EXPECT_EQ(Compute::create(1, "scalar")->simd(), "scalar");
}

}  // namespace
}  // namespace tetrad
