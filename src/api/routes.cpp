#include "api/routes.h"

#include <fmt/format.h>

#include <array>

namespace tetrad {
namespace {

constexpr std::array kRoutes = {
    Route{"GET", "/", open_page},
    Route{"GET", "/health", open_health},
    Route{"GET", "/v1/health", open_health},
    Route{"GET", "/health_generate", open_health},
    Route{"GET", "/ready", open_health},
    Route{"GET", "/ping", open_health},
    Route{"GET", "/v1/models", open_models},
    Route{"GET", "/v1/models/", open_model},
    Route{"GET", "/server_info", open_server_info},
    Route{"GET", "/get_server_info", open_server_info},
    Route{"GET", "/model_info", open_model_info},
    Route{"GET", "/get_model_info", open_model_info},
    Route{"GET", "/flush_cache", open_flush_cache},
    Route{"POST", "/flush_cache", open_flush_cache},
    Route{"POST", "/abort_request", open_abort},
    Route{"GET", "/metrics", open_metrics},
    Route{"POST", "/generate", open_generate, true},
    Route{"POST", "/tokenize", open_tokenize},
    Route{"POST", "/v1/tokenize", open_tokenize},
    Route{"POST", "/detokenize", open_detokenize},
    Route{"POST", "/v1/detokenize", open_detokenize},
    Route{"POST", "/apply_template", open_apply_template},
    Route{"POST", "/apply-template", open_apply_template},
    Route{"POST", "/v1/chat/completions", open_chat, true},
    Route{"POST", "/v1/completions", open_completions, true},
    Route{"POST", "/v1/responses", open_responses, true},
    Route{"POST", "/v1/messages", open_messages, true},
    Route{"POST", "/v1/messages/count_tokens", open_count_tokens},
};

bool matches(const Route& route, std::string_view path) {
  if (route.path.size() > 1 && route.path.ends_with('/'))
    return path.size() > route.path.size() && path.starts_with(route.path);
  return path == route.path;
}

}  // namespace

std::span<const Route> all_routes() { return kRoutes; }

std::string allowed_methods(const std::string& path) {
  std::string methods;
  for (const Route& route : kRoutes)
    if (matches(route, path)) {
      methods += methods.empty() ? "" : ", ";
      methods += route.method == "GET" ? "GET, HEAD" : route.method;
    }
  return methods.empty() ? methods : methods + ", OPTIONS";
}

ApiResult<const Route*> find_route(const HttpRequest& request) {
  const std::string_view method = request.method == "HEAD" ? std::string_view("GET") : request.method;
  for (const Route& route : kRoutes)
    if (matches(route, request.path) && route.method == method) return &route;
  const std::string allowed = allowed_methods(request.path);
  if (allowed.empty())
    return tl::unexpected(ApiError{404, fmt::format("there is nothing at {}", printable(request.path)), {}, {}, {}});
  return tl::unexpected(ApiError{
      405,
      fmt::format("{} does not go with {}, only {}", printable(request.method, 20), printable(request.path), allowed),
      {},
      {},
      {{"Allow", allowed}}});
}

}  // namespace tetrad
