#include "server/http_server.h"

#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <mutex>
#include <thread>

#include "server/http_text.h"

namespace tetrad {
namespace {

using namespace std::chrono_literals;
using testing::EndsWith;
using testing::HasSubstr;
using testing::StartsWith;

// Answers by path: /echo gives the body back, /stream three pieces, /silent nothing until it is gone.
class Scripted final : public Handler {
 public:
  struct Answer final : Exchange {
    Answer(Scripted& its_owner, HttpRequest its_request) : owner(its_owner), request(std::move(its_request)) {
      ++owner.alive;
    }
    ~Answer() override {
      if (thread.joinable()) thread.join();
      --owner.alive;
    }
    void start(std::function<void()> wake) override {
      if (request.path != "/stream") return wake();
      thread = std::thread([this, wake] {
        for (int i = 0; i < 3; ++i) {
          std::this_thread::sleep_for(2ms);
          ++ready;
          wake();
        }
      });
    }
    Progress poll() override {
      if (request.path == "/silent") {
        if (std::exchange(begun, true)) return {};
        return {HttpHead{200, {{"Content-Type", "text/event-stream"}}, true}, "", false};
      }
      if (request.path != "/stream") {
        const std::string text = request.path == "/echo" ? request.body : request.path + "|" + request.query;
        return {HttpHead{200, {{"Content-Type", "text/plain"}}, false}, text, true};
      }
      Progress progress;
      if (!std::exchange(begun, true)) progress.head = HttpHead{200, {{"Content-Type", "text/plain"}}, true};
      for (; sent < ready; ++sent) progress.body += "piece" + std::to_string(sent) + ";";
      progress.done = sent == 3;
      return progress;
    }
    Scripted& owner;
    HttpRequest request;
    std::thread thread;
    std::atomic<int> ready{0};
    int sent = 0;
    bool begun = false;
  };

  std::unique_ptr<Exchange> open(HttpRequest request) override {
    return std::make_unique<Answer>(*this, std::move(request));
  }
  std::pair<HttpHead, std::string> transport_error(int status, const std::string&, const std::string& why) override {
    return {HttpHead{status, {{"Content-Type", "text/plain"}}, false}, why};
  }
  std::optional<std::pair<HttpHead, std::string>> refuse(const HttpRequest& head) override {
    if (head.path != "/secret") return std::nullopt;
    return std::pair(HttpHead{401, {{"Content-Type", "text/plain"}}, false}, std::string("no key"));
  }
  std::atomic<int> alive{0};
};

class Client {
 public:
  explicit Client(std::uint16_t port) : fd_(::socket(AF_INET, SOCK_STREAM, 0)) {
    const timeval patience{10, 0};
    ::setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    EXPECT_EQ(::connect(fd_, reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
  }
  ~Client() { close(); }
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  void close() {
    if (fd_ >= 0) ::close(std::exchange(fd_, -1));
  }
  void send(std::string_view text) const {
    EXPECT_EQ(::send(fd_, text.data(), text.size(), MSG_NOSIGNAL), static_cast<ssize_t>(text.size()));
  }
  // What comes until `end` has come or the connection ends.
  std::string read(std::string_view end = {}) const {
    std::string all;
    char piece[4096];
    while (end.empty() || !all.ends_with(end)) {
      const ssize_t n = ::recv(fd_, piece, sizeof piece, 0);
      if (n <= 0) break;
      all.append(piece, static_cast<std::size_t>(n));
    }
    return all;
  }

 private:
  int fd_;
};

struct Running {
  explicit Running(ServerOptions options = {}) {
    options.port = 0;
    auto made = HttpServer::create(options, handler);
    EXPECT_TRUE(made);
    server = std::move(*made);
  }
  std::string ask(const std::string& text, std::string_view end = {}) const {
    const Client client(server->port());
    client.send(text);
    return client.read(end);
  }
  void expect_idle() const {
    for (int i = 0; i < 5000 && (handler.alive > 0 || server->busy() > 0); ++i) std::this_thread::sleep_for(1ms);
    EXPECT_EQ(handler.alive, 0);
    EXPECT_EQ(server->busy(), 0U);
  }
  Scripted handler;
  std::unique_ptr<HttpServer> server;
};

TEST(HttpServer, AnswersOneAfterTheOtherOnOneConnection) {
  const Running running;
  const Client client(running.server->port());
  for (int i = 0; i < 3; ++i) {
    client.send("GET /a%20b?x=1 HTTP/1.1\r\nHost: h\r\n\r\n");
    EXPECT_THAT(client.read("/a b|x=1"), StartsWith("HTTP/1.1 200 OK\r\n"));
    client.send("POST /echo HTTP/1.1\r\nContent-Length: 5\r\n\r\nhello");
    EXPECT_THAT(client.read("hello"), HasSubstr("Content-Length: 5\r\n"));
  }
  client.send("GET /1 HTTP/1.1\r\n\r\nGET /2 HTTP/1.1\r\nConnection: close\r\n\r\n");  // pipelined
  const std::string both = client.read();
  EXPECT_THAT(both, HasSubstr("/1|"));
  EXPECT_THAT(both, EndsWith("/2|"));
  running.expect_idle();
}

TEST(HttpServer, Streams) {
  const Running running;
  const std::string chunked = running.ask("GET /stream HTTP/1.1\r\n\r\n", "0\r\n\r\n");
  EXPECT_THAT(chunked, HasSubstr("Transfer-Encoding: chunked\r\n"));
  EXPECT_THAT(chunked, HasSubstr("piece2;\r\n0\r\n\r\n"));
  const std::string plain = running.ask("GET /stream HTTP/1.0\r\n\r\n");
  EXPECT_THAT(plain, HasSubstr("Connection: close\r\n\r\npiece0;"));
  EXPECT_THAT(plain, EndsWith("piece1;piece2;"));
  EXPECT_THAT(running.ask("POST /echo HTTP/1.1\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n"
                          "3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"),
              EndsWith("\r\n\r\nabcde"));
  running.expect_idle();
}

TEST(HttpServer, RefusesWhatIsMalformedOrTooMuch) {
  ServerOptions options;
  options.max_body_bytes = 1000;
  options.max_header_bytes = 2000;
  const Running running(options);
  const auto status = [&](const std::string& text) { return running.ask(text).substr(9, 3); };
  EXPECT_EQ(status("NONSENSE\r\n\r\n"), "400");
  EXPECT_EQ(status("GET nowhere HTTP/1.1\r\n\r\n"), "400");
  EXPECT_EQ(status("GET /%zz HTTP/1.1\r\n\r\n"), "400");
  EXPECT_EQ(status("GET / HTTP/1.1\r\nno colon\r\n\r\n"), "400");
  EXPECT_EQ(status("POST /echo HTTP/1.1\r\nContent-Length: -1\r\n\r\n"), "400");
  EXPECT_EQ(status("POST /echo HTTP/1.1\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n"), "400");
  EXPECT_EQ(status("POST /echo HTTP/1.1\r\nTransfer-Encoding: gzip\r\n\r\n"), "400");
  EXPECT_EQ(status("POST /echo HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"), "400");
  EXPECT_EQ(status("POST /echo HTTP/1.1\r\nContent-Encoding: gzip\r\nContent-Length: 2\r\n\r\nxx"), "415");
  EXPECT_EQ(status("POST /echo HTTP/1.1\r\nContent-Length: 1001\r\n\r\n"), "413");
  EXPECT_EQ(status("POST /echo HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3e9\r\n" + std::string(1001, 'x')), "413");
  EXPECT_EQ(status("GET / HTTP/1.1\r\nX: " + std::string(3000, 'x') + "\r\n\r\n"), "431");
  EXPECT_EQ(status("POST /secret HTTP/1.1\r\nContent-Length: 900\r\n\r\n"), "401");  // before the body is there
  running.expect_idle();
}

TEST(HttpServer, ContinuesWhenAsked) {
  const Running running;
  const Client client(running.server->port());
  client.send("POST /echo HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 2\r\nConnection: close\r\n\r\n");
  EXPECT_EQ(client.read("\r\n\r\n"), "HTTP/1.1 100 Continue\r\n\r\n");
  client.send("ok");
  EXPECT_THAT(client.read(), EndsWith("ok"));
}

TEST(HttpServer, EndsTheExchangeOfAClientThatLeaves) {
  const Running running;
  Client client(running.server->port());
  client.send("GET /silent HTTP/1.1\r\n\r\n");
  EXPECT_THAT(client.read("\r\n\r\n"), HasSubstr("200 OK"));
  EXPECT_EQ(running.handler.alive, 1);
  client.close();
  running.expect_idle();
}

TEST(HttpServer, CommentsInSilentEventStreams) {
  ServerOptions options;
  options.keep_alive_interval = 5ms;
  const Running running(options);
  const Client client(running.server->port());
  client.send("GET /silent HTTP/1.1\r\n\r\n");
  EXPECT_THAT(client.read(": keep-alive\n\n\r\n"), HasSubstr("text/event-stream"));
}

TEST(HttpServer, SlowClientsTimeOutAndBlockNobody) {
  ServerOptions options;
  options.header_timeout = options.body_timeout = 50ms;
  const Running running(options);
  std::vector<std::unique_ptr<Client>> slow;
  for (int i = 0; i < 100; ++i) slow.push_back(std::make_unique<Client>(running.server->port()));
  for (std::size_t i = 0; i < slow.size(); ++i)
    slow[i]->send(i % 2 == 0 ? "POST /echo HT" : "POST /echo HTTP/1.1\r\nContent-Length: 9\r\n\r\nx");
  EXPECT_THAT(running.ask("GET /now HTTP/1.1\r\nConnection: close\r\n\r\n"), EndsWith("/now|"));
  for (const auto& client : slow) EXPECT_EQ(client->read().substr(9, 3), "408");
}

TEST(HttpServer, ClosesRunningExchangesAtTheEnd) {
  Running running;
  const Client client(running.server->port());
  client.send("GET /silent HTTP/1.1\r\n\r\n");
  EXPECT_THAT(client.read("\r\n\r\n"), HasSubstr("200 OK"));
  running.server.reset();
  EXPECT_EQ(running.handler.alive, 0);
  EXPECT_EQ(client.read(), "");
}

TEST(HttpServer, SaysWhyItCantListen) {
  const Running running;
  ServerOptions options;
  options.port = running.server->port();
  Scripted handler;
  const auto second = HttpServer::create(options, handler);
  ASSERT_FALSE(second);
  EXPECT_THAT(second.error().message, HasSubstr("can't listen: 127.0.0.1:"));
}

TEST(HttpText, LinesCantBeSmuggledIntoHeads) {
  const HttpHead head{200, {{"X-Echo", "a\r\nSet-Cookie: b"}}, false};
  EXPECT_EQ(head_text(head, {true, false, 0}),
            "HTTP/1.1 200 OK\r\nX-Echo: a  Set-Cookie: b\r\nContent-Length: 0\r\nConnection: keep-alive\r\n\r\n");
}

}  // namespace
}  // namespace tetrad
