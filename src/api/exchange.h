// One HTTP request and its answer, without sockets: api/ makes exchanges, server/ moves their bytes.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace tetrad {

struct HttpRequest {
  std::string method, path, query;                           // path without the query, percent-decoded
  std::vector<std::pair<std::string, std::string>> headers;  // names in lower case
  std::string body;

  std::string_view header(std::string_view lower_case_name) const;  // "" when absent
};

struct HttpHead {
  int status = 200;
  std::vector<std::pair<std::string, std::string>> headers;  // Content-Type among them
  bool stream = false;                     // the length is not known: chunked; else all of the body comes in one piece
  std::optional<std::size_t> length = {};  // of a body that is left out, as for HEAD
};

// Used by one thread at a time. Destroying it before the end cancels the work (the client is gone).
class Exchange {
 public:
  virtual ~Exchange() = default;

  struct Progress {
    std::optional<HttpHead> head;  // once, before any body
    std::string body;
    bool done = false;
  };
  // `wake` may be called from any thread, even before start() returns, whenever poll() may have something new; never
  // after destruction. It must return at once.
  virtual void start(std::function<void()> wake) = 0;
  // What is there by now, without waiting.
  virtual Progress poll() = 0;
};

// What the server asks for each request it has read whole. Thread-safe.
class Handler {
 public:
  virtual ~Handler() = default;
  virtual std::unique_ptr<Exchange> open(HttpRequest request) = 0;
  // An error the transport found (413, 431, 408, 400 for a malformed head), in the shape the path's API has.
  virtual std::pair<HttpHead, std::string> transport_error(int status, const std::string& path,
                                                           const std::string& message) = 0;
  // Checked as soon as the head is there, before the body is read: an error to answer with at once, or nothing.
  virtual std::optional<std::pair<HttpHead, std::string>> refuse(const HttpRequest& head) = 0;
};

}  // namespace tetrad
