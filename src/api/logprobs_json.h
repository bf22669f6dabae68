// Logprobs in the shapes of OpenAI's APIs. Used by chat.cpp, responses.cpp and completions.cpp.
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/json.h"
#include "engine/request.h"
#include "tokenizer/tokenizer.h"

namespace tetrad {

inline constexpr std::int64_t kMaxTopLogprobs = 20;

// {"token", "logprob", "bytes", "top_logprobs": [{"token", "logprob", "bytes"}, ...]}; bytes are the token's own, also
// where they are no UTF-8 by themselves.
Json chat_logprob(const Tokenizer& tokenizer, const OutputToken& token);

// vLLM's prompt_logprobs: null for the first token, then {"ID": {"logprob", "rank", "decoded_token"}, ...} for each of
// `tokens`: `tops` alternatives and the token itself, whose rank is null when it isn't among those the engine reported.
Json prompt_logprobs(const Tokenizer& tokenizer, const std::vector<OutputToken>& tokens, std::int64_t tops);

// The legacy lists "tokens", "token_logprobs", "top_logprobs", "text_offset" of /v1/completions, growing.
class LegacyLogprobs {
 public:
  LegacyLogprobs(const Tokenizer& tokenizer, std::int64_t tops) : tokenizer_(&tokenizer), tops_(tops) {}
  void add_first(std::int32_t id);  // of an echoed prompt: it has no logprob
  void add(const OutputToken& token);
  bool empty() const { return size_ == 0; }
  Json take();  // the lists since the last call

 private:
  void add_token(const std::string& bytes);

  const Tokenizer* tokenizer_;
  std::int64_t tops_;
  std::size_t size_ = 0, offset_ = 0;  // offset: characters before the next token
  std::vector<std::string> tokens_;
  std::vector<std::size_t> offsets_;
  std::vector<std::optional<double>> logprobs_;
  std::vector<std::vector<std::pair<std::string, double>>> alternatives_;
};

}  // namespace tetrad
