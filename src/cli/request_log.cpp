#include "cli/request_log.h"

#include <fmt/format.h>

#include <chrono>

#include "base/error.h"
#include "base/log.h"

namespace tetrad {
namespace {

constexpr std::size_t kShortBody = 2048;

class Logged final : public Exchange {
 public:
  Logged(std::unique_ptr<Exchange> inner, std::string line) : inner_(std::move(inner)), line_(std::move(line)) {}
  ~Logged() override {
    const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - began_).count();
    log_note(fmt::format("{} {} {} bytes {:.3f} s{}", line_, status_, bytes_, seconds, done_ ? "" : " (client gone)"));
  }
  void start(std::function<void()> wake) override { inner_->start(std::move(wake)); }
  Progress poll() override {
    Progress progress = inner_->poll();
    if (progress.head) status_ = progress.head->status;
    bytes_ += progress.body.size();
    done_ = done_ || progress.done;
    return progress;
  }

 private:
  std::unique_ptr<Exchange> inner_;
  const std::string line_;
  const std::chrono::steady_clock::time_point began_ = std::chrono::steady_clock::now();
  int status_ = 0;
  std::size_t bytes_ = 0;
  bool done_ = false;
};

}  // namespace

std::unique_ptr<Exchange> RequestLog::open(HttpRequest request) {
  std::string line = printable(request.method, 16) + " " + printable(request.path, 200);
  if (level_ > 0 && !request.body.empty())
    log_note(line + " < " + printable(request.body, level_ > 1 ? request.body.size() : kShortBody));
  return std::make_unique<Logged>(inner_.open(std::move(request)), std::move(line));
}

std::pair<HttpHead, std::string> RequestLog::transport_error(int status, const std::string& path,
                                                             const std::string& message) {
  log_note(fmt::format("{} {} ({})", printable(path, 200), status, message));
  return inner_.transport_error(status, path, message);
}

std::optional<std::pair<HttpHead, std::string>> RequestLog::refuse(const HttpRequest& head) {
  auto refusal = inner_.refuse(head);
  if (refusal)
    log_note(fmt::format("{} {} {}", printable(head.method, 16), printable(head.path, 200), refusal->first.status));
  return refusal;
}

}  // namespace tetrad
