#include "arch/config_reader.h"

#include <fmt/format.h>

#include <cmath>
#include <nlohmann/json.hpp>

namespace tetrad {
namespace {

constexpr std::size_t kMaxList = 1024;

// A value as it stands in the file, short enough for a message.
std::string shown(const Json& value) {
  return printable(value.dump(-1, ' ', false, Json::error_handler_t::replace), 60);
}

}  // namespace

Unexpected ConfigReader::invalid(const std::string& key, const std::string& why) const {
  return invalid_input("invalid configuration", where_ + ": " + key, why);
}

Unexpected ConfigReader::unsupported(const std::string& key, const std::string& why) const {
  return make_error(ErrorCode::kUnsupported, "unsupported model", where_ + ": " + key, why);
}

const Json* ConfigReader::find(const char* key) const {
  const auto found = object_.find(key);
  return found == object_.end() || found->is_null() ? nullptr : &*found;
}

Result<std::int64_t> ConfigReader::integer(const char* key, std::int64_t fallback, std::int64_t low,
                                           std::int64_t high) const {
  const Json* value = find(key);
  if (value == nullptr) return fallback;
  if (!value->is_number_integer()) return invalid(key, fmt::format("{} is not an integer", shown(*value)));
  const bool huge = value->is_number_unsigned() && value->get<std::uint64_t>() > static_cast<std::uint64_t>(high);
  if (huge || value->get<std::int64_t>() < low || value->get<std::int64_t>() > high)
    return invalid(key, fmt::format("{} is not between {} and {}", shown(*value), low, high));
  return value->get<std::int64_t>();
}

Result<double> ConfigReader::number(const char* key, double fallback, double low, double high) const {
  const Json* value = find(key);
  if (value == nullptr) return fallback;
  if (!value->is_number()) return invalid(key, fmt::format("{} is not a number", shown(*value)));
  const auto number = value->get<double>();
  if (!std::isfinite(number) || number < low || number > high)
    return invalid(key, fmt::format("{} is not between {} and {}", shown(*value), low, high));
  return number;
}

Result<bool> ConfigReader::boolean(const char* key, bool fallback) const {
  const Json* value = find(key);
  if (value == nullptr) return fallback;
  if (!value->is_boolean()) return invalid(key, fmt::format("{} is neither true nor false", shown(*value)));
  return value->get<bool>();
}

Result<std::string> ConfigReader::text(const char* key, std::string fallback) const {
  const Json* value = find(key);
  if (value == nullptr) return fallback;
  if (!value->is_string()) return invalid(key, fmt::format("{} is not a string", shown(*value)));
  return value->get<std::string>();
}

Result<ConfigReader> ConfigReader::object(const char* key) const {
  const Json* value = find(key);
  if (value == nullptr || !value->is_object()) return invalid(key, "it is not an object");
  return ConfigReader(*value, where_ + ": " + key);
}

Result<std::vector<std::int64_t>> ConfigReader::integers(const char* key, std::int64_t low, std::int64_t high) const {
  std::vector<std::int64_t> list;
  const Json* value = find(key);
  if (value == nullptr) return list;
  if (!value->is_array()) {
    list.push_back(TETRAD_TRY(integer(key, 0, low, high)));
    return list;
  }
  if (value->size() > kMaxList) return invalid(key, fmt::format("a list of {} values is too long", value->size()));
  for (const Json& element : *value) {
    const bool fits =
        element.is_number_integer() &&
        (!element.is_number_unsigned() || element.get<std::uint64_t>() <= static_cast<std::uint64_t>(high)) &&
        element.get<std::int64_t>() >= low && element.get<std::int64_t>() <= high;
    if (!fits) return invalid(key, fmt::format("{} is not an integer between {} and {}", shown(element), low, high));
    list.push_back(element.get<std::int64_t>());
  }
  return list;
}

}  // namespace tetrad
