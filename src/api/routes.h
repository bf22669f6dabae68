// The paths of the API and who answers them. Used by service.cpp.
#pragma once

#include <span>

#include "api/context.h"
#include "base/json.h"

namespace tetrad {

using OpenResult = ApiResult<std::unique_ptr<Exchange>>;
// `body`: the JSON object that was sent; an empty one when nothing was.
using OpenRoute = OpenResult (*)(Context&, const HttpRequest&, const Json& body);

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
OpenResult open_page(Context& context, const HttpRequest& request, const Json& body);
OpenResult open_health(Context& context, const HttpRequest& request, const Json& body);
OpenResult open_models(Context& context, const HttpRequest& request, const Json& body);
OpenResult open_model(Context& context, const HttpRequest& request, const Json& body);
OpenResult open_server_info(Context& context, const HttpRequest& request, const Json& body);
OpenResult open_model_info(Context& context, const HttpRequest& request, const Json& body);
OpenResult open_flush_cache(Context& context, const HttpRequest& request, const Json& body);
OpenResult open_abort(Context& context, const HttpRequest& request, const Json& body);
OpenResult open_metrics(Context& context, const HttpRequest& request, const Json& body);

// text_routes.cpp
OpenResult open_tokenize(Context& context, const HttpRequest& request, const Json& body);
OpenResult open_detokenize(Context& context, const HttpRequest& request, const Json& body);
OpenResult open_apply_template(Context& context, const HttpRequest& request, const Json& body);

// completions.cpp, chat.cpp, responses.cpp, messages.cpp, native.cpp
OpenResult open_chat(Context& context, const HttpRequest& request, const Json& body);
OpenResult open_completions(Context& context, const HttpRequest& request, const Json& body);
OpenResult open_responses(Context& context, const HttpRequest& request, const Json& body);
OpenResult open_messages(Context& context, const HttpRequest& request, const Json& body);
OpenResult open_count_tokens(Context& context, const HttpRequest& request, const Json& body);
OpenResult open_generate(Context& context, const HttpRequest& request, const Json& body);

}  // namespace tetrad
