// What the engine is asked for and what it gives back: token ids only, no text, no JSON. Built by api/, run by
// engine.h.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "sampling/sampler.h"
#include "sampling/token_constraint.h"

namespace tetrad {

struct EngineRequest {
  std::vector<std::int32_t> prompt;  // not empty
  SamplingParams sampling;
  std::int64_t max_tokens = 0;               // to generate; 0: only look at the prompt (with prompt_logprobs)
  std::int64_t min_tokens = 0;               // no stop token is chosen before
  bool ignore_eos = false;                   // the model's end tokens don't end it
  std::vector<std::int32_t> stop_token_ids;  // end it as well; they are part of the output
  std::int64_t logprobs = -1;                // alternatives reported with each generated token; -1: no logprobs at all
  std::int64_t prompt_logprobs = -1;         // the same for prompt tokens, from the second on
  std::int64_t priority = 0;                 // higher goes first
  std::shared_ptr<TokenConstraint> constraint;  // what the output may be; this request's alone
  std::string cache_salt;                       // requests share cached prefixes only with the same salt
};

// Natural logarithms of the model's own probabilities: before temperature, penalties and masks.
struct TokenLogprob {
  std::int32_t id = 0;
  float logprob = 0;
};
struct OutputToken {
  std::int32_t id = 0;
  float logprob = 0;              // 0 when not asked for
  std::vector<TokenLogprob> top;  // the likeliest first
};

enum class FinishReason : std::uint8_t {
  kNone,    // more is to come
  kStop,    // a stop or end token, the last of the output
  kLength,  // max_tokens or the model's context
  kAbort,   // cancelled, or the engine stopped
  kError,   // OutputEvent::error says why
};

// One step's news of a request.
struct OutputEvent {
  std::vector<OutputToken> tokens;
  std::vector<OutputToken>
      prompt;  // once, with the first event, when prompt_logprobs was asked: prompt[1], prompt[2], ...
  FinishReason finish = FinishReason::kNone;
  std::int64_t cached_tokens = 0;  // of the prompt, taken from the prefix cache
  std::string error;
};

// Called on the engine's thread, in order, the last time with finish != kNone: hand the event over and return at once.
using OutputSink = std::function<void(OutputEvent)>;

}  // namespace tetrad
