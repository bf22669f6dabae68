// Typed, range-checked fields of a request body. Errors name the field. Unknown fields are nobody's business.
#pragma once

#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <vector>

#include "api/errors.h"
#include "base/json.h"

// The value of an ApiResult, or return its error from the enclosing function.
#define TETRAD_API_TRY(...)                                                            \
  __extension__({                                                                      \
    auto&& tetrad_api_result = (__VA_ARGS__);                                          \
    if (!tetrad_api_result.has_value()) [[unlikely]]                                   \
      return tl::unexpected<::tetrad::ApiError>(std::move(tetrad_api_result).error()); \
    ::tetrad::detail::take_api(std::move(tetrad_api_result));                          \
  })

namespace tetrad::detail {
template <class T>
T take_api(ApiResult<T>&& result) {
  if constexpr (!std::is_void_v<T>) return std::move(*result);
}
}  // namespace tetrad::detail

namespace tetrad {

// Reads fields of one object; `prefix` ("messages[2].") begins the names in errors. A missing field and null are the
// same.
class Fields {
 public:
  explicit Fields(const Json& object, std::string prefix = {}) : object_(object), prefix_(std::move(prefix)) {}

  const Json* find(const char* key) const;  // nullptr: missing or null
  std::string name(const char* key) const { return prefix_ + key; }

  enum Bound : bool { kFromLow, kAboveLow };  // whether `low` itself will do
  ApiResult<std::optional<double>> number(const char* key, double low, double high, Bound bound = kFromLow) const;
  ApiResult<std::optional<std::int64_t>> integer(const char* key, std::int64_t low = 0,
                                                 std::int64_t high = std::numeric_limits<std::int64_t>::max()) const;
  ApiResult<bool> boolean(const char* key, bool otherwise) const;
  ApiResult<std::optional<std::string>> text(const char* key) const;
  ApiResult<std::vector<std::string>> texts(const char* key, std::size_t most) const;  // a text or a list of texts
  ApiResult<std::vector<std::int32_t>> ids(const char* key, std::int64_t vocab) const;
  ApiResult<const Json*> object(const char* key) const;  // nullptr when missing
  ApiResult<const Json*> array(const char* key) const;

 private:
  const Json& object_;
  std::string prefix_;
};

}  // namespace tetrad
