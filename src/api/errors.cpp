#include "api/errors.h"

#include <nlohmann/json.hpp>

#include "api/reply.h"
#include "base/json.h"

namespace tetrad {
namespace {

const char* openai_type(int status) {
  switch (status) {
    case 401:
      return "authentication_error";
    case 403:
      return "permission_error";
    case 404:
      return "not_found_error";
    case 429:
      return "rate_limit_error";
    case 503:
      return "service_unavailable_error";
    default:
      return status >= 500 ? "server_error" : "invalid_request_error";
  }
}

const char* anthropic_type(int status) {
  switch (status) {
    case 401:
      return "authentication_error";
    case 403:
      return "permission_error";
    case 404:
      return "not_found_error";
    case 408:
      return "request_timeout_error";
    case 413:
      return "request_too_large";
    case 429:
      return "rate_limit_error";
    case 503:
      return "overloaded_error";
    default:
      return status >= 500 ? "api_error" : "invalid_request_error";
  }
}

}  // namespace

tl::unexpected<ApiError> bad_field(const std::string& param, const std::string& message) {
  return tl::unexpected(ApiError{400, param.empty() ? message : param + ": " + message, param, {}, {}});
}

ApiError from_error(const Error& error, const std::string& param) {
  int status = 500;
  if (error.code == ErrorCode::kInvalidInput || error.code == ErrorCode::kUsage ||
      error.code == ErrorCode::kUnsupported)
    status = 400;
  if (error.code == ErrorCode::kOutOfMemory) status = 503;
  return {status, error.message, param, {}, {}};
}

std::string error_body(const ApiError& error, ApiStyle style) {
  if (style == ApiStyle::kAnthropic)
    return to_text(
        {{"type", "error"}, {"error", {{"type", anthropic_type(error.status)}, {"message", error.message}}}});
  const Json param = error.param.empty() ? Json() : Json(error.param);
  const Json code = error.code.empty() ? Json() : Json(error.code);
  return to_text(
      {{"error", {{"message", error.message}, {"type", openai_type(error.status)}, {"param", param}, {"code", code}}}});
}

std::pair<HttpHead, std::string> error_answer(const ApiError& error, ApiStyle style) {
  HttpHead head = json_head(error.status);
  if (error.status == 503 || error.status == 429) head.headers.emplace_back("Retry-After", "1");
  head.headers.insert(head.headers.end(), error.headers.begin(), error.headers.end());
  return {head, error_body(error, style)};
}

ApiStyle style_of(const std::string& path) {
  return path == "/v1/messages" || path.starts_with("/v1/messages/") ? ApiStyle::kAnthropic : ApiStyle::kOpenAi;
}

HttpHead json_head(int status) { return {status, {{"Content-Type", "application/json"}}, false}; }

}  // namespace tetrad
