// What goes wrong with a request, in the shape the client's API has for it.
#pragma once

#include <cstdint>
#include <string>
#include <tl/expected.hpp>
#include <utility>
#include <vector>

#include "api/exchange.h"
#include "base/error.h"

namespace tetrad {

enum class ApiStyle : std::uint8_t { kOpenAi, kAnthropic };

struct ApiError {
  int status = 400;
  std::string message;
  std::string param;                                              // the field, "messages[2].content"; empty: none
  std::string code;                                               // OpenAI's, "model_not_found"; empty: null
  std::vector<std::pair<std::string, std::string>> headers = {};  // of the answer, "Allow"
};

template <class T>
using ApiResult = tl::expected<T, ApiError>;
using ApiStatus = ApiResult<void>;

tl::unexpected<ApiError> bad_field(const std::string& param, const std::string& message);
// An engine's or a library's error: kInvalidInput and kUsage 400, kUnsupported 400, kOutOfMemory 503, others 500.
ApiError from_error(const Error& error, const std::string& param = {});

// {"error": {"message", "type", "param", "code"}} or {"type": "error", "error": {"type", "message"}}.
std::string error_body(const ApiError& error, ApiStyle style);
std::pair<HttpHead, std::string> error_answer(const ApiError& error, ApiStyle style);
ApiStyle style_of(const std::string& path);  // /v1/messages... is Anthropic's

HttpHead json_head(int status = 200);

}  // namespace tetrad
