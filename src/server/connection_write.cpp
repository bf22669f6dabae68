#include "server/connection.h"

namespace tetrad {
namespace {

namespace asio = boost::asio;

constexpr std::size_t kMaxEarlyBytes = std::size_t{64} << 10;  // of a next request, sent before this one's answer
constexpr std::chrono::seconds kLinger{5};

}  // namespace

void Connection::answer_and_close(std::pair<HttpHead, std::string> answer) {
  keep_alive_ = false;
  finished_ = true;
  parser_.reset();
  body_.reset();
  busy_ = Share(state_.busy, 1);
  out_ += head_text(answer.first, {false, false, answer.second.size()});
  if (request_.method != "HEAD") out_ += answer.second;
  write();
}

void Connection::run(std::unique_ptr<Exchange> exchange) {
  exchange_ = std::move(exchange);
  finished_ = chunked_ = event_stream_ = false;
  exchange_->start([weak = weak_from_this(), executor = socket_.get_executor()] {
    asio::post(executor, [weak] {
      if (const auto self = weak.lock()) self->pump();
    });
  });
  pump();
}

// Takes what the exchange has by now, unless the client is still busy with what it got before.
void Connection::pump() {
  if (dropped_ || !exchange_ || write_pending_) return;
  add(exchange_->poll());
  if (!out_.empty()) return write();
  if (finished_) return end_exchange();
  watch();
}

void Connection::add(Exchange::Progress progress) {
  if (progress.head) {
    HttpHead& head = *progress.head;
    Framing framing;
    const bool bodiless = head.status == 204 || head.status == 304;
    chunked_ = head.stream && !http_1_0_;
    if (head.stream && http_1_0_) keep_alive_ = false;
    if (!head.stream && !bodiless) framing.length = head.length.value_or(progress.body.size());
    framing.keep_alive = keep_alive_;
    framing.chunked = chunked_;
    for (const auto& [name, value] : head.headers)
      event_stream_ = event_stream_ || (name == "Content-Type" && value.starts_with("text/event-stream"));
    out_ += head_text(head, framing);
  }
  out_ += chunked_ ? chunk_text(progress.body) : progress.body;
  finished_ = progress.done;
  if (finished_ && chunked_) out_ += kLastChunk;
}

void Connection::write() {
  write_pending_ = true;
  writing_ = std::exchange(out_, {});
  arm(state_.options.write_timeout, &Connection::drop);
  asio::async_write(socket_, asio::buffer(writing_), [self = shared_from_this()](ErrorCode ec, std::size_t) {
    if (!self->dropped_) self->on_write(ec);
  });
}

void Connection::on_write(ErrorCode ec) {
  write_pending_ = false;
  if (ec) return drop();
  if (finished_) return end_exchange();
  timer_.cancel();
  ++armed_;
  if (event_stream_) arm(state_.options.keep_alive_interval, &Connection::comment);
  pump();
}

void Connection::end_exchange() {
  exchange_.reset();
  busy_.reset();
  if (!keep_alive_) return linger();
  if (!watch_pending_) return wait_for_request();
  arm(state_.options.idle_timeout, &Connection::drop);  // the next bytes come to on_watch
  // A next request may have come before this one's end was noticed here: no more bytes may follow.
  ErrorCode ignored;
  if (buffer_.size() > 0) socket_.cancel(ignored);
}

void Connection::watch() {
  if (watch_pending_ || buffer_.size() >= kMaxEarlyBytes) return;
  watch_pending_ = true;
  socket_.async_read_some(buffer_.prepare(4096), [self = shared_from_this()](ErrorCode ec, std::size_t size) {
    if (!self->dropped_) self->on_watch(ec, size);
  });
}

void Connection::on_watch(ErrorCode ec, std::size_t size) {
  watch_pending_ = false;
  if (ec == asio::error::operation_aborted && !exchange_ && buffer_.size() > 0) return read_head();
  if (ec) return drop();
  if (lingering_) return linger();
  buffer_.commit(size);
  if (exchange_) return watch();
  read_head();
}

// Closing a socket with unread bytes makes the kernel send a reset, which can overtake the answer.
void Connection::linger() {
  if (!lingering_) {
    lingering_ = true;
    ErrorCode ignored;
    socket_.shutdown(asio::ip::tcp::socket::shutdown_send, ignored);
    arm(kLinger, &Connection::drop);
    buffer_.consume(buffer_.size());
  }
  watch();
}

void Connection::arm(std::chrono::milliseconds time, void (Connection::*then)()) {
  timer_.expires_after(time);
  timer_.async_wait([self = shared_from_this(), then, mine = ++armed_](ErrorCode ec) {
    if (!ec && mine == self->armed_ && !self->dropped_) ((*self).*then)();
  });
}

void Connection::on_timeout() {
  timed_out_ = true;
  ErrorCode ignored;
  socket_.cancel(ignored);
}

// Proxies and clients end connections that are silent for long.
void Connection::comment() {
  if (write_pending_) return;
  out_ += chunked_ ? chunk_text(": keep-alive\n\n") : ": keep-alive\n\n";
  write();
}

void Connection::drop() {
  if (std::exchange(dropped_, true)) return;
  exchange_.reset();
  busy_.reset();
  body_.reset();
  timer_.cancel();
  ErrorCode ignored;
  socket_.close(ignored);
}

}  // namespace tetrad
