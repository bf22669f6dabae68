// The paths of the API and who answers them. Used by service.cpp.
#pragma once

#include <span>

#include "api/context.h"
#include "base/json.h"

namespace tetrad {

// `body`: the JSON object that was sent; an empty one when nothing was.
using OpenRoute = ApiResult<std::unique_ptr<Exchange>> (*)(Context&, const HttpRequest&, const Json& body);

struct Route {
  std::string_view method, path;  // a path that ends with '/' stands for all below it
  OpenRoute open;
  bool generates = false;  // refused while loading or draining
};

std::span<const Route> all_routes();
// 404 or 405. HEAD is GET.
ApiResult<const Route*> find_route(const HttpRequest& request);
std::string allowed_methods(const std::string& path);  // "GET, HEAD, OPTIONS"; empty: no such path

// info_routes.cpp
ApiResult<std::unique_ptr<Exchange>> open_page(Context& context, const HttpRequest& request, const Json& body);
ApiResult<std::unique_ptr<Exchange>> open_health(Context& context, const HttpRequest& request, const Json& body);
ApiResult<std::unique_ptr<Exchange>> open_models(Context& context, const HttpRequest& request, const Json& body);
ApiResult<std::unique_ptr<Exchange>> open_model(Context& context, const HttpRequest& request, const Json& body);
ApiResult<std::unique_ptr<Exchange>> open_server_info(Context& context, const HttpRequest& request, const Json& body);
ApiResult<std::unique_ptr<Exchange>> open_model_info(Context& context, const HttpRequest& request, const Json& body);
ApiResult<std::unique_ptr<Exchange>> open_flush_cache(Context& context, const HttpRequest& request, const Json& body);
ApiResult<std::unique_ptr<Exchange>> open_abort(Context& context, const HttpRequest& request, const Json& body);

}  // namespace tetrad
