// HTTP/1.1 over sockets: connections, limits, timeouts. What a request means is api/'s business, which hands in a
// Handler. Used by `tetrad serve`. Boost.Beast (RFC 9112 parsing) and Asio work behind this header.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "api/exchange.h"
#include "base/error.h"

namespace tetrad {

struct ServerOptions {
  std::string host = "127.0.0.1";  // an address or a name
  std::uint16_t port = 30000;      // 0: any free one
  std::size_t max_header_bytes = std::size_t{64} << 10;
  std::size_t max_body_bytes = std::size_t{32} << 20;
  std::size_t max_bodies_bytes = std::size_t{512} << 20;  // of all requests being read; beyond it: 503
  std::size_t max_connections = 4096;                     // more are closed at once
  std::chrono::milliseconds header_timeout{20'000};       // from a request's first byte to the end of its head
  std::chrono::milliseconds body_timeout{120'000};
  std::chrono::milliseconds idle_timeout{75'000};         // between requests
  std::chrono::milliseconds write_timeout{60'000};        // a client that reads nothing for so long is gone
  std::chrono::milliseconds keep_alive_interval{15'000};  // a silent event stream gets a comment
  std::size_t threads = 2;                                // that move bytes; opening requests has 4 of its own
};

// Thread-safe. A client that goes away ends its exchange at once.
class HttpServer {
 public:
  // Binds, listens and starts; `handler` outlives the server. Fails when the address is taken or unknown.
  static Result<std::unique_ptr<HttpServer>> create(const ServerOptions& options, Handler& handler);
  ~HttpServer();  // closes everything; exchanges are cancelled

  std::uint16_t port() const;
  std::size_t busy() const;  // requests that were read and whose answer is not yet sent

 private:
  struct Impl;
  explicit HttpServer(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace tetrad
