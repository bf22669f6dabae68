#include "base/json.h"

#include <gmock/gmock.h>

#include <nlohmann/json.hpp>
#include <string>

namespace tetrad {
namespace {

using testing::HasSubstr;

std::string fault_of(std::string_view text) {
  auto parsed = parse_json(text, "file.json");
  return parsed ? "none" : parsed.error().message;
}

TEST(Json, KeepsTheOrderOfKeysAndEveryKindOfValue) {
  const std::string text = R"({"z":1,"a":[null,true,-2,3.5,"x",{"b":{}},[]],"m":18446744073709551615})";
  auto parsed = parse_json(text, "file.json");
  ASSERT_TRUE(parsed.has_value()) << parsed.error().message;
  EXPECT_EQ(parsed->dump(), text);
  EXPECT_TRUE((*parsed)["m"].is_number_unsigned());
}

TEST(Json, AcceptsABareValue) { EXPECT_EQ(parse_json("  7 ", "x").value(), Json(7)); }

TEST(Json, RefusesWhatIsNotJson) {
  for (const char* text : {"", "{", "[1,]", "{\"a\":}", "nul", "NaN", "[Infinity]", "1e999", "\"\x01\"", "\"\xff\"",
                           "{} {}", "'a'", "[1] // c", "{1:2}"})
    EXPECT_THAT(fault_of(text), HasSubstr("malformed JSON: file.json: ")) << text;
}

TEST(Json, NamesADuplicateKey) {
  EXPECT_THAT(fault_of(R"({"a":1,"b":{"a":2},"a":3})"), HasSubstr("the key \"a\" occurs twice"));
  EXPECT_EQ(fault_of(R"([{"a":1},{"a":1}])"), "none");
}

TEST(Json, LimitsDepth) {
  EXPECT_EQ(fault_of(std::string(128, '[') + std::string(128, ']')), "none");
  EXPECT_THAT(fault_of(std::string(129, '[') + std::string(129, ']')), HasSubstr("nested deeper than 128"));
  EXPECT_THAT(fault_of(std::string(10'000'000, '[')), HasSubstr("nested deeper than 128"));
  EXPECT_EQ(fault_of(std::string("\"") + std::string(1000, '[') + "\""), "none");
}

TEST(Json, AHundredThousandKeysAreNotQuadratic) {
  std::string text = "{";
  for (int i = 0; i < 300'000; ++i)
    text += (i == 0 ? "\"model.layers.0.experts." : ",\"model.layers.0.experts.") + std::to_string(i) + "\":0";
  text += "}";
  auto parsed = parse_json(text, "file.json");  // by linear searches this is 5e10 comparisons: the test would not end
  ASSERT_TRUE(parsed.has_value());
  EXPECT_EQ(parsed->size(), 300'000U);
}

TEST(Json, ReadsFiles) {
  EXPECT_THAT(read_json_file("/no/such/file.json").error().message, HasSubstr("/no/such/file.json"));
}

}  // namespace
}  // namespace tetrad
