#include "grammar/grammar.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "base/json.h"
#include "base/rng.h"
#include "grammar/json_schema.h"

namespace tetrad {
namespace {

using ::testing::HasSubstr;

class GrammarTest : public ::testing::Test {
 protected:
  static constexpr std::int64_t kVocab = 6144;
  Tokenizer tokenizer_ = Tokenizer::load("models/tiny-minimax-m2").value();
  std::int32_t end_ = tokenizer_.token_id("[e~[").value();
  std::int32_t think_end_ = tokenizer_.token_id("</think>").value();
  GrammarCompiler compiler_ = GrammarCompiler::create(tokenizer_, kVocab, {end_}).value();

  // A text that the grammar allows, each token drawn at random from those allowed; ends are likely once they are
  // possible.
  std::string draw(const GrammarSpec& spec, std::uint64_t seed) {
    const auto constraint = compiler_.compile(spec, -1).value();
    Rng rng(seed);
    std::string text;
    for (int step = 0; step < 3000; ++step) {
      std::vector<float> logits(kVocab, 0.0F);
      constraint->mask(logits);
      std::vector<std::int32_t> allowed;
      for (std::int32_t id = 0; id < kVocab; ++id)
        if (std::isfinite(logits[static_cast<std::size_t>(id)])) allowed.push_back(id);
      if (allowed.empty()) return "nothing allowed behind " + text;
      const bool may_end = std::isfinite(logits[static_cast<std::size_t>(end_)]);
      // Short tokens first: they close what is open sooner.
      std::int32_t id = allowed[rng.below(allowed.size())];
      for (int tries = 0; step > 200 && tries < 20; ++tries) {
        const std::int32_t other = allowed[rng.below(allowed.size())];
        const std::string bytes = tokenizer_.token_bytes(other);
        if (bytes == "\"" || bytes == "}" || bytes == "]") id = other;
      }
      if (may_end && (step > 200 || rng.below(3) == 0)) id = end_;
      EXPECT_TRUE(constraint->accept(id).has_value());
      if (id == end_) return text;
      text += tokenizer_.token_bytes(id);
    }
    return "endless: " + text.substr(0, 200);
  }
  Json draw_json(const std::string& schema, std::uint64_t seed) {
    const std::string text = draw({GrammarSpec::Kind::kJsonSchema, schema}, seed);
    auto json = parse_json(text, "drawn");
    EXPECT_TRUE(json.has_value()) << text;
    return json ? *json : Json();
  }
  std::string refusal(const std::string& schema) {
    const auto made = compiler_.compile({GrammarSpec::Kind::kJsonSchema, schema}, -1);
    return made ? "" : made.error().message;
  }
};

TEST_F(GrammarTest, HoldsToASchema) {
  const std::string schema = R"({"type": "object", "properties": {"name": {"type": "string", "maxLength": 12},
      "age": {"type": "integer", "minimum": 0, "maximum": 150}, "kind": {"enum": ["a", "b"]},
      "tags": {"type": "array", "items": {"type": "boolean"}, "minItems": 1, "maxItems": 3}},
      "required": ["name", "age", "kind", "tags"], "additionalProperties": false})";
  for (std::uint64_t seed = 0; seed < 12; ++seed) {
    const Json json = draw_json(schema, seed);
    ASSERT_EQ(json.size(), 4U) << json;
    EXPECT_TRUE(json["name"].is_string());
    EXPECT_GE(json["age"].get<int>(), 0);
    EXPECT_LE(json["age"].get<int>(), 150);
    EXPECT_TRUE(json["kind"] == "a" || json["kind"] == "b");
    EXPECT_GE(json["tags"].size(), 1U);
    EXPECT_LE(json["tags"].size(), 3U);
  }
}

TEST_F(GrammarTest, HoldsToFormats) {
  const std::string schema = R"({"type": "object", "properties": {"d": {"type": "string", "format": "date"},
      "t": {"type": "string", "format": "date-time"}, "u": {"type": "string", "format": "uuid"},
      "n": {"type": "integer", "format": "int32"}}, "required": ["d", "t", "u", "n"], "additionalProperties": false})";
  for (std::uint64_t seed = 0; seed < 8; ++seed) {
    const Json json = draw_json(schema, seed);
    EXPECT_THAT(json["d"].get<std::string>(), ::testing::MatchesRegex("[0-9]{4}-[01][0-9]-[0-3][0-9]"));
    EXPECT_THAT(json["t"].get<std::string>(), ::testing::MatchesRegex("[0-9]{4}-[01][0-9]-[0-3][0-9]T[0-2].*"));
    EXPECT_EQ(json["u"].get<std::string>().size(), 36U);
  }
}

TEST_F(GrammarTest, FollowsReferences) {
  const std::string schema = R"({"$defs": {"node": {"type": "object", "properties": {"value": {"type": "integer"},
      "next": {"anyOf": [{"$ref": "#/$defs/node"}, {"type": "null"}]}}, "required": ["value", "next"]}},
      "allOf": [{"$ref": "#/$defs/node"}]})";
  for (std::uint64_t seed = 0; seed < 5; ++seed) {
    const Json json = draw_json(schema, seed);
    EXPECT_TRUE(json.contains("value") && json["value"].is_number()) << json;  // more digits than 64 bits hold
  }
}

TEST_F(GrammarTest, NullableIsNullToo) {
  const std::string schema = R"({"type": "object", "properties": {"v": {"type": "boolean", "nullable": true}},
      "required": ["v"], "additionalProperties": false})";
  bool nulls = false, booleans = false;
  for (std::uint64_t seed = 0; seed < 30; ++seed) {
    const Json json = draw_json(schema, seed);
    nulls |= json["v"].is_null();
    booleans |= json["v"].is_boolean();
  }
  EXPECT_TRUE(nulls && booleans);
}

// Beyond ASCII, xgrammar left quotes in texts as they are.
TEST_F(GrammarTest, PatternsAreOfTextsNotOfTheirJson) {
  const auto schema = [](const char* pattern) { return Json{{"type", "string"}, {"pattern", pattern}}.dump(); };
  for (const char* pattern : {"^é.{3}$", "^.{2}é$", "^[éa][^b]$", R"(^["a]\S{2}$)", "^(?:.|中){1,3}$"})
    for (std::uint64_t seed = 0; seed < 20; ++seed)
      ASSERT_TRUE(draw_json(schema(pattern), seed).is_string()) << pattern;
  for (const char* pattern : {R"(^a\nb$)", R"(^\\$)", R"(^"$)", R"(^["]$)", R"(\x22)", R"(\u0022)", R"(\u{22})"})
    EXPECT_THAT(refusal(schema(pattern)), HasSubstr("\"pattern\"")) << pattern;
  for (const char* pattern : {"(?=a)b", "(?!a)b", "(?<=a)b", "(?<!a)b", "(?i)b"})
    EXPECT_THAT(refusal(schema(pattern)), HasSubstr("look-around")) << pattern;
  for (const char* pattern : {R"(^a\b$)", R"((a)\1)", R"(\p{L})", R"([\p{L}])"})
    EXPECT_THAT(refusal(schema(pattern)), HasSubstr("\"pattern\" with \\")) << pattern;
  EXPECT_EQ(refusal(schema(R"(^(?<year>[0-9]{4})\.[\w" -]+$)")), "");
}

TEST_F(GrammarTest, KeywordsAllCount) {
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    EXPECT_THAT(draw({GrammarSpec::Kind::kJsonSchema, R"({"required": ["a"]})"}, seed), HasSubstr("\"a\""));
    EXPECT_GE(draw_json(R"({"minimum": 5, "maximum": 9.5})", seed).get<double>(), 5);
    EXPECT_LE(draw_json(R"({"maxLength": 4})", seed).get<std::string>().size(), 16U);
    EXPECT_EQ(draw_json(R"({"type": "string", "enum": [1, "a"]})", seed), "a");
    EXPECT_EQ(draw_json(R"({"type": "integer", "minimum": 2.5, "exclusiveMaximum": 3.5})", seed), 3);
    EXPECT_EQ(draw_json(R"({"type": "integer", "exclusiveMinimum": 2.5, "maximum": 3.5})", seed), 3);
    EXPECT_EQ(draw_json(R"({"type": ["integer", "null"], "enum": [1, "a"]})", seed), 1);
    const Json either = draw_json(R"({"type": "object", "properties": {"a": {"type": "null"}, "b": {"type": "null"}},
        "additionalProperties": false, "anyOf": [{"required": ["a"]}, {"required": ["b"]}]})",
                                  seed);
    EXPECT_TRUE(either.contains("a") || either.contains("b")) << either;
  }
}

TEST_F(GrammarTest, OneOfFitsOne) {
  EXPECT_EQ(refusal(R"({"oneOf": [{"type": "string"}, {"type": "integer"}, {"type": "null"}, {"enum": [true]}]})"), "");
  EXPECT_EQ(
      refusal(R"({"$defs": {"cat": {"type": "object", "properties": {"kind": {"const": "cat"}}, "required": ["kind"]},
      "dog": {"type": "object", "properties": {"kind": {"enum": ["dog"]}}, "required": ["kind"]}},
      "oneOf": [{"$ref": "#/$defs/cat"}, {"$ref": "#/$defs/dog"}], "discriminator": {"propertyName": "kind"}})"),
      "");
  EXPECT_THAT(refusal(R"({"oneOf": [{"type": "integer"}, {"type": "number"}]})"), HasSubstr("\"oneOf\""));
  EXPECT_THAT(refusal(R"({"oneOf": [{"type": "object", "properties": {"k": {"const": 1}}},
      {"type": "object", "properties": {"k": {"const": 2}}}]})"),
              HasSubstr("\"oneOf\""));
  EXPECT_THAT(refusal(R"({"oneOf": [{"type": "string"}, {}]})"), HasSubstr("\"oneOf\""));
}

TEST_F(GrammarTest, RemarksAreNoDemands) {
  EXPECT_EQ(refusal(R"({"type": "object", "propertyNames": {"type": "string"}, "x-order": 3, "example": {},
      "additionalProperties": {"type": "string", "contentEncoding": "base64"}})"),
            "");
  EXPECT_EQ(refusal(R"({"anyOf": [{"$ref": "#/$defs/a"}, {"type": "null"}], "default": null, "title": "T", "$defs": {
      "a": {"type": "integer"}}})"),
            "");
  EXPECT_THAT(refusal(R"({"type": "object", "propertyNames": {"maxLength": 3}})"), HasSubstr("propertyNames"));
}

TEST_F(GrammarTest, RegexAndEbnf) {
  EXPECT_THAT(draw({GrammarSpec::Kind::kRegex, "(red|blue) [0-9]{3}"}, 1),
              ::testing::MatchesRegex("(red|blue) [0-9][0-9][0-9]"));
  EXPECT_THAT(draw({GrammarSpec::Kind::kEbnf, R"(root ::= "yes" | "no")"}, 2), ::testing::AnyOf("yes", "no"));
  EXPECT_TRUE(parse_json(draw({GrammarSpec::Kind::kJsonObject, ""}, 5), "drawn").has_value());
}

TEST_F(GrammarTest, LeavesTheThoughtFree) {
  const auto constraint = compiler_.compile({GrammarSpec::Kind::kRegex, "ok"}, think_end_).value();
  std::vector<float> logits(kVocab, 0.0F);
  constraint->mask(logits);
  for (std::size_t id = 0; id < logits.size(); ++id)
    ASSERT_EQ(std::isfinite(logits[id]), id != static_cast<std::size_t>(end_)) << id;  // no text ends in its thought
  logits.assign(kVocab, 0.0F);
  ASSERT_TRUE(constraint->accept(end_ - 1).has_value());
  ASSERT_TRUE(constraint->accept(think_end_).has_value());
  for (const auto id : tokenizer_.encode("\n\nok", false)) {
    constraint->mask(logits);
    ASSERT_TRUE(std::isfinite(logits[static_cast<std::size_t>(id)]));
    ASSERT_TRUE(constraint->accept(id).has_value());
    logits.assign(kVocab, 0.0F);
  }
  constraint->mask(logits);
  EXPECT_TRUE(std::isfinite(logits[static_cast<std::size_t>(end_)]));
  EXPECT_FALSE(std::isfinite(logits[5]));
  EXPECT_FALSE(constraint->accept(5).has_value());
}

TEST_F(GrammarTest, RefusesWhatItCannotHoldTo) {
  EXPECT_THAT(refusal(R"({"type": "object", "properties": {"a": {"not": {}}}})"), HasSubstr("/properties/a: \"not\""));
  EXPECT_THAT(refusal(R"({"allOf": [{"type": "object"}, {"required": ["a"]}]})"), HasSubstr("allOf"));
  EXPECT_THAT(refusal(R"({"type": "array", "uniqueItems": true})"), HasSubstr("uniqueItems"));
  EXPECT_THAT(refusal(R"({"type": "string", "pattern": "a", "maxLength": 3})"), HasSubstr("pattern"));
  EXPECT_THAT(refusal(R"({"type": "string", "maxLength": -1})"), HasSubstr("maxLength"));
  EXPECT_THAT(refusal("[]"), HasSubstr("must be an object"));
  EXPECT_THAT(refusal("{"), HasSubstr("JSON schema"));
  EXPECT_THAT(refusal(R"({"$ref": "#/$defs/missing"})"), HasSubstr("leads to nothing"));
  EXPECT_THAT(refusal(R"({"$defs": {"a": {"$ref": "#/$defs/b"}, "b": {"$ref": "#/$defs/a"}}, "$ref": "#/$defs/a"})"),
              HasSubstr("circle"));
  EXPECT_THAT(refusal(R"({"$ref": "http://example.com/a.json"})"), HasSubstr("a place in this schema"));
  EXPECT_THAT(refusal(R"({"$defs": {"a": {"type": "integer"}}, "$ref": "#/$defs/a", "minimum": 3})"),
              HasSubstr("beside \"$ref\""));
  EXPECT_THAT(refusal(R"({"minimum": 3, "minLength": 3})"), HasSubstr("\"type\""));
  EXPECT_THAT(refusal(R"({"type": "string", "const": 3})"), HasSubstr("\"const\""));
  EXPECT_THAT(refusal(R"({"enum": ["a"], "minLength": 3})"), HasSubstr("\"minLength\" beside \"enum\""));
  EXPECT_THAT(refusal(R"({"type": "object", "required": ["a"], "additionalProperties": false})"), HasSubstr("\"a\""));
  EXPECT_THAT(refusal(R"({"anyOf": [{"type": "string"}], "oneOf": [{"type": "string"}]})"), HasSubstr("\"oneOf\""));
  EXPECT_THAT(refusal(R"({"anyOf": [{"type": "string"}, {"type": "null"}], "type": "string"})"), HasSubstr("\"type\""));
  EXPECT_THAT(refusal(R"({"$defs": {"a": {"type": "integer"}}, "anyOf": [{"$ref": "#/$defs/a"}], "minimum": 3})"),
              HasSubstr("\"minimum\""));
  EXPECT_THAT(refusal(R"({"type": "object", "properties": {"a": {}}, "additionalProperties": false,
      "anyOf": [{"properties": {"b": {}}}]})"),
              HasSubstr("additionalProperties"));
  EXPECT_THAT(refusal(R"({"type": "integer", "allOf": [{"anyOf": [{"minimum": 3}]}]})"), HasSubstr("allOf"));
  for (const auto kind : {GrammarSpec::Kind::kRegex, GrammarSpec::Kind::kEbnf, GrammarSpec::Kind::kStructuralTag})
    EXPECT_FALSE(compiler_.compile({kind, "(((("}, -1).has_value());
}

}  // namespace
}  // namespace tetrad
