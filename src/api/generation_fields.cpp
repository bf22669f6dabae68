#include "api/generation_fields.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <nlohmann/json.hpp>

namespace tetrad {
namespace {

constexpr std::int64_t kMaxCopies = 128;
constexpr std::size_t kMaxStops = 32, kMaxStopTokens = 1024;

ApiStatus read_logit_bias(const Fields& fields, const Context& context, SamplingParams& sampling) {
  const Json* object = TETRAD_API_TRY(fields.object("logit_bias"));
  if (object == nullptr) return {};
  for (const auto& [key, value] : object->items()) {
    std::int32_t id = -1;
    const auto [end, error] = std::from_chars(key.data(), key.data() + key.size(), id);
    if (error != std::errc{} || end != key.data() + key.size() || id < 0 || id >= context.options.vocab)
      return bad_field(fields.name("logit_bias"), fmt::format("'{}' is no token id, they go from 0 to {}",
                                                              printable(key, 40), context.options.vocab - 1));
    if (!value.is_number() || !(std::abs(value.get<double>()) <= 100))
      return bad_field(fields.name("logit_bias"), fmt::format("the bias of {} must be a number from -100 to 100", id));
    sampling.logit_bias.emplace_back(id, value.get<double>());
  }
  return {};
}

template <class T>
void take(const std::optional<T>& value, T& out) {
  if (value) out = *value;
}

// Known to other servers and able to change what comes out: ignoring it would be a lie.
ApiStatus refuse_unsupported(const Fields& fields) {
  for (const char* key : {"stop_regex", "custom_logit_processor", "lora_path", "bad_words", "allowed_token_ids",
                          "suffix", "functions", "function_call", "truncate_prompt_tokens", "audio"}) {
    const Json* value = fields.find(key);
    if (value == nullptr || value->empty() || (value->is_string() && value->get_ref<const std::string&>().empty()))
      continue;
    return bad_field(fields.name(key), "is not supported by this build yet");
  }
  for (const char* key : {"use_beam_search", "return_hidden_states"})
    if (TETRAD_API_TRY(fields.boolean(key, false)))
      return bad_field(fields.name(key), "is not supported by this build yet");
  return {};
}

ApiStatus read_stream_options(const Fields& fields, GenerationFields& out) {
  const Json* object = TETRAD_API_TRY(fields.object("stream_options"));
  if (object == nullptr) return {};
  const Fields options(*object, fields.name("stream_options."));
  out.include_usage = TETRAD_API_TRY(options.boolean("include_usage", false));
  out.continuous_usage = TETRAD_API_TRY(options.boolean("continuous_usage_stats", false));
  return {};
}

}  // namespace

ApiStatus read_sampling(const Fields& fields, const Context& context, GenerationFields& out) {
  SamplingParams& sampling = out.sampling;
  take(TETRAD_API_TRY(fields.number("temperature", 0, 1e6)), sampling.temperature);
  take(TETRAD_API_TRY(fields.number("top_p", 0, 1, Fields::kAboveLow)), sampling.top_p);
  take(TETRAD_API_TRY(fields.integer("top_k", -1, std::int64_t{1} << 31)), sampling.top_k);
  take(TETRAD_API_TRY(fields.number("min_p", 0, 1)), sampling.min_p);
  take(TETRAD_API_TRY(fields.number("typical_p", 0, 1, Fields::kAboveLow)), sampling.typical_p);
  take(TETRAD_API_TRY(fields.number("repetition_penalty", 0, 100, Fields::kAboveLow)), sampling.repetition_penalty);
  take(TETRAD_API_TRY(fields.number("presence_penalty", -2, 2)), sampling.presence_penalty);
  take(TETRAD_API_TRY(fields.number("frequency_penalty", -2, 2)), sampling.frequency_penalty);
  TETRAD_API_TRY(read_logit_bias(fields, context, sampling));
  for (const char* key : {"seed", "sampling_seed"})
    if (const auto seed = TETRAD_API_TRY(fields.integer(key, std::numeric_limits<std::int64_t>::min())))
      sampling.seed = static_cast<std::uint64_t>(*seed);
  for (const char* key : {"max_tokens", "max_completion_tokens", "max_new_tokens"})
    if (const auto most = TETRAD_API_TRY(fields.integer(key, 0))) {
      out.max_tokens = most;
      out.max_tokens_field = fields.name(key);
    }
  for (const char* key : {"min_tokens", "min_new_tokens"}) take(TETRAD_API_TRY(fields.integer(key, 0)), out.min_tokens);
  take(TETRAD_API_TRY(fields.integer("n", 1, kMaxCopies)), out.n);
  out.stop = TETRAD_API_TRY(fields.texts("stop", kMaxStops));
  for (const std::string& stop : out.stop)
    if (stop.empty()) return bad_field(fields.name("stop"), "holds an empty text");
  out.stop_token_ids = TETRAD_API_TRY(fields.ids("stop_token_ids", context.options.vocab));
  if (out.stop_token_ids.size() > kMaxStopTokens)
    return bad_field(fields.name("stop_token_ids"), "has too many entries");
  out.ignore_eos = TETRAD_API_TRY(fields.boolean("ignore_eos", false));
  out.skip_special_tokens = TETRAD_API_TRY(fields.boolean("skip_special_tokens", true));
  out.keep_stop = TETRAD_API_TRY(fields.boolean("include_stop_str_in_output", false));
  if (TETRAD_API_TRY(fields.boolean("no_stop_trim", false))) out.keep_stop = true;
  if (auto format = TETRAD_API_TRY(read_output_format(fields))) {
    if (out.format) return bad_field(format->field, fmt::format("does not go with {}", out.format->field));
    out.format = std::move(*format);
  }
  return refuse_unsupported(fields);
}

ApiResult<GenerationFields> read_generation(const Fields& fields, Context& context) {
  GenerationFields out;
  out.sampling = context.options.defaults;
  out.sampling.seed = context.random();
  TETRAD_API_TRY(read_sampling(fields, context, out));
  out.stream = TETRAD_API_TRY(fields.boolean("stream", false));
  TETRAD_API_TRY(read_stream_options(fields, out));
  take(TETRAD_API_TRY(fields.integer("priority", std::numeric_limits<std::int64_t>::min())), out.priority);
  for (const char* key : {"cache_salt", "extra_key"})
    if (const auto salt = TETRAD_API_TRY(fields.text(key)))
      out.cache_salt += std::to_string(salt->size()) + ':' + *salt;
  for (const char* key : {"rid", "request_id"})
    if (const auto id = TETRAD_API_TRY(fields.text(key))) out.rid = *id;
  return out;
}

ApiResult<std::int64_t> tokens_to_generate(const Generator& generator, std::size_t prompt_tokens,
                                           const GenerationFields& wanted, const std::string& prompt_field) {
  const std::int64_t context = generator.context_length(), pool = generator.pool_tokens();
  const auto size = static_cast<std::int64_t>(prompt_tokens);
  const auto too_long = [](const std::string& field, const std::string& message) {
    return tl::unexpected(ApiError{400, field + ": " + message, field, "context_length_exceeded", {}});
  };
  if (size == 0) return bad_field(prompt_field, "holds no token");
  const std::int64_t least = wanted.max_tokens == 0 ? 0 : 1;
  if (size + least > context)
    return too_long(prompt_field,
                    fmt::format("the prompt has {} tokens, the model's maximum context length is {}", size, context));
  if (size + least > pool)
    return too_long(prompt_field, fmt::format("the prompt has {} tokens, the server's memory holds {}", size, pool));
  if (!wanted.max_tokens) return std::min(context, pool) - size;
  if (*wanted.max_tokens > context - size)
    return too_long(
        wanted.max_tokens_field,
        fmt::format("{} tokens behind a prompt of {} are more than the model's maximum context length of {}",
                    *wanted.max_tokens, size, context));
  return *wanted.max_tokens;
}

ApiStatus add_requests(const Generator& generator, std::vector<std::int32_t> prompt, const GenerationFields& wanted,
                       Plan& plan) {
  EngineRequest request;
  request.max_tokens = TETRAD_API_TRY(tokens_to_generate(generator, prompt.size(), wanted, plan.prompt_field));
  if (wanted.min_tokens > request.max_tokens)
    return bad_field("min_tokens", fmt::format("is more than the {} tokens that may come", request.max_tokens));
  request.prompt = std::move(prompt);
  request.sampling = wanted.sampling;
  request.min_tokens = wanted.min_tokens;
  request.ignore_eos = wanted.ignore_eos;
  request.stop_token_ids = wanted.stop_token_ids;
  request.priority = wanted.priority;
  request.cache_salt = wanted.cache_salt;
  for (std::int64_t copy = 0; copy < wanted.n; ++copy) {
    plan.requests.push_back(request);
    plan.requests.back().sampling.seed += static_cast<std::uint64_t>(copy);
  }
  return {};
}

Plan make_plan(const GenerationFields& wanted, const std::string& id) {
  Plan plan;
  plan.copies = static_cast<std::size_t>(wanted.n);
  plan.choice.skip_special_tokens = wanted.skip_special_tokens;
  plan.choice.keep_stop = wanted.keep_stop;
  plan.choice.stop = wanted.stop;
  plan.choice.min_tokens = wanted.min_tokens;
  plan.id = wanted.rid.empty() ? id : wanted.rid;
  plan.stream = wanted.stream;
  return plan;
}

}  // namespace tetrad
