#include "grammar/schema_shape.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <nlohmann/json.hpp>
#include <string_view>

namespace tetrad {
namespace {

constexpr int kMaxHops = 64;
constexpr std::size_t kMaxAlternatives = 100;  // each is compared with all others

struct Group {
  const char* type;
  std::array<const char*, 5> keywords;
};
constexpr std::array kGroups = {
    Group{"string", {"minLength", "maxLength", "pattern", nullptr, nullptr}},
    Group{"number", {"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", nullptr}},
    Group{"array", {"items", "prefixItems", "minItems", "maxItems", nullptr}},
    Group{"object", {"properties", "required", "additionalProperties", nullptr, nullptr}},
};

bool has_any(const Json& schema, const Group& group) {
  return std::any_of(group.keywords.begin(), group.keywords.end(),
                     [&](const char* key) { return key != nullptr && schema.contains(key); });
}

bool is_place(std::string_view key) { return key == "$defs" || key == "definitions"; }

std::string quoted(const std::string& key) { return "\"" + key + "\""; }

bool is_of(const Json& value, const std::string& type) {
  if (type == "null") return value.is_null();
  if (type == "boolean") return value.is_boolean();
  if (type == "string") return value.is_string();
  if (type == "array") return value.is_array();
  if (type == "object") return value.is_object();
  if (type == "integer")
    return value.is_number_integer() || (value.is_number() && value.get<double>() == std::floor(value.get<double>()));
  return type == "number" && value.is_number();
}

bool is_of_any(const Json& value, const Json& types) {
  if (types.is_string()) return is_of(value, types.get<std::string>());
  return std::any_of(types.begin(), types.end(),
                     [&](const Json& one) { return one.is_string() && is_of(value, one.get<std::string>()); });
}

bool has_type(const Json& schema, const char* type) {
  const Json types = schema.value("type", Json());
  return types.is_array() ? std::find(types.begin(), types.end(), type) != types.end() : types == type;
}

// The schema that it leads to; an empty one when that is nowhere.
const Json& resolve(const Json& schema, const Json& root) {
  static const Json kNothing = Json::object();
  const Json* at = &schema;
  for (int hops = 0; hops < kMaxHops && at->is_object() && at->contains("$ref"); ++hops) {
    const Json& target = (*at)["$ref"];
    if (!target.is_string() || !target.get_ref<const std::string&>().starts_with('#')) return kNothing;
    try {
      at = &root.at(Json::json_pointer(target.get_ref<const std::string&>().substr(1)));
    } catch (const std::exception&) {  // no such place, no pointer at all
      return kNothing;
    }
  }
  return at->is_object() && !at->contains("$ref") ? *at : kNothing;
}

void add_required(Json& into, const Json& more) {
  if (!into.is_array() || !more.is_array()) return;  // refused later
  for (const Json& name : more)
    if (std::find(into.begin(), into.end(), name) == into.end()) into.push_back(name);
}

Status add_properties(Json& into, const Json& more, const std::string& place) {
  if (!into.is_object() || !more.is_object()) return {};
  for (const auto& [name, value] : more.items()) {
    if (into.contains(name) && into[name] != value) return refuse_schema(place + "/" + name, "is said twice");
    into[name] = value;
  }
  return {};
}

Result<Json> merged(const Json& given, const Json& beside, const Json& root, const std::string& place) {
  Json branch = given.is_boolean() && given.get<bool>() ? Json::object() : given;
  if (!branch.is_object()) return branch;  // refused later
  if (branch.contains("$ref")) {
    const bool known =
        beside.size() == 1 && beside.contains("type") && resolve(branch, root).value("type", Json()) == beside["type"];
    if (known) return branch;
    return refuse_schema(place,
                         quoted(beside.begin().key()) + " beside alternatives that are references is not supported");
  }
  const bool closed = branch.contains("additionalProperties") || beside.contains("additionalProperties");
  if (closed && branch.contains("properties") && beside.contains("properties"))
    return refuse_schema(
        place, "\"additionalProperties\" with properties inside and outside of alternatives is not supported");
  for (const auto& [key, value] : beside.items()) {
    if (!branch.contains(key))
      branch[key] = value;
    else if (key == "required")
      add_required(branch[key], value);
    else if (key == "properties")
      TETRAD_TRY(add_properties(branch[key], value, place + "/properties"));
    else if (branch[key] != value)
      return refuse_schema(place, "contradicts " + quoted(key) + " beside it");
  }
  return branch;
}

Status fit_values(Json& schema, const std::string& place) {
  const char* const key = schema.contains("enum") ? "enum" : "const";
  for (const auto& [name, value] : schema.items())
    if (!is_place(name) && name != "enum" && name != "const" && name != "type" && name != "strict")
      return refuse_schema(place, quoted(name) + " beside " + quoted(key) + " is not supported");
  if (schema.contains("enum") && !schema["enum"].is_array()) return refuse_schema(place, "\"enum\" must be a list");
  Json values = schema.contains("enum") ? schema["enum"] : Json::array({schema["const"]});
  const bool both = schema.contains("enum") && schema.contains("const");
  Json fitting = Json::array();
  for (const Json& value : values)
    if ((!schema.contains("type") || is_of_any(value, schema["type"])) && (!both || value == schema["const"]))
      fitting.push_back(value);
  if (fitting.empty()) return refuse_schema(place, quoted(key) + " holds no value that fits");
  if (schema.contains("enum")) schema["enum"] = std::move(fitting);
  return {};
}

Status list_required(Json& schema, const std::string& place) {
  if (!schema.contains("required")) return {};
  const Json required = schema["required"];  // a copy: new members move the others
  const auto is_text = [](const Json& name) { return name.is_string(); };
  if (!required.is_array() || !std::all_of(required.begin(), required.end(), is_text))
    return refuse_schema(place, "\"required\" must be a list of texts");
  const Json others = schema.value("additionalProperties", Json(true));
  for (const Json& entry : required) {
    const auto& name = entry.get_ref<const std::string&>();
    if (schema.contains("properties") && schema["properties"].contains(name)) continue;
    if (others == false) return refuse_schema(place, "requires " + quoted(name) + ", which is not allowed");
    schema["properties"][name] = others;
  }
  return {};
}

// 2.5 as a bound of integers is 3 or 2.
Status round_bounds(Json& schema, const std::string& place) {
  for (const char* key : {"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"}) {
    if (!schema.contains(key) || schema[key].is_number_integer()) continue;
    if (!schema[key].is_number()) return refuse_schema(place, quoted(key) + " must be a number");
    const double bound = schema[key].get<double>();
    if (std::abs(bound) > 9e15) return refuse_schema(place, quoted(key) + " is too large");
    const bool up = key == std::string_view("minimum") || key == std::string_view("exclusiveMaximum");
    schema[key] = static_cast<std::int64_t>(up ? std::ceil(bound) : std::floor(bound));
  }
  return {};
}

using Types = unsigned;
Types types_of(const Json& schema) {
  constexpr std::array kTypes = {"null", "boolean", "string", "array", "object", "number"};
  const Json values = schema.contains("const") ? Json::array({schema["const"]}) : schema.value("enum", Json());
  Types types = 0;
  for (std::size_t t = 0; t < kTypes.size(); ++t) {
    bool may = !schema.contains("type") || has_type(schema, kTypes[t]);
    if (kTypes[t] == std::string_view("number")) may = may || has_type(schema, "integer");
    if (values.is_array())
      may = may && std::any_of(values.begin(), values.end(), [&](const Json& one) { return is_of(one, kTypes[t]); });
    if (may) types |= 1U << t;
  }
  return types;
}

// Both list their values, and have none in common.
bool values_differ(const Json& a, const Json& b) {
  const auto values = [](const Json& schema) {
    return schema.contains("const") ? Json::array({schema["const"]}) : schema.value("enum", Json());
  };
  const Json first = values(a), second = values(b);
  if (!first.is_array() || !second.is_array()) return false;
  return std::none_of(first.begin(), first.end(),
                      [&](const Json& one) { return std::find(second.begin(), second.end(), one) != second.end(); });
}

bool requires_name(const Json& schema, const std::string& name) {
  const Json required = schema.value("required", Json::array());
  return std::find(required.begin(), required.end(), name) != required.end();
}

bool disjoint(const Json& given_a, const Json& given_b, const Json& root) {
  const Json &a = resolve(given_a, root), &b = resolve(given_b, root);
  if ((types_of(a) & types_of(b)) == 0 || values_differ(a, b)) return true;
  if (!has_type(a, "object") || !a["type"].is_string() || a["type"] != b.value("type", Json())) return false;
  const Json mine = a.value("properties", Json::object()), others = b.value("properties", Json::object());
  for (const auto& [name, value] : mine.items())
    if (others.contains(name) && (requires_name(a, name) || requires_name(b, name)) &&
        values_differ(resolve(value, root), resolve(others[name], root)))
      return true;
  return false;
}

}  // namespace

Unexpected refuse_schema(const std::string& place, const std::string& why) {
  return invalid_input("unsupported JSON schema", place.empty() ? "/" : place, why);
}

Result<Json> spread_alternatives(const Json& schema, const Json& root, const std::string& place, std::size_t& budget) {
  const bool any = schema.contains("anyOf"), one = schema.contains("oneOf");
  if (any && one) return refuse_schema(place, "\"anyOf\" beside \"oneOf\" is not supported");
  if (!any && !one) return schema;
  const char* const key = any ? "anyOf" : "oneOf";
  Json out = Json::object(), beside = Json::object();
  for (const auto& [name, value] : schema.items())
    if (name != "nullable" && name != "strict") (name == key || is_place(name) ? out : beside)[name] = value;
  if (beside.empty() || !out[key].is_array()) return out;
  const std::size_t bytes = beside.dump().size() * out[key].size();
  if (bytes > budget) return refuse_schema(place, "too much beside " + quoted(key));
  budget -= bytes;
  for (std::size_t i = 0; i < out[key].size(); ++i)
    out[key][i] = TETRAD_TRY(merged(out[key][i], beside, root, place + "/" + key + "/" + std::to_string(i)));
  return out;
}

Status complete_schema(Json& schema, const std::string& place) {
  if (schema.contains("$ref") || schema.contains("anyOf") || schema.contains("oneOf")) return {};
  if (schema.contains("enum") || schema.contains("const")) return fit_values(schema, place);
  if (!schema.contains("type")) {
    const Group* found = nullptr;
    for (const Group& group : kGroups) {
      if (!has_any(schema, group)) continue;
      if (found != nullptr) return refuse_schema(place, "needs a \"type\": its keywords speak of several");
      found = &group;
    }
    if (found != nullptr) schema["type"] = found->type;
  }
  if (has_type(schema, "integer")) TETRAD_TRY(round_bounds(schema, place));
  return has_type(schema, "object") ? list_required(schema, place) : Status();
}

Status check_one_of(const Json& list, const Json& root, const std::string& place) {
  if (list.size() > kMaxAlternatives) return refuse_schema(place, "more than 100 schemas in \"oneOf\"");
  for (std::size_t i = 0; i < list.size(); ++i)
    for (std::size_t j = i + 1; j < list.size(); ++j)
      if (!disjoint(list[i], list[j], root))
        return refuse_schema(place,
                             "a value could fit two schemas of \"oneOf\": use \"anyOf\", or a required property "
                             "with a \"const\" of its own in each");
  return {};
}

}  // namespace tetrad
