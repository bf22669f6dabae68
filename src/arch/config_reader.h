// Typed, range-checked access to the keys of a JSON object from outside, for config.json. Every error names file, key
// and value. Private to arch/. Not thread-safe to share with writers of the JSON; holds references to it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/json.h"

namespace tetrad {

class ConfigReader {
 public:
  ConfigReader(const Json& object, std::string where) : object_(object), where_(std::move(where)) {}

  // nullptr when the key is absent or null.
  const Json* find(const char* key) const;
  Result<std::int64_t> integer(const char* key, std::int64_t fallback, std::int64_t low, std::int64_t high) const;
  Result<double> number(const char* key, double fallback, double low,
                        double high) const;  // finite, low <= value <= high
  Result<bool> boolean(const char* key, bool fallback) const;
  Result<std::string> text(const char* key, std::string fallback) const;
  Result<ConfigReader> object(const char* key) const;  // an error when it is not an object; find() first
  Result<std::vector<std::int64_t>> integers(const char* key, std::int64_t low,
                                             std::int64_t high) const;  // an integer or a list of them; absent: {}

  const std::string& where() const { return where_; }
  Unexpected invalid(const std::string& key, const std::string& why) const;
  Unexpected unsupported(const std::string& key, const std::string& why) const;

 private:
  const Json& object_;
  std::string where_;
};

}  // namespace tetrad
