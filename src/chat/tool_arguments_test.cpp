#include "chat/tool_arguments.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace tetrad {
namespace {

// `text` under one property's schema. Definitions for $ref stand beside.
std::string typed(const std::string& schema, const std::string& text) {
  const Json parameters = parse_json(R"({"type": "object", "properties": {"p": )" + schema + R"(},
    "$defs": {"count": {"type": "integer"}, "maybe": {"anyOf": [{"$ref": "#/$defs/count"}, {"type": "null"}]},
              "loop": {"anyOf": [{"$ref": "#/$defs/loop"}, {"$ref": "#/$defs/loop"}, {"type": "boolean"}]},
              "a/b~c": {"type": "boolean"}, "list": [{"type": "null"}, {"type": "integer"}]}})",
                                     "test")
                              .value();
  return typed_json(text, parameter_types(parameters, "p"));
}
std::string of_type(const std::string& type, const std::string& text) {
  return typed(R"({"type": )" + type + "}", text);
}

TEST(TypedJson, Strings) {
  for (const char* text : {"null", "none", "nil", "NULL", "None", "5", "true", "{}", "[1]", "1e999", " x\n"}) {
    const std::string quoted = Json(text).dump();
    EXPECT_EQ(of_type(R"("string")", text), quoted);
    EXPECT_EQ(typed("{}", text), quoted);  // no type: a string
    EXPECT_EQ(typed("true", text), quoted);
    EXPECT_EQ(typed(R"({"description": "d"})", text), quoted);
    EXPECT_EQ(typed(R"({"enum": ["none", "null", "5"]})", text), quoted);
    EXPECT_EQ(typed(R"({"const": "x"})", text), quoted);
  }
}

TEST(TypedJson, NullOnlyWhereTheSchemaAllowsIt) {
  for (const char* schema :
       {R"({"type": ["integer", "null"]})", R"({"anyOf": [{"type": "integer"}, {"type": "null"}]})",
        R"({"oneOf": [{"type": "null"}, {"type": "integer"}]})", R"({"enum": [1, 2, null]})",
        R"({"type": "integer", "nullable": true})", R"({"$ref": "#/$defs/maybe"})",
        R"({"allOf": [{"type": ["integer", "null", "object"]}, {"type": ["number", "null"]}]})"}) {
    EXPECT_EQ(typed(schema, "null"), "null") << schema;
    EXPECT_EQ(typed(schema, "Null"), "null") << schema;
    EXPECT_EQ(typed(schema, "2"), "2") << schema;  // a real value stays
    EXPECT_EQ(typed(schema, "none"), "\"none\"") << schema;
    EXPECT_EQ(typed(schema, "nil"), "\"nil\"") << schema;
  }
  EXPECT_EQ(of_type(R"("integer")", "null"), "\"null\"");
  EXPECT_EQ(of_type(R"("object")", "null"), "\"null\"");
  EXPECT_EQ(of_type(R"("null")", "x"), "\"x\"");
  EXPECT_EQ(of_type(R"(["string", "null"])", "null"), "null");
  EXPECT_EQ(of_type(R"(["string", "null"])", "NULL"), "\"NULL\"");
  EXPECT_EQ(of_type(R"(["string", "null"])", "text"), "\"text\"");
  EXPECT_EQ(typed(R"({"nullable": true})", "null"), "null");
  EXPECT_EQ(typed(R"({"enum": ["a", null]})", "a"), "\"a\"");
}

TEST(TypedJson, Integers) {
  const auto integer = [](const char* text) { return of_type(R"("integer")", text); };
  for (const char* exact : {"0", "-1", "9007199254740993", "123456789012345678901234567890", "-18446744073709551617"})
    EXPECT_EQ(integer(exact), exact);
  EXPECT_EQ(integer("+5"), "5");
  EXPECT_EQ(integer(" 5\n"), "5");
  EXPECT_EQ(integer("007"), "7");
  EXPECT_EQ(integer("3.0"), "3");
  EXPECT_EQ(integer("-2.50e1"), "-25");
  EXPECT_EQ(integer("1e22"), "10000000000000000000000");
  EXPECT_EQ(integer("0.000e5"), "0");
  for (const char* text : {"3.5", "1e-1", "inf", "-inf", "Infinity", "nan", "1e999", "1e99999999999999999999", "", "-",
                           ".", "5 apples", "0x10", "1_000", "1e", "٣"})
    EXPECT_EQ(integer(text), Json(text).dump());
  const std::string long_number(308, '7'), too_long(400, '7');
  EXPECT_EQ(integer(long_number.c_str()), long_number);
  EXPECT_EQ(integer(too_long.c_str()), "\"" + too_long + "\"");
}

TEST(TypedJson, Numbers) {
  const auto number = [](const char* text) { return of_type(R"("number")", text); };
  for (const char* exact : {"0", "-0.0", "1.10", "1E5", "-1.5e+3", "9007199254740993",
                            "0.1000000000000000055511151231257827", "1e-999", "1.7976931348623157e308"})
    EXPECT_EQ(number(exact), exact);
  EXPECT_EQ(number("+1.5"), "1.5");
  EXPECT_EQ(number(".5"), "0.5");
  EXPECT_EQ(number("-5."), "-5");
  EXPECT_EQ(number("01.50E+02"), "1.50e02");
  EXPECT_EQ(number("\n2.5 "), "2.5");
  for (const char* text : {"inf", "-Infinity", "nan", "NaN", "1e999", "-1e999", "1.2.3", "e5", "1,5"})
    EXPECT_EQ(number(text), Json(text).dump());
  EXPECT_EQ(of_type(R"(["integer", "number"])", "3.0"), "3.0");
}

TEST(TypedJson, Booleans) {
  for (const char* text : {"true", "True", "TRUE", " true\n", "1"}) EXPECT_EQ(of_type(R"("boolean")", text), "true");
  for (const char* text : {"false", "False", "FALSE", "0"}) EXPECT_EQ(of_type(R"("boolean")", text), "false");
  for (const char* text : {"yes", "on", "2", "t", ""}) EXPECT_EQ(of_type(R"("boolean")", text), Json(text).dump());
  EXPECT_EQ(of_type(R"(["boolean", "integer"])", "1"), "1");
  EXPECT_EQ(of_type(R"(["boolean", "string"])", "1"), "\"1\"");
  EXPECT_EQ(of_type(R"(["boolean", "string"])", "True"), "true");
}

TEST(TypedJson, ObjectsAndArrays) {
  EXPECT_EQ(of_type(R"("object")", R"({"a":1,"b" : [ true,null ]})"), R"({"a": 1, "b": [true, null]})");
  EXPECT_EQ(of_type(R"("array")", "\n[\n  1.10,\n 12345678901234567890123\n]\n"), "[1.10, 12345678901234567890123]");
  EXPECT_EQ(of_type(R"("array")", "[]"), "[]");
  EXPECT_EQ(of_type(R"("array")", R"(["\u00e9\n , : \" x","é"])"), R"(["é\n , : \" x", "é"])");
  const std::string deep = std::string(200, '[') + std::string(200, ']');
  for (const std::string text : {"[NaN]", "[1e999]", "[Infinity]", "{'a': 1}", "{\"a\": 1", "[1,]", "{\"a\":1,\"a\":2}",
                                 "5", "[\"\\ud800\"]", deep.c_str(), "[1] x", "\xEF\xBB\xBF[1]"}) {
    EXPECT_EQ(of_type(R"(["array", "object"])", text), Json(text).dump());
  }
  EXPECT_EQ(of_type(R"("array")", std::string("[1]\0]", 5)), R"("[1]\u0000]")");
  EXPECT_EQ(of_type(R"("array")", std::string(127, '[') + std::string(127, ']')).front(), '[');
  EXPECT_EQ(of_type(R"("array")", std::string(128, '[') + std::string(128, ']')).front(), '"');
  EXPECT_EQ(of_type(R"("array")", "{}"), R"("{}")");
  EXPECT_EQ(of_type(R"("object")", "[]"), R"("[]")");
  EXPECT_EQ(typed(R"({"properties": {}})", "{}"), "{}");
  EXPECT_EQ(typed(R"({"items": {}})", "[]"), "[]");
}

TEST(TypedJson, UnionsWithStringsKeepWhatIsNotJson) {
  EXPECT_EQ(of_type(R"(["integer", "string"])", "5"), "5");
  for (const char* text : {"007", "+5", " 5", "3.0", "1e3"})
    EXPECT_EQ(of_type(R"(["integer", "string"])", text), Json(text).dump());
  EXPECT_EQ(of_type(R"(["number", "string"])", "1.50"), "1.50");
  EXPECT_EQ(of_type(R"(["number", "string"])", "nan"), "\"nan\"");
  EXPECT_EQ(of_type(R"(["object", "string"])", "{\"a\":1}"), "{\"a\": 1}");
  EXPECT_EQ(of_type(R"(["object", "string"])", "{oops"), "\"{oops\"");
}

TEST(ParameterTypes, References) {
  EXPECT_EQ(typed(R"({"$ref": "#/$defs/count"})", "5"), "5");
  EXPECT_EQ(typed(R"({"allOf": [{"$ref": "#/$defs/count"}], "description": "d"})", "5"), "5");
  EXPECT_EQ(typed(R"({"$ref": "#/$defs/a~1b~0c"})", "true"), "true");
  EXPECT_EQ(typed(R"({"$ref": "#/$defs/list/1"})", "5"), "5");
  EXPECT_EQ(typed(R"({"$ref": "#/$defs/loop"})", "true"), "true");  // ends
  for (const char* nowhere : {"#/$defs/none", "#/$defs/list/7", "#/$defs/list/x", "#x", "http://a/b", "",
                              "#/$defs/list/", "#/$defs/list/99999999999999999999999"})
    EXPECT_EQ(typed(Json{{"$ref", nowhere}}.dump(), "5"), "\"5\"") << nowhere;
}

TEST(ParameterTypes, PropertiesBehindCombinators) {
  const auto types = [](const char* schema, const char* name) {
    return parameter_types(parse_json(schema, "test").value(), name);
  };
  const char* behind = R"({"$defs": {"base": {"properties": {"a": {"type": "integer"}}}}, "$ref": "#/$defs/base",
    "anyOf": [{"properties": {"b": {"type": "boolean"}}}, {"properties": {"b": {"type": "null"}}}]})";
  EXPECT_EQ(types(behind, "a"), kJsonInteger);
  EXPECT_EQ(types(behind, "b"), kJsonBoolean | kJsonNull);
  EXPECT_EQ(types(behind, "c"), 0);
  const char* more = R"({"properties": {"s": {}}, "additionalProperties": {"type": "integer"}})";
  EXPECT_EQ(types(more, "x"), kJsonInteger);
  EXPECT_EQ(types(more, "s"), 0);
  for (const char* odd : {"null", "[]", "5", R"({"properties": []})", R"({"properties": {"x": 5}})", R"({"anyOf": {}})",
                          R"({"properties": {"x": {"type": 5, "enum": 5, "anyOf": 5, "$ref": 5}}})"})
    EXPECT_EQ(types(odd, "x"), 0);
  EXPECT_EQ(types(R"({"properties": {"x": {"type": ["int", "str", "float", "bool", "list", "dict", "odd"]}}})", "x"),
            kJsonInteger | kJsonString | kJsonNumber | kJsonBoolean | kJsonArray | kJsonObject);
  EXPECT_EQ(types(R"({"properties": {"x": {"allOf": [{"type": "integer"}, {"type": "string"}]}}})", "x"), 0);
}

TEST(ArgumentsWriter, WritesKeysAndSeparators) {
  std::string out;
  ArgumentsWriter writer;
  writer.begin(nullptr, out);
  writer.end(out);
  EXPECT_EQ(out, "{}");
  out.clear();
  writer.begin(nullptr, out);
  for (const char* name : {"a\"\n", "b", "b", "c"}) {
    writer.begin_parameter(name, out);
    writer.value("v", out);
    writer.value("\x1f", out);
    writer.end_parameter(out);
  }
  writer.end(out);
  EXPECT_EQ(out, R"({"a\"\n": "v\u001f", "b": "v\u001f", "c": "v\u001f"})");
}

}  // namespace
}  // namespace tetrad
