// A line on stderr for each HTTP request, between the server and the API. Used by cmd_serve.cpp.
#pragma once

#include "api/exchange.h"

namespace tetrad {

class RequestLog final : public Handler {
 public:
  // `level` 0: method, path, status, bytes and seconds at the end; 1: also the body's first 2 KB when it comes; 2: all
  // of the body. `inner` outlives this.
  RequestLog(Handler& inner, int level) : inner_(inner), level_(level) {}

  std::unique_ptr<Exchange> open(HttpRequest request) override;
  std::pair<HttpHead, std::string> transport_error(int status, const std::string& path,
                                                   const std::string& message) override;
  std::optional<std::pair<HttpHead, std::string>> refuse(const HttpRequest& head) override;

 private:
  Handler& inner_;
  const int level_;
};

}  // namespace tetrad
