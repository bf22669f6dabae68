#include "checkpoint/checkpoint.h"

#include <fmt/format.h>
#include <gmock/gmock.h>

#include <cstdlib>
#include <cstring>
#include <fstream>
#include <nlohmann/json.hpp>

#include "base/files.h"
#include "checkpoint/safetensors_writer.h"

namespace tetrad {
namespace {

namespace fs = std::filesystem;
using testing::AllOf;
using testing::HasSubstr;

struct Made {
  TensorSpec spec;
  std::string bytes;
};

Made make(const char* name, DType dtype, Shape shape) {
  TensorSpec spec{name, dtype, std::move(shape)};
  return {spec, std::string(spec.bytes(), '\1')};
}

Made make_f32(const char* name, Shape shape, const std::vector<float>& values) {
  Made made = make(name, DType::kF32, std::move(shape));
  std::memcpy(made.bytes.data(), values.data(), made.bytes.size());
  return made;
}

class CheckpointTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string name = (fs::temp_directory_path() / "tetrad-ckpt-XXXXXX").string();
    ASSERT_NE(::mkdtemp(name.data()), nullptr);
    directory_ = name;
    text("config.json", "{}");
  }
  void TearDown() override { fs::remove_all(directory_); }

  void text(const char* file, const std::string& content) { std::ofstream(directory_ / file) << content; }
  void tensors(const std::vector<Made>& made, std::uint64_t shard_bytes = 1 << 20) {
    std::vector<TensorSpec> specs;
    for (const Made& one : made) specs.push_back(one.spec);
    auto writer = SafetensorsWriter::open(directory_, ShardLayout::plan(specs, shard_bytes).value(), false).value();
    for (std::size_t i = 0; i < made.size(); ++i)
      ASSERT_TRUE(writer.write(i, 0, std::as_bytes(std::span(made[i].bytes))).has_value());
    ASSERT_TRUE(writer.finish().has_value());
  }
  std::string fault() const {
    auto opened = Checkpoint::open(directory_);
    return opened ? "none" : opened.error().message;
  }
  std::string weight_fault(std::int64_t rows, std::int64_t cols) const {
    auto weight = Checkpoint::open(directory_).value().weight("m", rows, cols);
    return weight ? "none" : weight.error().message;
  }
  fs::path directory_;
};

TEST_F(CheckpointTest, OpensTheBundledModel) {
  const Checkpoint checkpoint = Checkpoint::open("models/tiny-minimax-m2").value();
  EXPECT_EQ(checkpoint.shards().size(), 4U);
  EXPECT_EQ(checkpoint.entries().size(), checkpoint.indexed_names().size());
  EXPECT_EQ(checkpoint.config()["model_type"], "minimax_m2");
  const WeightView weight = checkpoint.weight("model.layers.0.self_attn.o_proj", 256, 512).value();
  EXPECT_EQ(weight.format, WeightFormat::kFp8Block);
  EXPECT_EQ(weight.data.size(), 256U * 512);
  EXPECT_EQ(weight.scales.size(), 2U * 4 * 4);
  EXPECT_EQ(checkpoint.weight("lm_head", 6144, 256).value().format, WeightFormat::kBF16);
  EXPECT_EQ(checkpoint.weight("model.layers.0.block_sparse_moe.gate", 32, 256).value().format, WeightFormat::kF32);
  EXPECT_THAT(checkpoint.weight("lm_head", 6144, 255).error().message,
              HasSubstr("wrong shape: models/tiny-minimax-m2: tensor lm_head.weight: it is [6144, 256], config.json "
                        "asks for [6144, 255]"));
  EXPECT_THAT(checkpoint.tensor("nothing").error().message, HasSubstr("missing tensor"));
}

TEST_F(CheckpointTest, ReleasedPagesComeBack) {
  const Checkpoint checkpoint = Checkpoint::open("models/tiny-minimax-m2").value();
  const WeightView weight = checkpoint.weight("model.layers.0.self_attn.q_proj", 512, 256).value();
  const std::vector<std::byte> before(weight.data.begin(), weight.data.end());
  checkpoint.prefetch(weight);
  checkpoint.release(weight);
  EXPECT_TRUE(std::equal(before.begin(), before.end(), weight.data.begin()));
  checkpoint.release(std::as_bytes(std::span(before)));  // not the checkpoint's: ignored
}

TEST_F(CheckpointTest, RefusesDirectoriesThatAreNoModels) {
  EXPECT_THAT(Checkpoint::open("no/such/directory").error().message, HasSubstr("there is no such directory"));
  EXPECT_THAT(Checkpoint::open("CMakeLists.txt").error().message, HasSubstr("not a directory"));
  EXPECT_THAT(fault(), HasSubstr("it has no *.safetensors files"));
  text("config.json", "[]");
  EXPECT_THAT(fault(), HasSubstr("config.json: it is not an object"));
  fs::remove(directory_ / "config.json");
  EXPECT_THAT(fault(), HasSubstr("config.json: No such file"));
}

TEST_F(CheckpointTest, ReadsUnindexedShards) {
  tensors({make("a", DType::kU8, {4}), make("b", DType::kU8, {4})}, 4);
  fs::remove(directory_ / "model.safetensors.index.json");
  const Checkpoint checkpoint = Checkpoint::open(directory_).value();
  EXPECT_EQ(checkpoint.shards().size(), 2U);
  EXPECT_EQ(checkpoint.entries()[1].name, "b");
  EXPECT_EQ(checkpoint.entries()[1].shard, 1U);
  EXPECT_TRUE(checkpoint.indexed_names().empty());
}

TEST_F(CheckpointTest, NamesWhatIsWrongWithTheIndex) {
  tensors({make("a", DType::kU8, {4}), make("b", DType::kU8, {4})}, 4);
  const std::string first = "model-00001-of-00002.safetensors", second = "model-00002-of-00002.safetensors";
  const auto with = [&](const std::string& map) {
    text("model.safetensors.index.json", R"({"weight_map":)" + map + "}");
    return fault();
  };
  EXPECT_EQ(with(fmt::format(R"({{"a":"{}","b":"{}"}})", first, second)), "none");
  EXPECT_THAT(with(fmt::format(R"({{"a":"{}","c":"{}"}})", first, second)),
              HasSubstr("tensor c: model-00002-of-00002.safetensors does not hold it"));
  EXPECT_THAT(with(fmt::format(R"({{"a":"{}","b":"{}"}})", second, second)), HasSubstr("tensor a: model-00002"));
  EXPECT_THAT(with(fmt::format(R"({{"a":"{}","b":"{}"}})", second, first)),
              HasSubstr("it is in model-00001-of-00002.safetensors, not in"));
  EXPECT_THAT(with(R"({"a":"none.safetensors"})"), HasSubstr("none.safetensors: this shard is missing"));
  EXPECT_THAT(with(R"({"a":"../model-00001-of-00002.safetensors"})"), HasSubstr("is not a plain file name"));
  EXPECT_THAT(with(R"({"a":"/etc/passwd"})"), HasSubstr("is not a plain file name"));
  EXPECT_THAT(with(R"({"a":".."})"), HasSubstr("is not a plain file name"));
  EXPECT_THAT(with(R"({"a":5})"), HasSubstr("its file must be a string"));
  EXPECT_THAT(with("{}"), HasSubstr("empty"));
  EXPECT_THAT(with("[]"), HasSubstr("\"weight_map\" must be an object"));
  text("model.safetensors.index.json", "{");
  EXPECT_THAT(fault(), HasSubstr("malformed JSON"));
}

TEST_F(CheckpointTest, ATensorInTwoFilesIsAFault) {
  tensors({make("a", DType::kU8, {4})});
  fs::copy(directory_ / "model.safetensors", directory_ / "other.safetensors");
  EXPECT_THAT(fault(), HasSubstr("other.safetensors: tensor a: it is in model.safetensors too"));
}

TEST_F(CheckpointTest, DamagedCheckpointsOpenWithTheirFaults) {
  tensors({make("a", DType::kU8, {4}), make("b", DType::kU8, {4}), make("c", DType::kU8, {4})}, 4);
  fs::resize_file(directory_ / "model-00002-of-00003.safetensors", 30);
  fs::remove(directory_ / "model-00003-of-00003.safetensors");
  std::vector<Error> faults;
  const Checkpoint checkpoint = Checkpoint::open_damaged(directory_, faults).value();
  EXPECT_EQ(checkpoint.entries().size(), 1U);
  ASSERT_EQ(faults.size(), 4U);  // a broken shard, a missing one, and an index entry for each
  EXPECT_THAT(faults[0].message, HasSubstr("model-00002"));
  EXPECT_THAT(faults[1].message, HasSubstr("missing"));
}

TEST_F(CheckpointTest, WithNothingReadableTheFirstFaultIsTheReason) {
  tensors({make("a", DType::kU8, {4})});
  fs::resize_file(directory_ / "model.safetensors", 30);
  std::vector<Error> faults;
  EXPECT_THAT(Checkpoint::open_damaged(directory_, faults).error().message,
              HasSubstr("model.safetensors: a header of"));
}

TEST_F(CheckpointTest, ReadsModelOptNvfp4) {
  tensors({make("m.weight", DType::kU8, {2, 16}), make("m.weight_scale", DType::kF8E4M3, {2, 2}),
           make_f32("m.weight_scale_2", {}, {0.25F}), make_f32("m.input_scale", {}, {0.5F})});
  const Checkpoint checkpoint = Checkpoint::open(directory_).value();
  const WeightView weight = checkpoint.weight("m", 2, 32).value();
  EXPECT_EQ(weight.format, WeightFormat::kNvfp4);
  EXPECT_EQ(weight.data.size(), 32U);
  EXPECT_EQ(weight.scales.size(), 4U);
  EXPECT_EQ(weight.tensor_scale, 0.25F);
  EXPECT_EQ(weight.input_scale, 0.5F);
  EXPECT_THAT(checkpoint.weight("m", 2, 48).error().message, HasSubstr("m.weight: it is [2, 16]"));
  EXPECT_THAT(checkpoint.weight("m", 2, 17).error().message, HasSubstr("17 columns are no multiple of 16"));
}

TEST_F(CheckpointTest, ReadsCompressedTensorsNvfp4) {
  tensors({make("m.weight_packed", DType::kU8, {2, 16}), make("m.weight_scale", DType::kF8E4M3, {2, 2}),
           make_f32("m.weight_global_scale", {1}, {4.0F}), make_f32("m.input_global_scale", {1}, {8.0F})});
  const WeightView weight = Checkpoint::open(directory_).value().weight("m", 2, 32).value();
  EXPECT_EQ(weight.tensor_scale, 0.25F);
  EXPECT_EQ(weight.input_scale, 0.125F);
}

TEST_F(CheckpointTest, AnUnusableInputScaleIsNone) {
  tensors({make("m.weight", DType::kU8, {2, 16}), make("m.weight_scale", DType::kF8E4M3, {2, 2}),
           make_f32("m.weight_scale_2", {}, {0.25F}), make_f32("m.input_scale", {}, {0.0F})});
  EXPECT_FALSE(Checkpoint::open(directory_).value().weight("m", 2, 32).value().input_scale.has_value());
}

TEST_F(CheckpointTest, RefusesNvfp4WithoutItsScales) {
  tensors({make("m.weight", DType::kU8, {2, 16})});
  EXPECT_THAT(weight_fault(2, 32), HasSubstr("missing tensor"));
  tensors({make("m.weight", DType::kU8, {2, 16}), make("m.weight_scale", DType::kF8E4M3, {2, 1}),
           make_f32("m.weight_scale_2", {}, {1})});
  EXPECT_THAT(weight_fault(2, 32), AllOf(HasSubstr("wrong shape"), HasSubstr("m.weight_scale")));
  tensors({make("m.weight", DType::kU8, {2, 16}), make("m.weight_scale", DType::kU8, {2, 2}),
           make_f32("m.weight_scale_2", {}, {1})});
  EXPECT_THAT(weight_fault(2, 32), HasSubstr("it is U8, not F8_E4M3"));
  tensors({make("m.weight", DType::kU8, {2, 16}), make("m.weight_scale", DType::kF8E4M3, {2, 2}),
           make_f32("m.weight_scale_2", {2}, {1, 1})});
  EXPECT_THAT(weight_fault(2, 32), HasSubstr("not a single value"));
  tensors({make("m.weight", DType::kU8, {2, 16}), make("m.weight_scale", DType::kF8E4M3, {2, 2}),
           make_f32("m.weight_scale_2", {}, {-1})});
  EXPECT_THAT(weight_fault(2, 32), HasSubstr("-1 is not a scale"));
}

TEST_F(CheckpointTest, ReadsFp8WithPartialBlocksAndWidensBf16Scales) {
  Made scale = make("m.weight_scale_inv", DType::kBF16, {2, 2});
  scale.bytes = std::string("\x80\x3f\x00\x40\x40\x40\x80\x40", 8);  // 1, 2, 3, 4
  tensors({make("m.weight", DType::kF8E4M3, {192, 130}), scale});
  const Checkpoint checkpoint = Checkpoint::open(directory_).value();
  const WeightView weight = checkpoint.weight("m", 192, 130).value();
  ASSERT_EQ(weight.scales.size(), 16U);
  float values[4];
  std::memcpy(values, weight.scales.data(), 16);
  EXPECT_THAT(values, testing::ElementsAre(1, 2, 3, 4));
  EXPECT_EQ(checkpoint.weight("m", 192, 130).value().scales.data(), weight.scales.data());
}

TEST_F(CheckpointTest, ReadsFp8WithOneScaleAndOtherBlockSizes) {
  tensors({make("m.weight", DType::kF8E4M3, {192, 256}), make_f32("m.weight_scale", {}, {2})});
  const WeightView weight = Checkpoint::open(directory_).value().weight("m", 192, 256).value();
  EXPECT_EQ(weight.block_rows, 192);
  EXPECT_EQ(weight.block_cols, 256);

  text("config.json", R"({"quantization_config":{"weight_block_size":[64,32]}})");
  tensors({make("m.weight", DType::kF8E4M3, {192, 256}), make("m.weight_scale_inv", DType::kF32, {3, 8})});
  EXPECT_EQ(Checkpoint::open(directory_).value().weight("m", 192, 256).value().block_cols, 32);
}

TEST_F(CheckpointTest, RefusesFp8WithWrongScales) {
  tensors({make("m.weight", DType::kF8E4M3, {192, 256})});
  EXPECT_THAT(weight_fault(192, 256), HasSubstr("m.weight_scale_inv: no shard holds it"));
  tensors({make("m.weight", DType::kF8E4M3, {192, 256}), make("m.weight_scale_inv", DType::kF32, {1, 2})});
  EXPECT_THAT(weight_fault(192, 256), HasSubstr("it is [1, 2], not [2, 2]"));
  tensors({make("m.weight", DType::kF8E4M3, {192, 256}), make("m.weight_scale_inv", DType::kF16, {2, 2})});
  EXPECT_THAT(weight_fault(192, 256), HasSubstr("it is F16, not F32"));
  tensors({make("m.weight", DType::kI8, {192, 256})});
  EXPECT_THAT(weight_fault(192, 256), HasSubstr("weights in I8 are not supported"));
}

}  // namespace
}  // namespace tetrad
