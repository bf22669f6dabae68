// One client's connection: reads a request, opens its exchange, sends what that gives, and again. Internal to server/.
//
// All its work happens on its strand. While an exchange runs the socket is read too, to notice a client that leaves;
// what it sends early is kept for the next request.
#pragma once

#include <atomic>
#include <boost/asio.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http.hpp>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "server/http_server.h"
#include "server/http_text.h"

namespace tetrad {

// What the connections of a server share.
struct ServerState {
  ServerOptions options;
  Handler& handler;
  std::atomic<std::size_t> busy{0}, bodies_bytes{0}, connections{0};
  boost::asio::thread_pool openers{4};  // taking a large request apart must not hold up others' bytes
};

// Adds to a counter for as long as it lives.
class Share {
 public:
  Share() = default;
  Share(std::atomic<std::size_t>& counter, std::size_t amount) : counter_(&counter), amount_(amount) {
    counter += amount;
  }
  Share(Share&& other) noexcept { *this = std::move(other); }
  Share& operator=(Share&& other) noexcept {
    if (this == &other) return *this;
    reset();
    counter_ = std::exchange(other.counter_, nullptr);
    amount_ = other.amount_;
    return *this;
  }
  ~Share() { reset(); }
  void reset() {
    if (counter_ != nullptr) *std::exchange(counter_, nullptr) -= amount_;
  }

 private:
  std::atomic<std::size_t>* counter_ = nullptr;
  std::size_t amount_ = 0;
};

class Connection : public std::enable_shared_from_this<Connection> {
 public:
  Connection(ServerState& state, boost::asio::ip::tcp::socket socket);
  void start();
  void stop();  // from any thread

 private:
  using Parser = boost::beast::http::request_parser<boost::beast::http::string_body>;
  using ErrorCode = boost::system::error_code;

  // Reading (connection_read.cpp).
  void wait_for_request();
  void read_head();
  void on_head(ErrorCode ec);
  std::optional<std::pair<int, std::string>> take_head();  // into request_; a status and message when it is unfit
  void read_body();
  void on_body(ErrorCode ec);
  void fail_read(ErrorCode ec, const std::string& what);
  void open();

  // Answering (connection_write.cpp).
  void answer_and_close(std::pair<HttpHead, std::string> answer);
  void run(std::unique_ptr<Exchange> exchange);
  void pump();
  void add(Exchange::Progress progress);
  void write();
  void on_write(ErrorCode ec);
  void end_exchange();
  void watch();  // for the client leaving
  void on_watch(ErrorCode ec, std::size_t size);
  void linger();  // lets the client read the answer before the connection closes

  void arm(std::chrono::milliseconds time, void (Connection::*then)());
  void on_timeout();  // cancels what is being read
  void comment();
  void drop();

  ServerState& state_;
  boost::asio::ip::tcp::socket socket_;
  boost::asio::steady_timer timer_;
  std::uint64_t armed_ = 0;  // counts, so that a timer that fired too late does nothing
  boost::beast::flat_buffer buffer_;
  std::optional<Parser> parser_;
  HttpRequest request_;
  std::string path_;  // of the request being answered
  std::unique_ptr<Exchange> exchange_;
  std::string out_, writing_;
  Share connection_, busy_, body_;
  bool keep_alive_ = true, http_1_0_ = false, chunked_ = false, event_stream_ = false;
  bool timed_out_ = false, write_pending_ = false, watch_pending_ = false, finished_ = false, lingering_ = false,
       dropped_ = false;
};

}  // namespace tetrad
