#include "api/logprobs_json.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "base/utf8.h"

namespace tetrad {
namespace {

// JSON has no infinity; OpenAI's own stand-in for "as good as never".
double finite(float logprob) { return std::isfinite(logprob) ? static_cast<double>(logprob) : -9999.0; }

Json entry(const Tokenizer& tokenizer, std::int32_t id, float logprob) {
  const std::string bytes = tokenizer.token_bytes(id);
  Json list = Json::array();
  for (const char byte : bytes) list.push_back(static_cast<unsigned>(static_cast<unsigned char>(byte)));
  return {{"token", utf8_lossy(bytes)}, {"logprob", finite(logprob)}, {"bytes", list}};
}

// The legacy lists have no bytes: a token that is no text by itself is written as OpenAI did, "bytes:\xe2\x80".
std::string legacy_text(const std::string& bytes) {
  if (is_valid_utf8(bytes)) return bytes;
  std::string text = "bytes:";
  for (const char byte : bytes)
    text += fmt::format("\\x{:02x}", static_cast<unsigned>(static_cast<unsigned char>(byte)));
  return text;
}

Json prompt_logprob(const Tokenizer& tokenizer, const OutputToken& token, std::int64_t tops) {
  Json result = Json::object();
  const auto add = [&](std::int32_t id, float logprob, const Json& rank) {
    result[std::to_string(id)] = {
        {"logprob", finite(logprob)}, {"rank", rank}, {"decoded_token", utf8_lossy(tokenizer.token_bytes(id))}};
  };
  add(token.id, token.logprob, nullptr);
  for (std::size_t k = 0; k < token.top.size(); ++k)
    if (static_cast<std::int64_t>(k) < tops || token.top[k].id == token.id)
      add(token.top[k].id, token.top[k].logprob, k + 1);
  return result;
}

}  // namespace

Json chat_logprob(const Tokenizer& tokenizer, const OutputToken& token) {
  Json result = entry(tokenizer, token.id, token.logprob);
  result["top_logprobs"] = Json::array();
  for (const TokenLogprob& top : token.top) result["top_logprobs"].push_back(entry(tokenizer, top.id, top.logprob));
  return result;
}

Json prompt_logprobs(const Tokenizer& tokenizer, const std::vector<OutputToken>& tokens, std::int64_t tops) {
  Json list = Json::array({nullptr});
  for (const OutputToken& token : tokens) list.push_back(prompt_logprob(tokenizer, token, tops));
  return list;
}

void LegacyLogprobs::add_token(const std::string& bytes) {
  tokens_.push_back(legacy_text(bytes));
  // A character spread over several tokens counts where it begins, and all of them stand there.
  const auto goes_on = [](char byte) { return (static_cast<unsigned char>(byte) & 0xC0U) == 0x80U; };
  offsets_.push_back(!bytes.empty() && goes_on(bytes[0]) && offset_ > 0 ? offset_ - 1 : offset_);
  for (const char byte : bytes) offset_ += goes_on(byte) ? 0U : 1U;
  ++size_;
}

void LegacyLogprobs::add_first(std::int32_t id) {
  add_token(tokenizer_->token_bytes(id));
  logprobs_.emplace_back();
  alternatives_.emplace_back();
}

void LegacyLogprobs::add(const OutputToken& token) {
  add_token(tokenizer_->token_bytes(token.id));
  logprobs_.emplace_back(finite(token.logprob));
  auto& list = alternatives_.emplace_back();
  for (std::size_t k = 0; k < token.top.size() && static_cast<std::int64_t>(k) < tops_; ++k)
    list.emplace_back(legacy_text(tokenizer_->token_bytes(token.top[k].id)), finite(token.top[k].logprob));
  list.emplace_back(tokens_.back(), finite(token.logprob));
}

Json LegacyLogprobs::take() {
  Json logprobs = Json::array(), tops = Json::array();
  for (const auto& logprob : logprobs_) logprobs.push_back(logprob ? Json(*logprob) : Json());
  for (std::size_t t = 0; t < alternatives_.size(); ++t) {
    if (!logprobs_[t]) {
      tops.push_back(nullptr);
      continue;
    }
    Json object = Json::object();  // two tokens may have one text: the likelier stands
    for (const auto& [text, logprob] : alternatives_[t])
      if (!object.contains(text) || object[text].get<double>() < logprob) object[text] = logprob;
    tops.push_back(std::move(object));
  }
  Json result = {{"tokens", tokens_}, {"token_logprobs", logprobs}, {"top_logprobs", tops}, {"text_offset", offsets_}};
  size_ = 0;
  tokens_.clear();
  offsets_.clear();
  logprobs_.clear();
  alternatives_.clear();
  return result;
}

}  // namespace tetrad
