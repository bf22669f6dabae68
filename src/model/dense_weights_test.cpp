// --dense-weights: which weights change, into what, and that all ways through a model still give the same bytes.
#include "model/dense_weights.h"

#include <limits>

#include "kernels/ref/reference.h"
#include "model/every_way.h"
#include "numeric/bf16.h"

namespace tetrad {
namespace {

const char* const kBf16Model = "tests/data/golden/tiny_m2_bf16";

struct Source {
  std::vector<std::byte> bytes;
  WeightView view;
};
Source f32_matrix(const std::vector<std::vector<float>>& rows) {
  Source source;
  source.view.rows = static_cast<std::int64_t>(rows.size());
  source.view.cols = static_cast<std::int64_t>(rows[0].size());
  source.bytes.resize(rows.size() * rows[0].size() * sizeof(float));
  for (std::size_t r = 0; r < rows.size(); ++r)
    std::memcpy(source.bytes.data() + r * rows[r].size() * sizeof(float), rows[r].data(),
                rows[r].size() * sizeof(float));
  source.view.data = source.bytes;
  return source;
}

TEST(DenseWeights, MatricesBecomeCodesOfTheirRows) {
  const Model model = open_model(kBf16Model);
  const Compute compute = *Compute::create(3);
  // An odd number of columns; a row of zeros, a tiny one, one that int8 holds exactly.
  std::vector<std::vector<float>> rows(40, std::vector<float>(21));
  for (std::size_t r = 0; r < rows.size(); ++r)
    for (std::size_t c = 0; c < 21; ++c)
      rows[r][c] = r == 0 ? 0.0F : std::sin(static_cast<float>(r * 21 + c)) * (r == 1 ? 1e-38F : 0.3F);
  for (std::size_t c = 0; c < 21; ++c) rows[2][c] = c == 0 ? 127.0F : static_cast<float>(c) - 9.0F;
  for (const DenseWeights dense : {DenseWeights::kInt8, DenseWeights::kFp8}) {
    Source source = f32_matrix(rows);
    WeightView untouched = source.view;
    untouched.format = WeightFormat::kFp8Block;
    const DenseMatrix matrices[] = {{&source.view, "a"}, {&untouched, "b"}};
    const auto memory = take(quantize_dense(model.checkpoint, compute, dense, matrices));
    const WeightFormat format = dense == DenseWeights::kInt8 ? WeightFormat::kInt8Row : WeightFormat::kFp8Row;
    ASSERT_EQ(source.view.format, format);
    EXPECT_EQ(untouched.format, WeightFormat::kFp8Block);
    EXPECT_EQ(source.view.bytes(), 40U * (21 + 4));
    const std::vector<float> values = ref::decode(source.view);
    for (std::size_t r = 0; r < rows.size(); ++r) {
      const ref::RowCodes expected = ref::quantize_row(rows[r], format);
      EXPECT_EQ(std::memcmp(expected.codes.data(), source.view.data.data() + 21 * r, 21), 0) << r;
      EXPECT_EQ(std::memcmp(&expected.scale, source.view.scales.data() + 4 * r, 4), 0) << r;
      if (r < 2) {
        EXPECT_EQ(values[21 * r + 5], 0.0F);
      }
    }
    for (std::size_t c = 0; c < 21 && dense == DenseWeights::kInt8; ++c) EXPECT_EQ(values[42 + c], rows[2][c]);
  }
}

TEST(DenseWeights, NothingIsDoneUnasked) {
  const Model model = open_model(kBf16Model);
  Source source = f32_matrix({{1, 2, 3}});
  const DenseMatrix matrix = {&source.view, "a"};
  EXPECT_EQ(take(quantize_dense(model.checkpoint, *Compute::create(1), DenseWeights::kStored, {&matrix, 1})), nullptr);
  EXPECT_EQ(source.view.format, WeightFormat::kF32);
  EXPECT_EQ(take(dense_bytes(model.checkpoint, model.config, DenseWeights::kStored)).resident, 0U);
}

TEST(DenseWeights, AValueThatIsNotFiniteIsNamed) {
  const Model model = open_model(kBf16Model);
  for (const float bad : {std::numeric_limits<float>::infinity(), std::numeric_limits<float>::quiet_NaN()}) {
    Source source = f32_matrix({{1, 2}, {3, 4}, {bad, 5}});
    const DenseMatrix matrix = {&source.view, "model.layers.1.self_attn.o_proj"};
    const auto result = quantize_dense(model.checkpoint, *Compute::create(2), DenseWeights::kInt8, {&matrix, 1});
    ASSERT_FALSE(result.has_value());
    EXPECT_EQ(result.error().code, ErrorCode::kInvalidInput);
    for (const char* part : {"tensor model.layers.1.self_attn.o_proj.weight", "row 2"})
      EXPECT_NE(result.error().message.find(part), std::string::npos) << result.error().message;
    EXPECT_EQ(result.error().message.find('\n'), std::string::npos);
  }
}

TEST(DenseWeights, BytesAreThoseOfProjectionsAndHead) {
  const Model model = open_model(kBf16Model);  // 2 layers, hidden 128, heads 4 + 2 of 32, vocabulary 512
  const DenseBytes bytes = take(dense_bytes(model.checkpoint, model.config, DenseWeights::kInt8));
  const std::uint64_t rows = 2 * (128 + 64 + 64 + 128) + 512;
  EXPECT_EQ(bytes.replaced, rows * 128 * 2);
  EXPECT_EQ(bytes.resident, rows * (128 + 4));
}

TEST(DenseWeights, EveryWayThroughTheModelGivesTheSameBytes) {
  const Model model = open_model(kBf16Model);
  const Sequences sequences = {reference_ids()[0]};
  ASSERT_GE(sequences[0].size(), 63U);
  const Forward stored = forward(model, *Compute::create(2), {}, sequences);
  double worst = 0;
  for (const DenseWeights dense : {DenseWeights::kInt8, DenseWeights::kFp8}) {
    const ForwardOptions options{.dense = dense};
    const Forward base = forward(model, *Compute::create(1, "scalar"), options, sequences);
    const double kld = divergence(stored.logits, base.logits, 512);
    EXPECT_GT(kld, 0) << dense_weights_name(dense);
    EXPECT_LT(kld, dense == DenseWeights::kInt8 ? 1e-3 : 2e-2) << dense_weights_name(dense);
    worst = std::max(worst, kld);
    expect_same_every_way(model, options, sequences, base.logits);
  }
  RecordProperty("worst_kld", std::to_string(worst));
}

}  // namespace
}  // namespace tetrad
