#include "grammar/json_schema.h"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <string_view>

#include "grammar/schema_pattern.h"
#include "grammar/schema_shape.h"

namespace tetrad {
namespace {

constexpr int kMaxDepth = 64;
constexpr std::int64_t kMaxLength = 100'000;
constexpr std::uint64_t kMaxItems = 10'000;
constexpr double kMaxRepetitions = 1e5;

constexpr std::size_t kMaxCopies = std::size_t{1} << 20;  // bytes written into alternatives

// Remarks: no value is wrong by them. The last two lines are OpenAPI's and what editors add.
constexpr std::array<std::string_view, 24> kAnnotations = {"title",
                                                           "description",
                                                           "default",
                                                           "examples",
                                                           "$schema",
                                                           "$id",
                                                           "$comment",
                                                           "deprecated",
                                                           "readOnly",
                                                           "writeOnly",
                                                           "format",
                                                           "$anchor",
                                                           "$vocabulary",
                                                           "contentEncoding",
                                                           "contentMediaType",
                                                           "contentSchema",
                                                           "example",
                                                           "discriminator",
                                                           "externalDocs",
                                                           "xml",
                                                           "enumNames",
                                                           "enumDescriptions",
                                                           "markdownDescription",
                                                           "errorMessage"};
// Held to, as long as their values are of the right type.
constexpr std::array<std::string_view, 16> kSimple = {
    "type",    "enum",   "const",    "required",  "minItems",  "maxItems",         "minimum",          "maximum",
    "pattern", "strict", "nullable", "minLength", "maxLength", "exclusiveMinimum", "exclusiveMaximum", "$ref"};

// What a format asks for as an expression. Dates have 28 days in February: all that it admits is a date. The others
// are xgrammar's own.
constexpr std::string_view kDate =
    "[0-9]{4}-((0[13578]|1[02])-(0[1-9]|[12][0-9]|3[01])|(0[469]|11)-(0[1-9]|[12][0-9]|30)|02-(0[1-9]|1[0-9]|2[0-8]))";
constexpr std::string_view kTime =
    "([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](\\.[0-9]{1,6})?(Z|[+-]([01][0-9]|2[0-3]):[0-5][0-9])";
constexpr std::array<std::string_view, 7> kFormats = {"duration", "ipv4", "ipv6", "hostname", "uuid", "email", "uri"};

template <std::size_t n>
bool is_in(const std::array<std::string_view, n>& list, std::string_view word) {
  return std::find(list.begin(), list.end(), word) != list.end();
}

bool is_remark(std::string_view key) { return is_in(kAnnotations, key) || key.starts_with("x-"); }

// Every object's names are texts.
bool says_nothing(const Json& names) {
  return names == true || names == Json::object() || names == Json{{"type", "string"}};
}

class Preparer {
 public:
  explicit Preparer(const Json& root) : root_(root) {}

  Result<Json> schema(const Json& in, const std::string& place, int depth) {
    if (depth > kMaxDepth) return refuse(place, "nested deeper than 64 levels");
    if (in.is_boolean() && in.get<bool>()) return in;
    if (!in.is_object()) return refuse(place, "a schema must be an object");
    Json asked = Json::object();
    for (const auto& [key, value] : in.items())
      if (!is_remark(key) && !(key == "propertyNames" && says_nothing(value))) asked[key] = value;
    asked = TETRAD_TRY(spread_alternatives(asked, root_, place, copies_));
    Json out = Json::object();
    for (const auto& [key, value] : asked.items()) {
      const std::string where = place + "/" + key;
      if (is_in(kSimple, key))
        out[key] = value;
      else if (key == "properties" || key == "$defs" || key == "definitions")
        out[key] = TETRAD_TRY(map(value, where, depth));
      else if (key == "anyOf" || key == "oneOf" || key == "prefixItems")
        out[key] = TETRAD_TRY(list(value, where, depth));
      else if (key == "items" || key == "additionalProperties")
        out[key] = value.is_boolean() ? value : TETRAD_TRY(schema(value, where, depth + 1));
      else if (key == "allOf")
        TETRAD_TRY(all_of(value, where, depth, out));
      else
        return refuse(place, "\"" + key + "\" is not supported");
    }
    if (out.contains("pattern")) {
      if (!out["pattern"].is_string()) return refuse(place, "\"pattern\" must be a text");
      const auto pattern = out["pattern"].get<std::string>();
      TETRAD_TRY(check_repetitions(pattern, place + "/pattern"));
      out["pattern"] = TETRAD_TRY(prepare_pattern(pattern, place.empty() ? "/" : place));
    }
    if (out.contains("nullable")) {  // OpenAPI's way to say what a list of types says
      if (out["nullable"] == true && out.value("type", Json()).is_string()) out["type"] = {out["type"], "null"};
      out.erase("nullable");
    }
    for (const char* key : {"minItems", "maxItems"})
      if (out.contains(key) && (!out[key].is_number_unsigned() || out[key].get<std::uint64_t>() > kMaxItems))
        return refuse(place, std::string("\"") + key + "\" must be an integer from 0 to 10000");
    TETRAD_TRY(check_reference(out, place));
    TETRAD_TRY(check_alternatives(out, place));
    if (out.contains("oneOf")) {
      TETRAD_TRY(check_one_of(out["oneOf"], root_, place));
      Json list = std::move(out["oneOf"]);
      out.erase("oneOf");
      out["anyOf"] = std::move(list);
    }
    TETRAD_TRY(complete_schema(out, place));
    TETRAD_TRY(limit_length(out, place));
    apply_format(in, out);
    return out;
  }

 private:
  static Unexpected refuse(const std::string& place, const std::string& why) { return refuse_schema(place, why); }

  Result<Json> map(const Json& in, const std::string& place, int depth) {
    if (!in.is_object()) return refuse(place, "must be an object");
    Json out = Json::object();
    for (const auto& [name, value] : in.items()) out[name] = TETRAD_TRY(schema(value, place + "/" + name, depth + 1));
    return out;
  }

  Result<Json> list(const Json& in, const std::string& place, int depth) {
    if (!in.is_array() || in.empty()) return refuse(place, "must be a list of schemas");
    Json out = Json::array();
    for (const Json& value : in)
      out.push_back(TETRAD_TRY(schema(value, place + "/" + std::to_string(out.size()), depth + 1)));
    return out;
  }

  // xgrammar takes what it can't find for "anything", and ignores what stands beside a $ref.
  Status check_reference(const Json& schema, const std::string& place) const {
    if (!schema.contains("$ref")) return {};
    for (const auto& [key, value] : schema.items())
      if (key != "$ref" && key != "$defs" && key != "definitions")
        return refuse(place, "\"" + key + "\" beside \"$ref\" is not supported");
    const Json& target = schema["$ref"];
    if (!target.is_string() || !target.get<std::string>().starts_with('#'))
      return refuse(place, "\"$ref\" must lead to a place in this schema (\"#/$defs/name\")");
    return find(target.get<std::string>().substr(1), place);
  }

  // What came beside alternatives out of an allOf.
  static Status check_alternatives(const Json& schema, const std::string& place) {
    for (const char* list : {"anyOf", "oneOf"})
      for (const auto& [key, value] : schema.items())
        if (schema.contains(list) && key != list && key != "$defs" && key != "definitions")
          return refuse(place, "\"" + key + "\" beside \"" + list + "\" in \"allOf\" is not supported");
    return {};
  }

  Status find(std::string pointer, const std::string& place) const {
    try {
      for (int hops = 0; hops < kMaxDepth; ++hops) {
        const Json& target = root_.at(Json::json_pointer(pointer));
        if (!target.is_object() || !target.contains("$ref") || !target["$ref"].is_string()) return {};
        pointer = target["$ref"].get<std::string>().substr(1);
      }
    } catch (const std::exception&) {  // no such place, no pointer at all
      return refuse(place, "\"$ref\" leads to nothing: #" + pointer);
    }
    return refuse(place, "\"$ref\" leads in a circle");
  }

  // xgrammar ignores allOf. One schema in it, as code generators write around a $ref, is that schema.
  Status all_of(const Json& in, const std::string& place, int depth, Json& out) {
    if (!in.is_array() || in.size() != 1) return refuse(place, "more than one schema in \"allOf\" is not supported");
    const Json only = TETRAD_TRY(schema(in[0], place + "/0", depth + 1));
    for (const auto& [key, value] : only.items()) {
      if (out.contains(key) && out[key] != value) return refuse(place, "contradicts \"" + key + "\" beside it");
      out[key] = value;
    }
    return {};
  }

  // By JSON Schema a format is a remark, unless one chooses to hold to it: here for the known ones of texts that no
  // pattern or length restricts (pydantic sends "uri" with maxLength).
  static void apply_format(const Json& in, Json& out) {
    if (!in.contains("format") || !in["format"].is_string()) return;
    if (out.value("type", Json()) != "string" || out.contains("pattern") || out.contains("enum")) return;
    const std::string format = in["format"].get<std::string>();
    if (is_in(kFormats, format)) out["format"] = format;
    if (format == "date") out["pattern"] = "^" + std::string(kDate) + "$";
    if (format == "time") out["pattern"] = "^" + std::string(kTime) + "$";
    if (format == "date-time") out["pattern"] = "^" + std::string(kDate) + "T" + std::string(kTime) + "$";
  }

  // xgrammar lets raw control characters into strings of limited length. A pattern that knows no escapes does not.
  Status limit_length(Json& schema, const std::string& place) {
    if (!schema.contains("minLength") && !schema.contains("maxLength")) return {};
    if (schema.contains("pattern")) return refuse(place, "\"pattern\" together with a length is not supported");
    std::int64_t bounds[2] = {0, -1};
    for (const int i : {0, 1}) {
      const char* key = i == 0 ? "minLength" : "maxLength";
      if (!schema.contains(key)) continue;
      if (!schema[key].is_number_unsigned() || schema[key].get<std::uint64_t>() > kMaxLength)
        return refuse(place, std::string("\"") + key + "\" must be an integer from 0 to 100000");
      bounds[i] = schema[key].get<std::int64_t>();
      schema.erase(key);
    }
    if (bounds[1] >= 0 && bounds[1] < bounds[0]) return refuse(place, "\"maxLength\" is below \"minLength\"");
    const std::string most = bounds[1] < 0 ? "" : std::to_string(bounds[1]);
    schema["pattern"] = "^[^\"\\\\\\x00-\\x1f]{" + std::to_string(bounds[0]) + "," + most + "}$";
    return {};
  }

  const Json& root_;
  std::size_t copies_ = kMaxCopies;
};

}  // namespace

Status check_repetitions(const std::string& expression, const std::string& where) {
  double product = 1;
  for (std::size_t at = 0; (at = expression.find('{', at)) != std::string::npos; ++at) {
    double largest = 1, number = 0;
    for (std::size_t i = at + 1; i < expression.size(); ++i) {
      const char c = expression[i];
      if (std::string_view("0123456789, ").find(c) == std::string_view::npos) break;
      number = c >= '0' && c <= '9' ? number * 10 + (c - '0') : 0;
      largest = std::max(largest, number);
    }
    product *= largest;
  }
  if (product <= kMaxRepetitions) return {};
  return invalid_input("bad grammar", where, "its repetition counts multiply to more than 100000");
}

Result<Json> prepare_json_schema(const Json& schema) { return Preparer(schema).schema(schema, "", 0); }

}  // namespace tetrad
