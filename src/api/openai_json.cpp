#include "api/openai_json.h"

#include <nlohmann/json.hpp>

namespace tetrad {

Json openai_usage(const Usage& usage) {
  return {{"prompt_tokens", usage.prompt_tokens},
          {"completion_tokens", usage.completion_tokens},
          {"total_tokens", usage.prompt_tokens + usage.completion_tokens},
          {"prompt_tokens_details", {{"cached_tokens", usage.cached_tokens}}},
          {"completion_tokens_details", {{"reasoning_tokens", usage.reasoning_tokens}}}};
}

Json openai_finish(FinishReason reason, bool called) {
  switch (reason) {
    case FinishReason::kNone:
      return nullptr;
    case FinishReason::kStop:
      return called ? "tool_calls" : "stop";
    case FinishReason::kLength:
      return "length";
    case FinishReason::kAbort:
    case FinishReason::kError:
      break;
  }
  return "abort";
}

Json matched_stop(const Choice& choice) {
  if (!choice.stop_string().empty()) return choice.stop_string();
  if (choice.end_token()) return *choice.end_token();
  return nullptr;
}

}  // namespace tetrad
