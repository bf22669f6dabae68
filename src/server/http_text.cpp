#include "server/http_text.h"

#include <fmt/format.h>

#include <boost/beast/http/status.hpp>

namespace tetrad {
namespace {

int hex_value(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

std::optional<std::string> percent_decode(std::string_view text) {
  std::string decoded;
  decoded.reserve(text.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      decoded += text[i];
      continue;
    }
    const int high = i + 2 < text.size() ? hex_value(text[i + 1]) : -1, low = high >= 0 ? hex_value(text[i + 2]) : -1;
    if (low < 0) return std::nullopt;
    decoded += static_cast<char>(high * 16 + low);
    i += 2;
  }
  return decoded;
}

std::string one_line(std::string text) {
  for (char& c : text)
    if (c == '\r' || c == '\n' || c == '\0') c = ' ';
  return text;
}

}  // namespace

std::optional<Target> read_target(std::string_view target) {
  if (target == "*") return Target{"*", {}};
  for (const std::string_view scheme : {"http://", "https://"})
    if (target.starts_with(scheme)) {
      target.remove_prefix(scheme.size());
      const std::size_t slash = target.find('/');
      target = slash == std::string_view::npos ? std::string_view("/") : target.substr(slash);
    }
  if (!target.starts_with('/')) return std::nullopt;
  const std::size_t end = target.find_first_of("?#");
  auto path = percent_decode(target.substr(0, end));
  if (!path) return std::nullopt;
  Target out{std::move(*path), {}};
  if (end != std::string_view::npos && target[end] == '?') out.query = target.substr(end + 1);
  return out;
}

std::string head_text(const HttpHead& head, const Framing& framing) {
  const auto reason =
      boost::beast::http::obsolete_reason(boost::beast::http::int_to_status(static_cast<unsigned>(head.status)));
  std::string text = fmt::format("HTTP/1.1 {} {}\r\n", head.status, std::string_view(reason.data(), reason.size()));
  for (const auto& [name, value] : head.headers) text += fmt::format("{}: {}\r\n", name, one_line(value));
  if (framing.length) text += fmt::format("Content-Length: {}\r\n", *framing.length);
  if (framing.chunked) text += "Transfer-Encoding: chunked\r\n";
  text += framing.keep_alive ? "Connection: keep-alive\r\n\r\n" : "Connection: close\r\n\r\n";
  return text;
}

std::string chunk_text(std::string_view body) {
  return body.empty() ? std::string() : fmt::format("{:x}\r\n{}\r\n", body.size(), body);
}

}  // namespace tetrad
