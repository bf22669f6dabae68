#include "server/connection.h"

namespace tetrad {
namespace {

namespace asio = boost::asio;
namespace http = boost::beast::http;

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  return out;
}

std::string to_string(boost::string_view text) { return {text.data(), text.size()}; }

}  // namespace

Connection::Connection(ServerState& state, asio::ip::tcp::socket socket)
    : state_(state), socket_(std::move(socket)), timer_(socket_.get_executor()), connection_(state.connections, 1) {}

void Connection::start() {
  asio::dispatch(socket_.get_executor(), [self = shared_from_this()] {
    ErrorCode ignored;
    self->socket_.set_option(asio::ip::tcp::no_delay(true), ignored);
    self->wait_for_request();
  });
}

void Connection::stop() {
  asio::post(socket_.get_executor(), [self = shared_from_this()] { self->drop(); });
}

void Connection::wait_for_request() {
  if (buffer_.size() > 0) return read_head();
  arm(state_.options.idle_timeout, &Connection::drop);
  socket_.async_wait(asio::ip::tcp::socket::wait_read, [self = shared_from_this()](ErrorCode ec) {
    if (self->dropped_) return;
    ec ? self->drop() : self->read_head();
  });
}

void Connection::read_head() {
  parser_.emplace();
  parser_->header_limit(static_cast<std::uint32_t>(state_.options.max_header_bytes));
  parser_->body_limit(state_.options.max_body_bytes);
  timed_out_ = false;
  request_ = {};
  path_.clear();
  arm(state_.options.header_timeout, &Connection::on_timeout);
  http::async_read_header(socket_, buffer_, *parser_, [self = shared_from_this()](ErrorCode ec, std::size_t) {
    if (!self->dropped_) self->on_head(ec);
  });
}

void Connection::on_head(ErrorCode ec) {
  // Known even when a later line of the head is bad: errors have the shape of the path's API.
  const std::string_view asked(parser_->get().target().data(), parser_->get().target().size());
  if (const auto target = read_target(asked)) path_ = target->path;
  if (ec) return fail_read(ec, "the request's head");
  if (const auto unfit = take_head())
    return answer_and_close(state_.handler.transport_error(unfit->first, path_, unfit->second));
  if (auto refusal = state_.handler.refuse(request_)) return answer_and_close(std::move(*refusal));
  if (parser_->is_done()) return open();
  arm(state_.options.body_timeout, &Connection::on_timeout);
  if (lower(request_.header("expect")) != "100-continue") return read_body();
  writing_ = "HTTP/1.1 100 Continue\r\n\r\n";
  arm(state_.options.write_timeout, &Connection::drop);
  asio::async_write(socket_, asio::buffer(writing_), [self = shared_from_this()](ErrorCode error, std::size_t) {
    if (self->dropped_) return;
    if (error) return self->drop();
    self->arm(self->state_.options.body_timeout, &Connection::on_timeout);
    self->read_body();
  });
}

std::optional<std::pair<int, std::string>> Connection::take_head() {
  const auto& head = parser_->get();
  keep_alive_ = head.keep_alive();
  http_1_0_ = head.version() < 11;
  request_.method = to_string(head.method_string());
  auto target = read_target(std::string_view(head.target().data(), head.target().size()));
  if (!target) return std::pair(400, std::string("the request's target is malformed"));
  request_.path = std::move(target->path);
  request_.query = std::move(target->query);
  for (const auto& field : head) {
    const std::string_view name(field.name_string().data(), field.name_string().size());
    request_.headers.emplace_back(lower(name), to_string(field.value()));
  }
  const std::string encoding = lower(request_.header("content-encoding"));
  if (!encoding.empty() && encoding != "identity")
    return std::pair(415, "Content-Encoding " + printable(encoding, 40) + " is not supported: send the body as it is");
  if (const std::string coding = lower(request_.header("transfer-encoding")); !coding.empty() && coding != "chunked")
    return std::pair(400, "Transfer-Encoding " + printable(coding, 40) + " is not supported");
  return std::nullopt;
}

void Connection::read_body() {
  http::async_read_some(socket_, buffer_, *parser_, [self = shared_from_this()](ErrorCode ec, std::size_t) {
    if (!self->dropped_) self->on_body(ec);
  });
}

// What has come counts, not what was announced: clients that announce much and send little must not shut out others.
void Connection::on_body(ErrorCode ec) {
  if (ec) return fail_read(ec, "the request's body");
  if (parser_->is_done()) return open();
  body_ = Share(state_.bodies_bytes, parser_->get().body().size());
  if (state_.bodies_bytes > state_.options.max_bodies_bytes)
    return answer_and_close(state_.handler.transport_error(503, path_, "too many large requests at once"));
  read_body();
}

// An answer where there is a fault of the client's; silence where the client is gone.
void Connection::fail_read(ErrorCode ec, const std::string& what) {
  const auto refuse = [&](int status, const std::string& message) {
    answer_and_close(state_.handler.transport_error(status, path_, message));
  };
  if (ec == asio::error::operation_aborted && timed_out_) return refuse(408, what + " did not come in time");
  if (ec == http::error::header_limit || ec == http::error::buffer_overflow)
    return refuse(431,
                  "the request's head is longer than " + std::to_string(state_.options.max_header_bytes) + " bytes");
  if (ec == http::error::body_limit)
    return refuse(413, "the request's body is longer than " + std::to_string(state_.options.max_body_bytes) + " bytes");
  const bool gone = ec == http::error::end_of_stream || ec == http::error::partial_message;
  if (!gone && ec.category() == make_error_code(http::error::bad_method).category())
    return refuse(400, what + " is malformed: " + ec.message());
  drop();
}

void Connection::open() {
  timer_.cancel();
  ++armed_;
  busy_ = Share(state_.busy, 1);
  request_.body = std::move(parser_->get().body());
  parser_.reset();
  body_.reset();
  if (request_.body.empty()) return run(state_.handler.open(std::move(request_)));
  asio::post(state_.openers, [self = shared_from_this(), request = std::move(request_)]() mutable {
    std::unique_ptr<Exchange> exchange = self->state_.handler.open(std::move(request));
    const auto executor = self->socket_.get_executor();
    asio::post(executor, [self = std::move(self), exchange = std::move(exchange)]() mutable {
      if (!self->dropped_) self->run(std::move(exchange));
    });
  });
}

}  // namespace tetrad
