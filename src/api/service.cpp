#include "api/service.h"

#include <nlohmann/json.hpp>

#include "api/access.h"
#include "api/context.h"
#include "api/reply.h"
#include "api/routes.h"
#include "base/json.h"

namespace tetrad {

struct Service::Impl {
  Context context;

  ApiResult<const Route*> check(const HttpRequest& request) const;
  OpenResult open(const HttpRequest& request);
  std::pair<HttpHead, std::string> refusal(const ApiError& error, const std::string& path);
};

namespace {

ApiResult<Json> read_body(const std::string& text) {
  if (text.find_first_not_of(" \t\r\n") == std::string::npos) return Json::object();
  auto parsed = parse_json(text, "request body");
  if (!parsed) return tl::unexpected(ApiError{400, parsed.error().message, {}, {}, {}});
  if (!parsed->is_object()) return tl::unexpected(ApiError{400, "the request body must be a JSON object", {}, {}, {}});
  return std::move(*parsed);
}

// Value of OPTIONS and of nothing else.
std::unique_ptr<Exchange> reply_options(const std::string& path) {
  const std::string allowed = allowed_methods(path);
  if (allowed.empty()) return reply_error({404, "there is nothing here", {}, {}, {}}, style_of(path));
  return reply_with({204, {{"Allow", allowed}}, false}, "");
}

}  // namespace

// Cheap: all that can be said without the body.
ApiResult<const Route*> Service::Impl::check(const HttpRequest& request) const {
  if (const ApiStatus status = check_key(request, context.options); !status) return tl::unexpected(status.error());
  const ApiResult<const Route*> route = find_route(request);
  if (!route) return route;
  if (const ApiStatus status = check_content_type(request); !status) return tl::unexpected(status.error());
  if ((*route)->generates)
    if (const auto ready = context.ready(); !ready) return tl::unexpected(ready.error());
  return route;
}

OpenResult Service::Impl::open(const HttpRequest& request) {
  const ApiResult<const Route*> route = check(request);
  if (!route) return tl::unexpected(route.error());
  ApiResult<Json> body = read_body(request.method == "POST" ? request.body : "");
  if (!body) return tl::unexpected(body.error());
  return (*route)->open(context, request, *body);
}

// An answer of the transport's.
std::pair<HttpHead, std::string> Service::Impl::refusal(const ApiError& error, const std::string& path) {
  auto answer = error_answer(error, style_of(path));
  for (auto& header : cors_headers(context.options)) answer.first.headers.push_back(std::move(header));
  context.metrics.response(error.status);
  return answer;
}

Service::Service(ApiOptions options, Tokenizer tokenizer, std::optional<ChatTemplate> chat_template)
    : impl_(new Impl{Context(std::move(options), std::move(tokenizer), std::move(chat_template))}) {}

Service::~Service() = default;

void Service::serve(Generator& generator) { impl_->context.generator = &generator; }
void Service::drain() { impl_->context.draining = true; }

std::unique_ptr<Exchange> Service::open(HttpRequest request) {
  std::unique_ptr<Exchange> exchange;
  if (request.method == "OPTIONS") {
    exchange = reply_options(request.path);
  } else {
    auto opened = impl_->open(request);
    exchange = opened ? std::move(*opened) : reply_error(opened.error(), style_of(request.path));
  }
  Finish finish{cors_headers(impl_->context.options), request.method == "HEAD",
                [&metrics = impl_->context.metrics](int status) { metrics.response(status); }};
  return finished(std::move(exchange), std::move(finish));
}

std::pair<HttpHead, std::string> Service::transport_error(int status, const std::string& path,
                                                          const std::string& message) {
  return impl_->refusal({status, message, {}, {}, {}}, path);
}

std::optional<std::pair<HttpHead, std::string>> Service::refuse(const HttpRequest& head) {
  if (head.method == "OPTIONS") return std::nullopt;
  const auto route = impl_->check(head);
  if (route) return std::nullopt;
  return impl_->refusal(route.error(), head.path);
}

}  // namespace tetrad
