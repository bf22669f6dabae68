#include "conversion/random_model.h"

#include <gmock/gmock.h>
#include <unistd.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "arch/tensor_table.h"
#include "base/files.h"
#include "conversion/random_weights.h"
#include "numeric/bf16.h"
#include "numeric/e4m3.h"
#include "numeric/nvfp4.h"

namespace tetrad {
namespace {
namespace fs = std::filesystem;
using ::testing::HasSubstr;

std::vector<std::byte> head_of(const ValueRing& ring, std::uint64_t start, std::uint64_t bytes) {
  std::vector<std::byte> read;
  while (read.size() < bytes) {
    const auto part = ring.piece(start, read.size(), bytes - read.size());
    read.insert(read.end(), part.begin(), part.end());
  }
  return read;
}

template <class T>
T element(const std::vector<std::byte>& bytes, std::size_t i) {
  T value;
  std::memcpy(&value, bytes.data() + i * sizeof(T), sizeof(T));
  return value;
}

struct Moments {
  double mean = 0, deviation = 0;
};
Moments moments(const std::vector<float>& values) {
  double sum = 0, squares = 0;
  for (const float v : values) {
    sum += static_cast<double>(v);
    squares += static_cast<double>(v) * static_cast<double>(v);
  }
  const auto n = static_cast<double>(values.size());
  return {sum / n, std::sqrt(squares / n - sum * sum / n / n)};
}

constexpr std::size_t kMany = 200'000;

TEST(ValuePool, RingsHaveTheirMeanAndDeviationInEveryForm) {
  ThreadPool threads(2);
  ValuePool pool(3, threads);
  std::vector<float> plain, wide, fp8;
  const auto f32 = head_of(pool.ring(RingKind::kF32, 2, 0.5F), 0, 4 * kMany);
  const auto bf16 = head_of(pool.ring(RingKind::kBF16Shuffled, 0, 3), 0, 2 * kMany);
  const auto codes = head_of(pool.ring(RingKind::kFp8), 0, kMany);
  for (std::size_t i = 0; i < kMany; ++i) {
    plain.push_back(element<float>(f32, i));
    wide.push_back(bf16_to_float(element<std::uint16_t>(bf16, i)));
    fp8.push_back(e4m3_to_float(element<std::uint8_t>(codes, i)));
    ASSERT_TRUE(std::isfinite(fp8.back()));
  }
  EXPECT_NEAR(moments(plain).mean, 2, 0.01);
  EXPECT_NEAR(moments(plain).deviation, 0.5, 0.01);
  EXPECT_NEAR(moments(wide).mean, 0, 0.03);
  EXPECT_NEAR(moments(wide).deviation, 3, 0.03);
  EXPECT_NEAR(moments(fp8).deviation, kFp8Scale, 1);
}

TEST(ValuePool, Nvfp4CodesAndScalesBelongTogether) {
  ThreadPool threads(2);
  ValuePool pool(3, threads);
  constexpr std::size_t kBlocks = 10'000;
  const auto f32 = head_of(pool.ring(RingKind::kF32), 0, kBlocks * 64);
  const auto codes = head_of(pool.ring(RingKind::kNvfp4Codes), 0, kBlocks * 8);
  const auto scales = head_of(pool.ring(RingKind::kNvfp4Scales), 0, kBlocks);
  EXPECT_EQ(pool.ring(RingKind::kNvfp4Codes).units(), pool.ring(RingKind::kNvfp4Scales).units());
  double error = 0, norm = 0;
  for (std::size_t block = 0; block < kBlocks; ++block) {
    std::array<float, 16> w{};
    nvfp4_decode_block(reinterpret_cast<const std::uint8_t*>(codes.data()) + 8 * block,
                       element<std::uint8_t>(scales, block), pool.nvfp4_tensor_scale(), w.data());
    for (std::size_t i = 0; i < w.size(); ++i) {
      const auto exact = static_cast<double>(element<float>(f32, 16 * block + i));
      error += (static_cast<double>(w[i]) - exact) * (static_cast<double>(w[i]) - exact);
      norm += exact * exact;
    }
  }
  EXPECT_NEAR(std::sqrt(error / norm), 0.095, 0.003) << "what rounding normal numbers to NVFP4 costs";
}

TEST(ValuePool, APieceGoesAroundTheRingAndNoTwoRowsAreEqual) {
  ThreadPool threads(1);
  ValuePool pool(0, threads);
  const ValueRing& ring = pool.ring(RingKind::kF32);
  const std::uint64_t last = ring.units() - 1;
  EXPECT_EQ(ring.piece(last, 0, 100).size(), 4U);
  EXPECT_EQ(ring.piece(last, 4, 100).data(), ring.piece(0, 0, 1).data());
  EXPECT_EQ(ring.piece(5, 7, 100).size(), 100U);
  for (const std::size_t divisor : {2U, 3U, 5U, 7U, 16U, 128U, 3072U}) EXPECT_NE(ring.units() % divisor, 0U);
}

ModelConfig small_config(StoredFormat format) {
  Json json = {{"model_type", "minimax_m2"}, {"vocab_size", 64},         {"hidden_size", 256}, {"num_hidden_layers", 2},
               {"num_attention_heads", 4},   {"num_key_value_heads", 2}, {"head_dim", 32},     {"num_local_experts", 4},
               {"num_experts_per_tok", 2},   {"intermediate_size", 192}, {"rotary_dim", 16}};
  ModelConfig config = ModelConfig::parse(json, "test").value();
  config.stored = format;
  return config;
}

TEST(RandomWeights, EveryFormatHasTheTensorsThatItMustHave) {
  ThreadPool threads(1);
  ValuePool pool(0, threads);
  const std::size_t rows = tensor_table(small_config(StoredFormat::kPlain)).size(), experts = 2 * 4 * 3,
                    attention = 2 * 4;
  EXPECT_EQ(random_weights(small_config(StoredFormat::kPlain), 0, pool).specs.size(), rows);
  const auto fp8 = random_weights(small_config(StoredFormat::kFp8Block), 0, pool);
  EXPECT_EQ(fp8.specs.size(), rows + experts + attention);
  const auto nvfp4 = random_weights(small_config(StoredFormat::kNvfp4ModelOpt), 0, pool);
  EXPECT_EQ(nvfp4.specs.size(), rows + 3 * experts);
  EXPECT_EQ(nvfp4.parameters, fp8.parameters);
  for (const TensorSpec& spec : fp8.specs)
    if (spec.name == "model.layers.1.block_sparse_moe.experts.3.w1.weight_scale_inv") {
      EXPECT_EQ(spec.shape, (Shape{2, 2}));
    }
}

TEST(RandomWeights, GateAndUpShareAScaleAndExpertsDiffer) {
  ThreadPool threads(1);
  ValuePool pool(0, threads);
  const auto weights = random_weights(small_config(StoredFormat::kNvfp4ModelOpt), 7, pool);
  std::map<std::string, RandomTensor> by_name;
  for (std::size_t i = 0; i < weights.specs.size(); ++i) by_name[weights.specs[i].name] = weights.tensors[i];
  const auto scale = [&](const std::string& module) {
    return by_name.at("model.layers.1.block_sparse_moe.experts." + module + ".weight_scale_2").scalar;
  };
  EXPECT_EQ(scale("0.w1"), scale("0.w3"));
  EXPECT_NE(scale("0.w1"), scale("1.w1"));
  EXPECT_NE(scale("0.w1"), scale("0.w2"));
  const auto& codes = by_name.at("model.layers.0.block_sparse_moe.experts.2.w2.weight");
  const auto& scales = by_name.at("model.layers.0.block_sparse_moe.experts.2.w2.weight_scale");
  EXPECT_EQ(codes.start, scales.start) << "a block's codes and its scale";
}

class RandomModelTest : public ::testing::Test {
 protected:
  RandomModelTest() : root_(fs::temp_directory_path() / ("tetrad-random-model-" + std::to_string(::getpid()))) {
    fs::remove_all(root_);
    fs::create_directories(root_);
    options_.destination = root_ / "model";
    options_.like = "tiny-minimax-m2";
    options_.layers = 1;
    options_.experts = 4;
    options_.vocab = 64;
  }
  ~RandomModelTest() override { fs::remove_all(root_); }
  Result<RandomModelResult> make(std::size_t threads = 1) {
    ThreadPool pool(threads);
    return make_random_model(options_, pool);
  }
  void expect_usage_error(const std::string& text) {
    const auto result = make();
    ASSERT_FALSE(result.has_value()) << text;
    EXPECT_EQ(result.error().code, ErrorCode::kUsage) << result.error().message;
    EXPECT_THAT(result.error().message, HasSubstr(text));
    EXPECT_FALSE(fs::exists(root_ / "model.partial"));
  }

  fs::path root_;
  RandomModelOptions options_;
};

TEST_F(RandomModelTest, BytesDependOnTheSeedAlone) {
  for (const StoredFormat format : {StoredFormat::kFp8Block, StoredFormat::kPlain, StoredFormat::kNvfp4ModelOpt}) {
    options_.format = format;
    options_.overwrite = true;
    const auto bytes_of = [&](std::uint64_t seed, std::size_t threads) {
      options_.seed = seed;
      EXPECT_TRUE(make(threads).has_value());
      return read_file(root_ / "model" / "model.safetensors").value();
    };
    const std::string first = bytes_of(1, 1);
    EXPECT_TRUE(first == bytes_of(1, 3));
    EXPECT_FALSE(first == bytes_of(2, 1));
  }
}

TEST_F(RandomModelTest, NumbersThatMakeNoModelAreUsageErrors) {
  options_.top_k = 5;
  expect_usage_error("num_experts_per_tok: 5 of 4 experts");
  options_.top_k.reset();
  options_.like = "nothing";
  expect_usage_error("unknown model");
  options_.like = "tiny-minimax-m2";
  options_.heads = 7;
  expect_usage_error("num_key_value_heads");
  options_.heads = 8;
  options_.head_dim = 40;
  expect_usage_error("head_dim 40");
  options_.head_dim.reset();
  options_.width = 24;
  ASSERT_TRUE(make().has_value()) << "FP8 has partial blocks";
  options_.overwrite = true;
  options_.format = StoredFormat::kNvfp4ModelOpt;
  expect_usage_error("NVFP4 wants multiples of 16");
}

TEST_F(RandomModelTest, AModelLargerThanTheDiskIsRefusedBeforeAnythingIsWritten) {
  options_.layers = 1024;
  options_.experts = 2;
  options_.width = 1 << 24;
  const auto result = make();
  ASSERT_FALSE(result.has_value());
  EXPECT_THAT(result.error().message, HasSubstr("not enough space"));
  EXPECT_FALSE(fs::exists(root_ / "model.partial"));
}

TEST_F(RandomModelTest, NothingIsOverwrittenUnasked) {
  ASSERT_TRUE(make().has_value());
  const auto again = make();
  ASSERT_FALSE(again.has_value());
  EXPECT_THAT(again.error().message, HasSubstr("the destination exists"));
  fs::create_directories(root_ / "other.partial");
  options_.destination = root_ / "other";
  const auto beside = make();
  ASSERT_FALSE(beside.has_value());
  EXPECT_EQ(beside.error().hint, "add --overwrite to begin anew") << "there is no --resume";
}

}  // namespace
}  // namespace tetrad
