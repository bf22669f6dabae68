// The fields that all routes share which generate. Used by the routes' request readers.
#pragma once

#include "api/fields.h"
#include "api/generation.h"
#include "api/output_format.h"

namespace tetrad {

struct GenerationFields {
  SamplingParams sampling;  // the model's defaults where the request has nothing
  std::optional<std::int64_t> max_tokens;
  std::string max_tokens_field = "max_tokens";  // the one that was given
  std::int64_t min_tokens = 0, n = 1, priority = 0;
  std::vector<std::string> stop;
  std::vector<std::int32_t> stop_token_ids;
  bool ignore_eos = false, skip_special_tokens = true, keep_stop = false, stream = false;
  bool include_usage = false, continuous_usage = false;  // stream_options
  std::string cache_salt, rid;
  std::optional<OutputFormat> format;
};

// OpenAI's names and SGLang's. Refuses (400) what this build can't do rather than ignore it.
ApiResult<GenerationFields> read_generation(const Fields& fields, Context& context);
// temperature, top_p, ...; also of /generate's sampling_params.
ApiStatus read_sampling(const Fields& fields, const Context& context, GenerationFields& out);

// How much may be generated behind a prompt: max_tokens, or what context and pool leave. 400 when it doesn't fit.
ApiResult<std::int64_t> tokens_to_generate(const Generator& generator, std::size_t prompt_tokens,
                                           const GenerationFields& wanted, const std::string& prompt_field);

// Adds n requests for a prompt to the plan; each has its own seed.
ApiStatus add_requests(const Generator& generator, std::vector<std::int32_t> prompt, const GenerationFields& wanted,
                       Plan& plan);
// What the fields say of all of its choices.
Plan make_plan(const GenerationFields& wanted, const std::string& id);

}  // namespace tetrad
