#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "api/fields.h"
#include "api/reply.h"
#include "api/routes.h"

namespace tetrad {
namespace {

// The page's scripts and styles are in it, and it asks this server only: whatever a model writes, nothing else is
// loaded or run from elsewhere, sent anywhere, or framed.
constexpr char kPagePolicy[] =
    "default-src 'none'; connect-src 'self'; img-src data:; style-src 'unsafe-inline'; script-src 'unsafe-inline'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

Json model_entry(const Context& context, const std::string& name) {
  const Generator* const generator = context.generator;
  return {{"id", name},
          {"object", "model"},
          {"created", context.created},
          {"owned_by", "tetrad"},
          {"root", context.options.names.front()},
          {"parent", nullptr},
          {"max_model_len", generator != nullptr ? Json(generator->context_length()) : Json()}};
}

Json stats_json(const EngineStats& stats) {
  return {{"running", stats.running},
          {"queued", stats.queued},
          {"pool_tokens", stats.pool_tokens},
          {"used_tokens", stats.used_tokens},
          {"cached_tokens", stats.cached_tokens},
          {"requests", stats.requests},
          {"finished", stats.finished},
          {"aborted", stats.aborted},
          {"preemptions", stats.preemptions},
          {"prompt_tokens", stats.prompt_tokens},
          {"prompt_tokens_cached", stats.prompt_tokens_cached},
          {"generation_tokens", stats.generation_tokens},
          {"steps", stats.steps},
          {"draft_tokens", stats.draft_tokens},
          {"accepted_tokens", stats.accepted_tokens}};
}

}  // namespace

OpenResult open_page(Context& context, const HttpRequest&, const Json&) {
  if (context.options.page.empty())
    return tl::unexpected(ApiError{404, "this server was started without its page", {}, {}, {}});
  return reply_with({200,
                     {{"Content-Type", "text/html; charset=utf-8"},
                      {"Cache-Control", "no-cache"},
                      {"Content-Security-Policy", kPagePolicy},
                      {"X-Content-Type-Options", "nosniff"},
                      {"Referrer-Policy", "no-referrer"}},
                     false},
                    std::string(context.options.page));
}

OpenResult open_health(Context& context, const HttpRequest&, const Json&) {
  TETRAD_API_TRY(context.ready());
  return reply({{"status", "ok"}});
}

OpenResult open_models(Context& context, const HttpRequest&, const Json&) {
  Json list = Json::array();
  for (const std::string& name : context.options.names) list.push_back(model_entry(context, name));
  return reply({{"object", "list"}, {"data", list}});
}

OpenResult open_model(Context& context, const HttpRequest& request, const Json&) {
  const std::string name = request.path.substr(std::string_view("/v1/models/").size());
  return reply(model_entry(context, TETRAD_API_TRY(context.model_name(name))));
}

OpenResult open_server_info(Context& context, const HttpRequest&, const Json&) {
  Json body = {{"version", context.options.version},
               {"model_path", context.options.model_path},
               {"served_model_name", context.options.names.front()},
               {"status", context.draining               ? "draining"
                          : context.generator == nullptr ? "loading"
                                                         : "serving"}};
  if (const auto more = parse_json(context.options.server_info, "server_info"); more && more->is_object())
    body.update(*more);
  if (const Generator* const generator = context.generator; generator != nullptr) {
    const EngineStats stats = generator->stats();
    const double accepted = stats.draft_tokens == 0
                                ? 0.0
                                : static_cast<double>(stats.accepted_tokens) / static_cast<double>(stats.draft_tokens);
    body["max_model_len"] = generator->context_length();
    body["max_total_num_tokens"] = generator->pool_tokens();
    body["internal_states"] = Json::array({{{"avg_spec_accept_rate", accepted}, {"stats", stats_json(stats)}}});
  }
  return reply(body);
}

OpenResult open_model_info(Context& context, const HttpRequest&, const Json&) {
  const SamplingParams& defaults = context.options.defaults;
  return reply({{"model_path", context.options.model_path},
                {"tokenizer_path", context.options.model_path},
                {"is_generation", true},
                {"vocab_size", context.options.vocab},
                {"has_chat_template", context.chat_template.has_value()},
                {"preferred_sampling_params",
                 {{"temperature", defaults.temperature},
                  {"top_p", defaults.top_p},
                  {"top_k", defaults.top_k},
                  {"min_p", defaults.min_p},
                  {"repetition_penalty", defaults.repetition_penalty}}}});
}

OpenResult open_flush_cache(Context& context, const HttpRequest&, const Json&) {
  Generator* const generator = TETRAD_API_TRY(context.ready());
  if (!generator->flush_cache())
    return tl::unexpected(ApiError{400, "the cache can't be flushed while requests run or wait", {}, {}, {}});
  return reply({{"success", true}, {"message", "the prefix cache is empty"}});
}

OpenResult open_metrics(Context& context, const HttpRequest&, const Json&) {
  const Generator* const generator = context.generator;
  EngineStats stats;
  if (generator != nullptr) stats = generator->stats();
  return reply_with({200, {{"Content-Type", "text/plain; version=0.0.4; charset=utf-8"}}, false},
                    context.metrics.text(generator != nullptr ? &stats : nullptr));
}

OpenResult open_abort(Context& context, const HttpRequest&, const Json& body) {
  const Fields fields(body);
  const bool all = TETRAD_API_TRY(fields.boolean("abort_all", false));
  const auto rid = TETRAD_API_TRY(fields.text("rid"));
  if (!all && (!rid || rid->empty())) return bad_field("rid", "say which request to end, or \"abort_all\": true");
  Generator* const generator = context.generator;
  if (generator == nullptr) return reply({{"aborted", 0}});
  if (all) {
    const EngineStats stats = generator->stats();
    generator->cancel_all();
    return reply({{"aborted", stats.running + stats.queued}});
  }
  const auto requests = context.running.find(*rid);
  for (const RequestId request : requests) generator->cancel(request);
  return reply({{"aborted", requests.size()}});
}

}  // namespace tetrad
