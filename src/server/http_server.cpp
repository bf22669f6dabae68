#include "server/http_server.h"

#include <mutex>
#include <thread>
#include <vector>

#include "server/connection.h"

namespace tetrad {
namespace {

namespace asio = boost::asio;
using tcp = asio::ip::tcp;
using boost::system::error_code;

}  // namespace

struct HttpServer::Impl {
  ServerState state;
  asio::io_context io;
  tcp::acceptor acceptor;
  asio::steady_timer pause;
  std::mutex mutex;
  std::vector<std::weak_ptr<Connection>> connections;
  std::vector<std::thread> threads;
  std::uint16_t port = 0;

  Impl(const ServerOptions& options, Handler& handler)
      : state{options, handler}, acceptor(asio::make_strand(io)), pause(acceptor.get_executor()) {}
  ~Impl();
  Status listen();
  void accept();
  void keep(const std::shared_ptr<Connection>& connection);
};

HttpServer::Impl::~Impl() {
  asio::post(acceptor.get_executor(), [this] {
    error_code ignored;
    acceptor.close(ignored);
    pause.cancel();
    const std::lock_guard lock(mutex);
    for (const auto& weak : connections)
      if (const auto connection = weak.lock()) connection->stop();
  });
  state.openers.join();
  for (std::thread& thread : threads) thread.join();
}

Status HttpServer::Impl::listen() {
  const ServerOptions& options = state.options;
  const std::string where = options.host + ":" + std::to_string(options.port);
  const auto failed = [&](const error_code& ec) {
    Error error = make_error(ErrorCode::kIo, "can't listen", where, ec.message()).value();
    if (ec == asio::error::address_in_use) error.hint = "another server runs there: choose another --port";
    return tl::unexpected(std::move(error));
  };
  error_code ec;
  const auto found = tcp::resolver(io).resolve(options.host, std::to_string(options.port), tcp::resolver::passive, ec);
  if (ec) return failed(ec);
  const tcp::endpoint endpoint = found.begin()->endpoint();
  acceptor.open(endpoint.protocol(), ec);
  if (!ec) acceptor.set_option(tcp::acceptor::reuse_address(true), ec);
  if (!ec) acceptor.bind(endpoint, ec);
  if (!ec) acceptor.listen(1024, ec);
  if (!ec) port = acceptor.local_endpoint(ec).port();
  if (ec) return failed(ec);
  accept();
  for (std::size_t i = 0; i < std::max<std::size_t>(1, options.threads); ++i)
    threads.emplace_back([this] { io.run(); });
  return {};
}

void HttpServer::Impl::accept() {
  acceptor.async_accept(asio::make_strand(io), [this](error_code ec, tcp::socket socket) {
    if (!acceptor.is_open()) return;
    if (ec) {  // out of file descriptors, most likely: others will close
      pause.expires_after(std::chrono::milliseconds(100));
      pause.async_wait([this](error_code) {
        if (acceptor.is_open()) accept();
      });
      return;
    }
    if (state.connections < state.options.max_connections) {
      const auto connection = std::make_shared<Connection>(state, std::move(socket));
      keep(connection);
      connection->start();
    }
    accept();
  });
}

void HttpServer::Impl::keep(const std::shared_ptr<Connection>& connection) {
  const std::lock_guard lock(mutex);
  if (connections.size() >= 2 * state.connections + 16)
    std::erase_if(connections, [](const auto& weak) { return weak.expired(); });
  connections.push_back(connection);
}

HttpServer::HttpServer(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
HttpServer::~HttpServer() = default;

Result<std::unique_ptr<HttpServer>> HttpServer::create(const ServerOptions& options, Handler& handler) {
  auto impl = std::make_unique<Impl>(options, handler);
  TETRAD_TRY(impl->listen());
  return std::unique_ptr<HttpServer>(new HttpServer(std::move(impl)));
}

std::uint16_t HttpServer::port() const { return impl_->port; }
std::size_t HttpServer::busy() const { return impl_->state.busy; }

}  // namespace tetrad
