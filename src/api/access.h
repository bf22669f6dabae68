// Who may ask, and what of HTTP is refused before a body is read. Used by service.cpp.
#pragma once

#include "api/context.h"

namespace tetrad {

// Whether the request carries one of the keys (Authorization: Bearer or x-api-key). The time it takes tells nothing
// about the keys but their number.
bool has_key(const HttpRequest& request, const std::vector<std::string>& keys);

// 401 without a key where one is wanted: everywhere but OPTIONS, /health, the page and, if so set, /metrics.
ApiStatus check_key(const HttpRequest& request, const ApiOptions& options);
// 415 for form data.
ApiStatus check_content_type(const HttpRequest& request);

std::vector<std::pair<std::string, std::string>> cors_headers(const ApiOptions& options);

}  // namespace tetrad
