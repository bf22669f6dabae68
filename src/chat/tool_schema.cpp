#include "chat/tool_schema.h"

#include <array>
#include <nlohmann/json.hpp>
#include <utility>

namespace tetrad {
namespace {

constexpr int kMaxSchemaDepth = 16, kMaxSchemas = 1000;

JsonTypes type_named(const std::string& name) {
  // Besides JSON schema's own names those of Python, which hand-written tools often have.
  static constexpr std::array<std::pair<std::string_view, JsonTypes>, 14> kNames = {{{"null", kJsonNull},
                                                                                     {"boolean", kJsonBoolean},
                                                                                     {"bool", kJsonBoolean},
                                                                                     {"integer", kJsonInteger},
                                                                                     {"int", kJsonInteger},
                                                                                     {"number", kJsonNumber},
                                                                                     {"float", kJsonNumber},
                                                                                     {"string", kJsonString},
                                                                                     {"str", kJsonString},
                                                                                     {"array", kJsonArray},
                                                                                     {"list", kJsonArray},
                                                                                     {"object", kJsonObject},
                                                                                     {"dict", kJsonObject},
                                                                                     {"None", kJsonNull}}};
  for (const auto& [known, type] : kNames)
    if (name == known) return type;
  return 0;
}

JsonTypes type_of_value(const Json& value) {
  switch (value.type()) {
    case Json::value_t::null:
      return kJsonNull;
    case Json::value_t::boolean:
      return kJsonBoolean;
    case Json::value_t::number_integer:
    case Json::value_t::number_unsigned:
      return kJsonInteger;
    case Json::value_t::number_float:
      return kJsonNumber;
    case Json::value_t::string:
      return kJsonString;
    case Json::value_t::array:
      return kJsonArray;
    case Json::value_t::object:
      return kJsonObject;
    default:
      return 0;
  }
}

JsonTypes intersection(JsonTypes a, JsonTypes b) {
  if (a == 0 || b == 0) return a | b;  // one says nothing
  // An integer is a number.
  const JsonTypes wide_a = (a & kJsonNumber) != 0 ? a | kJsonInteger : a;
  const JsonTypes wide_b = (b & kJsonNumber) != 0 ? b | kJsonInteger : b;
  const JsonTypes common = wide_a & wide_b;
  return (common & kJsonNumber) != 0 ? common & static_cast<JsonTypes>(~kJsonInteger) : common;
}

class Reader {
 public:
  explicit Reader(const Json& root) : root_(root) {}

  // The types of property `name` of the object schema `schema`.
  JsonTypes property(const Json& schema, const std::string& name, int depth) {
    if (!enter(schema, depth)) return 0;
    JsonTypes types = 0;
    if (const Json* properties = member(schema, "properties"); properties != nullptr)
      if (const Json* found = member(*properties, name); found != nullptr) types |= value(*found, 0);
    if (const Json* target = reference(schema); target != nullptr) types |= property(*target, name, depth + 1);
    for (const char* key : {"allOf", "anyOf", "oneOf"})
      if (const Json* branches = member(schema, key); branches != nullptr && branches->is_array())
        for (const Json& branch : *branches) types |= property(branch, name, depth + 1);
    return types;
  }

  // The types that the schema `schema` allows.
  JsonTypes value(const Json& schema, int depth) {
    if (!enter(schema, depth)) return 0;
    JsonTypes types = own(schema);
    if (const Json* target = reference(schema); target != nullptr) types |= value(*target, depth + 1);
    for (const char* key : {"anyOf", "oneOf"})
      if (const Json* branches = member(schema, key); branches != nullptr && branches->is_array())
        for (const Json& branch : *branches) types |= value(branch, depth + 1);
    if (const Json* branches = member(schema, "allOf"); branches != nullptr && branches->is_array())
      for (const Json& branch : *branches) types = intersection(types, value(branch, depth + 1));
    if (types == 0 && (schema.contains("properties") || schema.contains("additionalProperties"))) types = kJsonObject;
    if (types == 0 && (schema.contains("items") || schema.contains("prefixItems"))) types = kJsonArray;
    if (const Json* nullable = member(schema, "nullable"); nullable != nullptr && *nullable == true)  // OpenAPI 3.0
      types |= types == 0 ? kJsonNull | kJsonString : kJsonNull;
    return types;
  }

 private:
  static const Json* member(const Json& object, const std::string& key) {
    if (!object.is_object()) return nullptr;
    const auto found = object.find(key);
    return found == object.end() ? nullptr : &*found;
  }

  bool enter(const Json& schema, int depth) {
    return schema.is_object() && depth <= kMaxSchemaDepth && ++schemas_ <= kMaxSchemas;
  }

  // From "type", "enum" and "const" alone.
  static JsonTypes own(const Json& schema) {
    JsonTypes types = 0;
    if (const Json* type = member(schema, "type"); type != nullptr) {
      if (type->is_string()) types |= type_named(type->get_ref<const std::string&>());
      if (type->is_array())
        for (const Json& name : *type)
          if (name.is_string()) types |= type_named(name.get_ref<const std::string&>());
    }
    if (const Json* values = member(schema, "enum"); values != nullptr && values->is_array())
      for (const Json& entry : *values) types |= type_of_value(entry);
    if (const Json* only = member(schema, "const"); only != nullptr) types |= type_of_value(*only);
    return types;
  }

  // "#/a/b": a JSON pointer (RFC 6901) into the function's schema; null for anything else or when it leads nowhere.
  const Json* reference(const Json& schema) const {
    const Json* ref = member(schema, "$ref");
    if (ref == nullptr || !ref->is_string()) return nullptr;
    std::string_view path = ref->get_ref<const std::string&>();
    if (!path.starts_with('#')) return nullptr;
    path.remove_prefix(1);
    const Json* at = &root_;
    while (!path.empty() && at != nullptr) {
      if (path[0] != '/') return nullptr;
      const std::size_t end = std::min(path.find('/', 1), path.size());
      at = child(*at, unescaped(path.substr(1, end - 1)));
      path.remove_prefix(end);
    }
    return at;
  }

  static const Json* child(const Json& parent, const std::string& token) {
    if (!parent.is_array()) return member(parent, token);
    std::size_t index = 0;
    for (const char c : token) {
      if (c < '0' || c > '9' || index > parent.size()) return nullptr;
      index = index * 10 + static_cast<std::size_t>(c - '0');
    }
    return index < parent.size() && !token.empty() ? &parent[index] : nullptr;
  }

  static std::string unescaped(std::string_view token) {
    std::string text;
    for (std::size_t i = 0; i < token.size(); ++i) {
      const bool escape = token[i] == '~' && i + 1 < token.size() && (token[i + 1] == '0' || token[i + 1] == '1');
      text += !escape ? token[i] : token[++i] == '0' ? '~' : '/';
    }
    return text;
  }

  const Json& root_;
  int schemas_ = 0;
};

}  // namespace

JsonTypes parameter_types(const Json& parameters, std::string_view name) {
  Reader reader(parameters);
  const std::string key(name);
  if (const JsonTypes types = reader.property(parameters, key, 0); types != 0) return types;
  const auto rest = parameters.is_object() ? parameters.find("additionalProperties") : parameters.end();
  const auto properties = parameters.is_object() ? parameters.find("properties") : parameters.end();
  const bool named = properties != parameters.end() && properties->is_object() && properties->contains(key);
  return named || rest == parameters.end() ? JsonTypes{0} : reader.value(*rest, 0);
}

}  // namespace tetrad
