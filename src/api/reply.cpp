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

class Finished final : public Exchange {
 public:
  Finished(std::unique_ptr<Exchange> inner, Finish finish) : finish_(std::move(finish)), inner_(std::move(inner)) {}
  void start(std::function<void()> wake) override { inner_->start(std::move(wake)); }
  Progress poll() override {
    Progress progress = inner_->poll();
    if (progress.head) {
      auto& headers = progress.head->headers;
      headers.insert(headers.end(), finish_.headers.begin(), finish_.headers.end());
      finish_.on_status(progress.head->status);
      if (finish_.drop_body && !progress.head->stream) progress.head->length = progress.body.size();
    }
    if (finish_.drop_body) progress.body.clear();
    return progress;
  }

 private:
  const Finish finish_;
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

std::unique_ptr<Exchange> finished(std::unique_ptr<Exchange> exchange, Finish finish) {
  return std::make_unique<Finished>(std::move(exchange), std::move(finish));
}

}  // namespace tetrad
