// Heads as text: a request's target taken apart, a response's head put together. Used by connection.cpp.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "api/exchange.h"

namespace tetrad {

struct Target {
  std::string path, query;  // path percent-decoded
};
// "/a%20b?c", "http://host/a" or "*". Nothing when it is malformed.
std::optional<Target> read_target(std::string_view target);

struct Framing {
  bool keep_alive = true;
  bool chunked = false;               // else, without a length, the end of the connection is the end of the body
  std::optional<std::size_t> length;  // Content-Length
};
// The status line and all headers. Line ends within a header's value become spaces.
std::string head_text(const HttpHead& head, const Framing& framing);

std::string chunk_text(std::string_view body);  // empty for an empty body, which would be the end
inline constexpr std::string_view kLastChunk = "0\r\n\r\n";

}  // namespace tetrad
