#include "api/access.h"

#include <algorithm>
#include <cctype>

namespace tetrad {
namespace {

// Looks at every byte of `given`, whatever the first difference.
bool same(std::string_view given, std::string_view key) {
  if (key.empty()) return false;
  std::size_t difference = given.size() ^ key.size();
  for (std::size_t i = 0; i < given.size(); ++i)
    difference |= static_cast<std::size_t>(static_cast<unsigned char>(given[i]) ^
                                           static_cast<unsigned char>(key[i % key.size()]));
  return difference == 0;
}

std::string lower(std::string_view text) {
  std::string result(text);
  for (char& c : result) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return result;
}

std::string_view bearer(std::string_view value) {
  constexpr std::string_view kScheme = "bearer ";
  if (lower(value.substr(0, kScheme.size())) != kScheme) return {};
  value.remove_prefix(kScheme.size());
  while (value.starts_with(' ')) value.remove_prefix(1);
  return value;
}

bool is_open(const HttpRequest& request, const ApiOptions& options) {
  if (request.method == "OPTIONS" || request.path == "/health" || request.path == "/v1/health") return true;
  if (request.path == "/") return request.method == "GET" || request.method == "HEAD";
  return request.path == "/metrics" && options.metrics_open;
}

}  // namespace

bool has_key(const HttpRequest& request, const std::vector<std::string>& keys) {
  const std::string_view token = bearer(request.header("authorization"));
  const std::string_view header = request.header("x-api-key");
  bool found = false;
  for (const std::string& key : keys) {
    const bool by_token = same(token, key), by_header = same(header, key);
    found = found | by_token | by_header;
  }
  return found;
}

ApiStatus check_key(const HttpRequest& request, const ApiOptions& options) {
  if (options.api_keys.empty() || is_open(request, options) || has_key(request, options.api_keys)) return {};
  const bool given = !request.header("authorization").empty() || !request.header("x-api-key").empty();
  return tl::unexpected(ApiError{
      401,
      given ? "the API key is wrong" : "an API key is needed: send 'Authorization: Bearer KEY' or 'x-api-key: KEY'",
      {},
      given ? "invalid_api_key" : "missing_api_key",
      {{"WWW-Authenticate", "Bearer"}}});
}

ApiStatus check_content_type(const HttpRequest& request) {
  const std::string type = lower(request.header("content-type"));
  for (const char* form : {"multipart/form-data", "application/x-www-form-urlencoded"})
    if (type.starts_with(form))
      return tl::unexpected(
          ApiError{415, "the body is form data: send JSON with 'Content-Type: application/json'", {}, {}, {}});
  return {};
}

std::vector<std::pair<std::string, std::string>> cors_headers(const ApiOptions& options) {
  if (options.cors_origin.empty()) return {};
  return {{"Access-Control-Allow-Origin", options.cors_origin},
          {"Access-Control-Allow-Methods", "GET, POST, OPTIONS"},
          {"Access-Control-Allow-Headers", "*, Authorization, Content-Type, x-api-key, anthropic-version"},
          {"Access-Control-Max-Age", "86400"},
          {"Vary", "Origin"}};
}

}  // namespace tetrad
