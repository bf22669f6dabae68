#include "api/fields.h"

#include <fmt/format.h>

#include <cmath>
#include <nlohmann/json.hpp>

namespace tetrad {

const Json* Fields::find(const char* key) const {
  const auto found = object_.find(key);
  return found == object_.end() || found->is_null() ? nullptr : &*found;
}

ApiResult<std::optional<double>> Fields::number(const char* key, double low, double high, Bound bound) const {
  const Json* value = find(key);
  if (value == nullptr) return std::nullopt;
  if (!value->is_number()) return bad_field(name(key), "must be a number");
  const double number = value->get<double>();
  if (!std::isfinite(number) || number < low || number > high || (bound == kAboveLow && number == low))
    return bad_field(name(key), bound == kAboveLow ? fmt::format("must be above {} and at most {}", low, high)
                                                   : fmt::format("must be from {} to {}", low, high));
  return number;
}

ApiResult<std::optional<std::int64_t>> Fields::integer(const char* key, std::int64_t low, std::int64_t high) const {
  const Json* value = find(key);
  if (value == nullptr) return std::nullopt;
  const bool whole = value->is_number_float() && value->get<double>() == std::floor(value->get<double>()) &&
                     std::abs(value->get<double>()) < 9e15;
  if (!value->is_number_integer() && !whole) return bad_field(name(key), "must be an integer");
  const bool fits = !value->is_number_unsigned() ||
                    value->get<std::uint64_t>() <= static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max());
  const std::int64_t number = !fits   ? std::numeric_limits<std::int64_t>::max()
                              : whole ? static_cast<std::int64_t>(value->get<double>())
                                      : value->get<std::int64_t>();
  if (!fits || number < low || number > high) {
    if (fits && high == std::numeric_limits<std::int64_t>::max())
      return bad_field(name(key), fmt::format("must be at least {}", low));
    return bad_field(name(key), fmt::format("must be from {} to {}", low, high));
  }
  return number;
}

ApiResult<bool> Fields::boolean(const char* key, bool otherwise) const {
  const Json* value = find(key);
  if (value == nullptr) return otherwise;
  if (!value->is_boolean()) return bad_field(name(key), "must be true or false");
  return value->get<bool>();
}

ApiResult<std::optional<std::string>> Fields::text(const char* key) const {
  const Json* value = find(key);
  if (value == nullptr) return std::nullopt;
  if (!value->is_string()) return bad_field(name(key), "must be a text");
  return value->get<std::string>();
}

ApiResult<std::vector<std::string>> Fields::texts(const char* key, std::size_t most) const {
  std::vector<std::string> list;
  const Json* value = find(key);
  if (value == nullptr) return list;
  if (value->is_string()) return std::vector{value->get<std::string>()};
  if (!value->is_array()) return bad_field(name(key), "must be a text or a list of texts");
  if (value->size() > most) return bad_field(name(key), fmt::format("has more than {} entries", most));
  for (const Json& item : *value) {
    if (!item.is_string()) return bad_field(name(key), "must be a text or a list of texts");
    list.push_back(item.get<std::string>());
  }
  return list;
}

ApiResult<std::vector<std::int32_t>> Fields::ids(const char* key, std::int64_t vocab) const {
  std::vector<std::int32_t> list;
  const Json* value = find(key);
  if (value == nullptr) return list;
  if (!value->is_array()) return bad_field(name(key), "must be a list of token ids");
  for (const Json& item : *value) {
    if (!item.is_number_integer() || item.get<std::int64_t>() < 0 || item.get<std::int64_t>() >= vocab)
      return bad_field(name(key),
                       fmt::format("holds {}, token ids go from 0 to {}", item.dump().substr(0, 40), vocab - 1));
    list.push_back(item.get<std::int32_t>());
  }
  return list;
}

ApiResult<const Json*> Fields::object(const char* key) const {
  const Json* value = find(key);
  if (value != nullptr && !value->is_object()) return bad_field(name(key), "must be an object");
  return value;
}

ApiResult<const Json*> Fields::array(const char* key) const {
  const Json* value = find(key);
  if (value != nullptr && !value->is_array()) return bad_field(name(key), "must be a list");
  return value;
}

}  // namespace tetrad
