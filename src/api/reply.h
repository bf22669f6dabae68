// Answers that are there at once. Used by the routes that generate nothing.
#pragma once

#include <memory>
#include <string>

#include "api/errors.h"
#include "api/exchange.h"
#include "base/json.h"

namespace tetrad {

std::string to_text(const Json& json);  // compact; ill-formed UTF-8 becomes U+FFFD

std::unique_ptr<Exchange> reply(const Json& body, int status = 200);
std::unique_ptr<Exchange> reply_with(HttpHead head, std::string body);
std::unique_ptr<Exchange> reply_error(const ApiError& error, ApiStyle style);

// The same answer with more headers.
std::unique_ptr<Exchange> with_headers(std::unique_ptr<Exchange> exchange,
                                       std::vector<std::pair<std::string, std::string>> headers);
// The head alone, as HEAD wants it.
std::unique_ptr<Exchange> without_body(std::unique_ptr<Exchange> exchange);

}  // namespace tetrad
