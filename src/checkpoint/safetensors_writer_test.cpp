#include "checkpoint/safetensors_writer.h"

#include <gmock/gmock.h>

#include <cstdlib>
#include <fstream>
#include <nlohmann/json.hpp>

#include "base/files.h"
#include "base/json.h"
#include "checkpoint/safetensors_file.h"

namespace tetrad {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

class WriterTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string name = (fs::temp_directory_path() / "tetrad-writer-XXXXXX").string();
    ASSERT_NE(::mkdtemp(name.data()), nullptr);
    directory_ = name;
  }
  void TearDown() override { fs::remove_all(directory_); }
  fs::path directory_;
};

std::vector<TensorSpec> specs() {
  return {{"codes", DType::kU8, {3, 4}},
          {"scale", DType::kF32, {}},
          {"block \"x\"", DType::kF8E4M3, {3, 1}},
          {"norm", DType::kBF16, {5}}};
}

std::string content(std::size_t tensor, std::uint64_t bytes) {
  return std::string(bytes, static_cast<char>('a' + tensor));
}

void fill(SafetensorsWriter& writer) {
  for (std::size_t i = writer.layout().tensors().size(); i-- > 0;) {
    const std::string data = content(i, writer.layout().tensors()[i].bytes());
    const auto bytes = std::as_bytes(std::span(data));
    ASSERT_TRUE(writer.write(i, 1, bytes.subspan(1)).has_value());
    ASSERT_TRUE(writer.write(i, 0, bytes.first(1)).has_value());
  }
}

TEST_F(WriterTest, OneShardReadsBack) {
  auto writer = SafetensorsWriter::open(directory_, ShardLayout::plan(specs(), 1 << 20).value(), false).value();
  fill(writer);
  ASSERT_TRUE(writer.finish().has_value());
  EXPECT_FALSE(fs::exists(directory_ / "model.safetensors.index.json"));
  const SafetensorsFile file = SafetensorsFile::open(directory_ / "model.safetensors").value();
  ASSERT_EQ(file.tensors().size(), 4U);
  EXPECT_EQ(file.metadata().at("format"), "pt");
  for (const NamedTensor& tensor : file.tensors()) {
    const std::size_t index = writer.layout().find(tensor.name);
    ASSERT_NE(index, ShardLayout::npos);
    EXPECT_EQ(tensor.view.shape, writer.layout().tensors()[index].shape);
    const std::string data(reinterpret_cast<const char*>(tensor.view.bytes.data()), tensor.view.bytes.size());
    EXPECT_EQ(data, content(index, data.size()));
    // Readers that cast in place need this; the header's padding and the order by width give it.
    EXPECT_EQ(writer.layout().place(index).offset % dtype_size(tensor.view.dtype), 0U);
  }
}

TEST_F(WriterTest, ShardsAndIndexAreHuggingFaces) {
  const ShardLayout layout = ShardLayout::plan(specs(), 16).value();  // codes + scale fill 16 bytes exactly
  ASSERT_EQ(layout.shards(), 2U);
  EXPECT_EQ(layout.shard_name(0), "model-00001-of-00002.safetensors");
  EXPECT_EQ(layout.total_bytes(), 12U + 4 + 3 + 10);
  auto writer = SafetensorsWriter::open(directory_, layout, false).value();
  fill(writer);
  ASSERT_TRUE(writer.finish().has_value());
  EXPECT_EQ(read_file(directory_ / "model.safetensors.index.json").value(), layout.index_json());
  const Json index = parse_json(layout.index_json(), "index").value();
  EXPECT_EQ(index["metadata"]["total_size"], 29);
  EXPECT_EQ(
      index["weight_map"].dump(),
      R"({"block \"x\"":"model-00002-of-00002.safetensors","codes":"model-00001-of-00002.safetensors","norm":"model-00002-of-00002.safetensors","scale":"model-00001-of-00002.safetensors"})");
  for (std::size_t shard = 0; shard < 2; ++shard) {
    EXPECT_EQ(fs::file_size(directory_ / layout.shard_name(shard)), layout.shard_file_bytes(shard));
    EXPECT_TRUE(SafetensorsFile::open(directory_ / layout.shard_name(shard)).has_value());
  }
}

TEST(ShardLayout, AHeaderIsPaddedJson) {
  const ShardLayout layout = ShardLayout::plan({{"a", DType::kU8, {3}}, {"b", DType::kF32, {2, 1}}}, 100).value();
  const std::string json =
      R"({"__metadata__":{"format":"pt"},"b":{"dtype":"F32","shape":[2,1],"data_offsets":[0,8]},"a":{"dtype":"U8","shape":[3],"data_offsets":[8,11]}})";
  const std::string header = layout.header(0);
  EXPECT_EQ(header.size() % 8, 0U);
  EXPECT_EQ(header.substr(8, json.size()), json);
  EXPECT_EQ(header.find_first_not_of(' ', 8 + json.size()), std::string::npos);
  EXPECT_EQ(static_cast<unsigned char>(header[0]), header.size() - 8);
}

TEST(ShardLayout, ATensorOverTheLimitHasAShardOfItsOwn) {
  const ShardLayout layout =
      ShardLayout::plan(
          {{"a", DType::kU8, {3}}, {"b", DType::kU8, {50}}, {"c", DType::kU8, {3}}, {"d", DType::kU8, {7}}}, 10)
          .value();
  EXPECT_EQ(layout.shards(), 3U);
  EXPECT_EQ(layout.place(2).shard, layout.place(3).shard);
}

TEST(ShardLayout, RefusesImpossibleTensors) {
  EXPECT_THAT(ShardLayout::plan({{"a", DType::kU8, {3}}, {"a", DType::kU8, {3}}}, 10).error().message,
              HasSubstr("occurs twice"));
  EXPECT_THAT(ShardLayout::plan({{"a", DType::kU8, {-3}}}, 10).error().message, HasSubstr("not possible"));
  EXPECT_THAT(ShardLayout::plan({{"a", DType::kF32, {std::int64_t{1} << 62}}}, 10).error().message,
              HasSubstr("not possible"));
  EXPECT_THAT(ShardLayout::plan({{"__metadata__", DType::kU8, {1}}}, 10).error().message, HasSubstr("not a name"));
  EXPECT_FALSE(ShardLayout::plan({}, 0).has_value());
  EXPECT_EQ(ShardLayout::plan({}, 1).value().shards(), 1U);
}

TEST_F(WriterTest, AResumedRunKeepsBytesAndNamesWhatDoesNotFit) {
  const ShardLayout layout = ShardLayout::plan(specs(), 16).value();
  {
    auto writer = SafetensorsWriter::open(directory_, layout, false).value();
    fill(writer);
  }
  const std::string before = read_file(directory_ / layout.shard_name(0)).value();
  ASSERT_TRUE(SafetensorsWriter::open(directory_, layout, true).has_value());
  EXPECT_EQ(read_file(directory_ / layout.shard_name(0)).value(), before);

  fs::resize_file(directory_ / layout.shard_name(1), 5);
  EXPECT_THAT(SafetensorsWriter::open(directory_, layout, true).error().message,
              HasSubstr("model-00002-of-00002.safetensors: it has 5 bytes"));
  std::fstream(directory_ / layout.shard_name(0), std::ios::in | std::ios::out).seekp(20).put('!');
  EXPECT_THAT(SafetensorsWriter::open(directory_, layout, true).error().message,
              HasSubstr("model-00001-of-00002.safetensors: its header"));
  fs::remove(directory_ / layout.shard_name(0));
  EXPECT_FALSE(SafetensorsWriter::open(directory_, layout, true).has_value());
}

}  // namespace
}  // namespace tetrad
