#include "api/reply.h"

#include <nlohmann/json.hpp>

namespace tetrad {
namespace {

class Ready final : public Exchange {
 public:
  Ready(HttpHead head, std::string body) : head_(std::move(head)), body_(std::move(body)) {}
  void start(std::function<void()> wake) override { wake(); }
  Progress poll() override { return {std::exchange(head_, std::nullopt), std::exchange(body_, {}), true}; }

 private:
  std::optional<HttpHead> head_;
  std::string body_;
};

class WithHeaders final : public Exchange {
 public:
  WithHeaders(std::unique_ptr<Exchange> inner, std::vector<std::pair<std::string, std::string>> headers)
      : headers_(std::move(headers)), inner_(std::move(inner)) {}
  void start(std::function<void()> wake) override { inner_->start(std::move(wake)); }
  Progress poll() override {
    Progress progress = inner_->poll();
    if (progress.head) progress.head->headers.insert(progress.head->headers.end(), headers_.begin(), headers_.end());
    return progress;
  }

 private:
  std::vector<std::pair<std::string, std::string>> headers_;
  std::unique_ptr<Exchange> inner_;
};

class WithoutBody final : public Exchange {
 public:
  explicit WithoutBody(std::unique_ptr<Exchange> inner) : inner_(std::move(inner)) {}
  void start(std::function<void()> wake) override { inner_->start(std::move(wake)); }
  Progress poll() override {
    Progress progress = inner_->poll();
    progress.body.clear();
    return progress;
  }

 private:
  std::unique_ptr<Exchange> inner_;
};

}  // namespace

std::string to_text(const Json& json) { return json.dump(-1, ' ', false, Json::error_handler_t::replace); }

std::unique_ptr<Exchange> reply_with(HttpHead head, std::string body) {
  return std::make_unique<Ready>(std::move(head), std::move(body));
}

std::unique_ptr<Exchange> reply(const Json& body, int status) { return reply_with(json_head(status), to_text(body)); }

std::unique_ptr<Exchange> reply_error(const ApiError& error, ApiStyle style) {
  auto [head, body] = error_answer(error, style);
  return reply_with(std::move(head), std::move(body));
}

std::unique_ptr<Exchange> with_headers(std::unique_ptr<Exchange> exchange,
                                       std::vector<std::pair<std::string, std::string>> headers) {
  return std::make_unique<WithHeaders>(std::move(exchange), std::move(headers));
}

std::unique_ptr<Exchange> without_body(std::unique_ptr<Exchange> exchange) {
  return std::make_unique<WithoutBody>(std::move(exchange));
}

}  // namespace tetrad
