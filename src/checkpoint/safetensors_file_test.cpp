#include "checkpoint/safetensors_file.h"

#include <fmt/format.h>
#include <gmock/gmock.h>

namespace tetrad {
namespace {

using testing::HasSubstr;

std::string file_of(const std::string& header, std::size_t data_bytes, std::uint64_t length) {
  std::string file;
  for (int i = 0; i < 8; ++i) file += static_cast<char>((length >> (8 * i)) & 0xFF);
  return file + header + std::string(data_bytes, '\7');
}

std::string file_of(const std::string& header, std::size_t data_bytes) {
  return file_of(header, data_bytes, header.size());
}

std::string fault_of(const std::string& file) {
  std::map<std::string, std::string> metadata;
  auto tensors = parse_safetensors(std::as_bytes(std::span(file)), "m.safetensors", metadata);
  return tensors ? "none" : tensors.error().message;
}

TEST(SafetensorsFile, ReadsTensorsInFileOrder) {
  const std::string file = file_of(
      R"({"b":{"dtype":"BF16","shape":[2,3],"data_offsets":[5,17]},"__metadata__":{"format":"pt"},"a":{"dtype":"U8","shape":[5],"data_offsets":[0,5]},"s":{"dtype":"F32","shape":[],"data_offsets":[17,21]},"e":{"dtype":"F32","shape":[0,4],"data_offsets":[17,17]}})",
      21);
  std::map<std::string, std::string> metadata;
  const auto tensors = parse_safetensors(std::as_bytes(std::span(file)), "m", metadata);
  ASSERT_TRUE(tensors.has_value()) << tensors.error().message;
  ASSERT_EQ(tensors->size(), 4U);
  EXPECT_EQ((*tensors)[0].name, "a");
  EXPECT_EQ((*tensors)[1].name, "b");
  EXPECT_EQ((*tensors)[1].view.shape, (Shape{2, 3}));
  EXPECT_EQ((*tensors)[1].view.dtype, DType::kBF16);
  EXPECT_EQ((*tensors)[1].view.bytes.data(), reinterpret_cast<const std::byte*>(file.data() + file.size() - 16));
  EXPECT_EQ((*tensors)[2].name, "e");
  EXPECT_EQ((*tensors)[3].view.elements(), 1);
  EXPECT_EQ(metadata.at("format"), "pt");
  EXPECT_EQ(fault_of(file_of("{}", 0)), "none");
  EXPECT_EQ(fault_of(file_of("{}      ", 0)), "none");
}

TEST(SafetensorsFile, RefusesBrokenHeaders) {
  EXPECT_THAT(fault_of(""), HasSubstr("too few"));
  EXPECT_THAT(fault_of("1234567"), HasSubstr("too few"));
  EXPECT_THAT(fault_of(file_of("{}", 0, 0)), HasSubstr("does not begin with '{'"));
  EXPECT_THAT(fault_of(file_of("{}", 0, 3)), HasSubstr("does not fit"));
  EXPECT_THAT(fault_of(file_of("{}", 0, ~std::uint64_t{0})), HasSubstr("over the limit"));
  EXPECT_THAT(fault_of(file_of(" {}", 0)), HasSubstr("does not begin"));
  EXPECT_THAT(fault_of(file_of("{\"a\":", 0)), HasSubstr("malformed JSON"));
  EXPECT_THAT(fault_of(file_of("{\"a\":1}", 0)), HasSubstr("tensor a: its entry in the header is not an object"));
  EXPECT_THAT(fault_of(file_of(R"({"__metadata__":{"a":1}})", 0)), HasSubstr("must be a string"));
  EXPECT_THAT(fault_of(file_of(R"({"__metadata__":[]})", 0)), HasSubstr("must be an object"));
  EXPECT_THAT(fault_of(file_of(R"({"a":{},"a":{}})", 0)), HasSubstr("occurs twice"));
}

std::string tensor(const char* name, const char* dtype, const char* shape, const char* offsets) {
  return std::string("\"") + name + R"(":{"dtype":)" + dtype + R"(,"shape":)" + shape + R"(,"data_offsets":)" +
         offsets + "}";
}

std::string fault_of_tensor(const char* dtype, const char* shape, const char* offsets, std::size_t data_bytes) {
  return fault_of(file_of(fmt::format("{{{}}}", tensor("t", dtype, shape, offsets)), data_bytes));
}

TEST(SafetensorsFile, RefusesBrokenTensors) {
  EXPECT_EQ(fault_of_tensor("\"U8\"", "[4]", "[0,4]", 4), "none");
  EXPECT_THAT(fault_of_tensor("\"U9\"", "[4]", "[0,4]", 4), HasSubstr("tensor t: unknown dtype \"U9\""));
  EXPECT_THAT(fault_of_tensor("7", "[4]", "[0,4]", 4), HasSubstr("\"dtype\""));
  EXPECT_THAT(fault_of_tensor("\"U8\"", "4", "[0,4]", 4), HasSubstr("\"shape\""));
  EXPECT_THAT(fault_of_tensor("\"U8\"", "[-4]", "[0,4]", 4), HasSubstr("non-negative integer"));
  EXPECT_THAT(fault_of_tensor("\"U8\"", "[4.0]", "[0,4]", 4), HasSubstr("non-negative integer"));
  EXPECT_THAT(fault_of_tensor("\"U8\"", "[18446744073709551615]", "[0,4]", 4), HasSubstr("too large"));
  EXPECT_THAT(fault_of_tensor("\"F32\"", "[4611686018427387904,4]", "[0,0]", 0), HasSubstr("overflows"));
  EXPECT_THAT(fault_of_tensor("\"F32\"", "[2]", "[0,4]", 4), HasSubstr("F32 [2] needs 8 bytes but has 4"));
  EXPECT_THAT(fault_of_tensor("\"U8\"", "[4]", "[0,4,8]", 4), HasSubstr("two offsets"));
  EXPECT_THAT(fault_of_tensor("\"U8\"", "[4]", "[-1,3]", 4), HasSubstr("non-negative integer"));
  EXPECT_THAT(fault_of_tensor("\"U8\"", "[4]", "[4,0]", 4), HasSubstr("begins at 4 but ends at 0"));
  EXPECT_THAT(fault_of_tensor("\"U8\"", "[4]", "[0,4]", 3), HasSubstr("ends at byte 4 of 3"));
  EXPECT_THAT(fault_of_tensor("\"U8\"", "[1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1]", "[0,1]", 1), HasSubstr("17 dimensions"));
}

TEST(SafetensorsFile, RefusesHolesAndOverlaps) {
  const std::string a = tensor("a", "\"U8\"", "[4]", "[0,4]");
  const auto with = [&](const char* offsets, std::size_t bytes) {
    return fault_of(file_of(fmt::format("{{{},{}}}", a, tensor("b", "\"U8\"", "[4]", offsets)), bytes));
  };
  EXPECT_EQ(with("[4,8]", 8), "none");
  EXPECT_THAT(with("[3,7]", 8), HasSubstr("inside the tensor before it"));
  EXPECT_THAT(with("[0,4]", 4), HasSubstr("inside the tensor before it"));
  EXPECT_THAT(with("[5,9]", 9), HasSubstr("bytes 4 to 5 before it belong to no tensor"));
  EXPECT_THAT(with("[4,8]", 9), HasSubstr("the tensors end at byte 8 of 9"));
}

TEST(SafetensorsFile, OpensFiles) {
  auto file = SafetensorsFile::open("models/tiny-minimax-m2/model-00004-of-00004.safetensors");
  ASSERT_TRUE(file.has_value()) << file.error().message;
  EXPECT_EQ(file->tensors().front().name, "lm_head.weight");
  EXPECT_THAT(SafetensorsFile::open("models").error().message, HasSubstr("not a regular file"));
  EXPECT_THAT(SafetensorsFile::open("models/none.safetensors").error().message, HasSubstr("No such file"));
}

}  // namespace
}  // namespace tetrad
