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

struct Finish {                                              // what every answer goes through
  std::vector<std::pair<std::string, std::string>> headers;  // more of them
  bool drop_body = false;                                    // the head alone, as HEAD wants it
  std::function<void(int)> on_status;
};
std::unique_ptr<Exchange> finished(std::unique_ptr<Exchange> exchange, Finish finish);

}  // namespace tetrad
