#include "tokenizer/decoder.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <optional>
#include <utility>

#include "base/utf8.h"
#include "tokenizer/byte_level.h"
#include "tokenizer/normalizer.h"
#include "tokenizer/tokenizer_file.h"

namespace tetrad {
namespace {

constexpr std::size_t kMaxTokenBytes = 1 << 16;  // after which a token is not made longer by replacements
constexpr std::string_view kReplacement = "\xEF\xBF\xBD";

// The byte of "<0x4A>".
std::optional<char> fallback_byte(std::string_view token) {
  if (token.size() != 6 || !token.starts_with("<0x") || token[5] != '>') return std::nullopt;
  int value = 0;
  for (const char c : token.substr(3, 2)) {
    const char lower = static_cast<char>(c | 0x20);
    if (c >= '0' && c <= '9')
      value = value * 16 + (c - '0');
    else if (lower >= 'a' && lower <= 'f')
      value = value * 16 + (lower - 'a' + 10);
    else
      return std::nullopt;
  }
  return static_cast<char>(value);
}

std::string byte_level_bytes(std::string_view token) { return byte_level::decode(token).value_or(std::string(token)); }

Result<std::size_t> read_count(const Json& json, const char* key, const std::string& component) {
  const Json& value = field_or_null(json, key);
  if (!value.is_number_unsigned() || value.get<std::uint64_t>() > 1'000'000)
    return invalid_input("malformed tokenizer", component, fmt::format("\"{}\" must be a count", key));
  return value.get<std::size_t>();
}

}  // namespace

Result<Decoder> Decoder::build(const Json& json, const std::string& where) {
  Decoder decoder;
  if (json.is_null()) return decoder;
  decoder.joins_with_space_ = false;
  TETRAD_TRY(decoder.add(json, where + ": decoder", 0));
  return decoder;
}

Status Decoder::add(const Json& json, const std::string& where, std::size_t depth) {
  const std::string type = TETRAD_TRY(string_field(json, "type", where));
  const std::string component = fmt::format("{} {}", where, printable(type, 40));
  if (steps_.size() >= kMaxSteps)
    return invalid_input("malformed tokenizer", component, fmt::format("more than {} steps", kMaxSteps));
  if (type == "Sequence") {
    const Json& parts = field_or_null(json, "decoders");
    if (!parts.is_array() || depth > 8)
      return invalid_input("malformed tokenizer", component, "decoders must be an array");
    for (const Json& part : parts) TETRAD_TRY(add(part, where, depth + 1));
  } else if (type == "ByteLevel") {
    steps_.emplace_back(ByteLevel{});
  } else if (type == "ByteFallback") {
    steps_.emplace_back(ByteFallback{});
  } else if (type == "Fuse") {
    steps_.emplace_back(Fuse{});
  } else if (type == "Strip") {
    return add_strip(json, component);
  } else if (type == "Replace") {
    Regex pattern = TETRAD_TRY(read_pattern(field_or_null(json, "pattern"), component));
    std::string content = TETRAD_TRY(string_field(json, "content", component));
    steps_.emplace_back(Replace{std::move(pattern), std::move(content)});
  } else if (type == "Metaspace") {
    std::string replacement = TETRAD_TRY(string_field(json, "replacement", component));
    if (utf8_count(replacement) != 1)
      return invalid_input("malformed tokenizer", component, "replacement must be one character");
    const Json& scheme = field_or_null(json, "prepend_scheme");
    const bool never = scheme.is_string() && scheme.get<std::string>() == "never";
    steps_.emplace_back(Metaspace{std::move(replacement), !never});
  } else if (type == "BPEDecoder") {
    std::string suffix = TETRAD_TRY(string_field(json, "suffix", component));
    if (suffix.empty()) return invalid_input("malformed tokenizer", component, "the suffix is empty");
    steps_.emplace_back(Suffix{std::move(suffix)});
  } else {
    return make_error(ErrorCode::kUnsupported, "unsupported tokenizer", component, "tetrad has no such decoder");
  }
  return {};
}

Status Decoder::add_strip(const Json& json, const std::string& component) {
  Strip step;
  step.content = TETRAD_TRY(string_field(json, "content", component));
  if (utf8_count(step.content) != 1)
    return invalid_input("malformed tokenizer", component, "content must be one character");
  step.start = TETRAD_TRY(read_count(json, "start", component));
  step.stop = TETRAD_TRY(read_count(json, "stop", component));
  steps_.emplace_back(std::move(step));
  return {};
}

bool Decoder::is_byte_level() const {
  if (steps_.empty() || !std::holds_alternative<ByteLevel>(steps_[0])) return false;
  return std::all_of(steps_.begin() + 1, steps_.end(), [](const Step& s) { return std::holds_alternative<Fuse>(s); });
}

std::string Decoder::strip(std::string_view token, const Strip& step) {
  for (std::size_t i = 0; i < step.start && token.starts_with(step.content); ++i)
    token.remove_prefix(step.content.size());
  for (std::size_t i = 0; i < step.stop && token.ends_with(step.content); ++i) token.remove_suffix(step.content.size());
  return std::string(token);
}

std::string Decoder::metaspace(std::string_view token, const Metaspace& step, bool first) {
  std::string out;
  for (std::size_t i = 0; i < token.size();) {
    const std::size_t start = i;
    utf8_next(token, i);
    const std::string_view character = token.substr(start, i - start);
    if (character != step.replacement)
      out += character;
    else if (!(first && step.strips_first))
      out += ' ';
  }
  return out;
}

// A run of byte tokens becomes its text, or one U+FFFD for each of them when the run is not well-formed.
std::vector<std::string> Decoder::byte_fallback(const std::vector<std::string>& tokens) {
  std::vector<std::string> out;
  std::string run;
  const auto flush = [&] {
    if (run.empty()) return;
    if (is_valid_utf8(run))
      out.push_back(run);
    else
      out.insert(out.end(), run.size(), std::string(kReplacement));
    run.clear();
  };
  for (const std::string& token : tokens) {
    if (const auto byte = fallback_byte(token)) {
      run += *byte;
      continue;
    }
    flush();
    out.push_back(token);
  }
  flush();
  return out;
}

std::string Decoder::decode(std::vector<std::string> tokens) const {
  RegexScratch scratch;
  for (const Step& step : steps_) {
    if (std::holds_alternative<ByteLevel>(step)) {
      std::string bytes;
      for (const std::string& token : tokens) bytes += byte_level_bytes(token);
      tokens.assign(1, utf8_lossy(bytes));
    } else if (std::holds_alternative<ByteFallback>(step)) {
      tokens = byte_fallback(tokens);
    } else if (std::holds_alternative<Fuse>(step)) {
      std::string all;
      for (const std::string& token : tokens) all += token;
      tokens.assign(1, std::move(all));
    } else if (const auto* strip_step = std::get_if<Strip>(&step)) {
      for (std::string& token : tokens) token = strip(token, *strip_step);
    } else if (const auto* replace = std::get_if<Replace>(&step)) {
      for (std::string& token : tokens)
        token = replace_all(token, replace->pattern, replace->content, scratch, kMaxTokenBytes);
    } else if (const auto* meta = std::get_if<Metaspace>(&step)) {
      for (std::size_t i = 0; i < tokens.size(); ++i) tokens[i] = metaspace(tokens[i], *meta, i == 0);
    } else if (const auto* suffix = std::get_if<Suffix>(&step)) {
      const Regex pattern = Regex::literal(suffix->text, "BPEDecoder").value();
      for (std::size_t i = 0; i < tokens.size(); ++i)
        tokens[i] = replace_all(tokens[i], pattern, i + 1 == tokens.size() ? "" : " ", scratch, kMaxTokenBytes);
    }
  }
  std::string out;
  for (std::size_t i = 0; i < tokens.size(); ++i) {
    if (i > 0 && joins_with_space_) out += ' ';
    out += tokens[i];
  }
  return out;
}

std::string Decoder::token_bytes(std::string_view token) const {
  RegexScratch scratch;
  std::string text(token);
  for (const Step& step : steps_) {
    if (std::holds_alternative<ByteLevel>(step)) return byte_level_bytes(text);
    if (std::holds_alternative<ByteFallback>(step)) {
      if (const auto byte = fallback_byte(text)) return std::string(1, *byte);
    } else if (const auto* replace = std::get_if<Replace>(&step)) {
      text = replace_all(text, replace->pattern, replace->content, scratch, kMaxTokenBytes);
    } else if (const auto* meta = std::get_if<Metaspace>(&step)) {
      text = metaspace(text, *meta, false);
    } else if (const auto* suffix = std::get_if<Suffix>(&step)) {
      text = replace_all(text, Regex::literal(suffix->text, "BPEDecoder").value(), " ", scratch, kMaxTokenBytes);
    }
  }
  return text;
}

DecoderStream::DecoderStream(const Decoder& decoder) : decoder_(&decoder), fuse_at_(decoder.steps_.size()) {
  const auto& steps = decoder.steps_;
  seen_.resize(steps.size());
  stripped_.resize(steps.size());
  std::size_t fallbacks = 0;
  for (std::size_t i = 0; i < steps.size(); ++i) {
    const bool fused_before = i > fuse_at_;
    const auto* strip = std::get_if<Decoder::Strip>(&steps[i]);
    if (strip != nullptr) stripped_[i] = strip->start;
    if (std::holds_alternative<Decoder::Fuse>(steps[i]))
      fuse_at_ = std::min(fuse_at_, i);
    else if (std::holds_alternative<Decoder::ByteLevel>(steps[i]) || std::holds_alternative<Decoder::Suffix>(steps[i]))
      incremental_ = false;
    else if (std::holds_alternative<Decoder::ByteFallback>(steps[i]) && ++fallbacks > 1)
      incremental_ = false;
    else if (fused_before && (strip == nullptr || strip->stop != 0))
      incremental_ = false;
  }
}

std::string DecoderStream::push(std::string token) {
  if (!incremental_) {
    held_.push_back(std::move(token));
    return {};
  }
  return run({std::move(token)}, false);
}

std::string DecoderStream::finish() {
  std::string rest = incremental_ ? run({}, true) : decoder_->decode(std::move(held_));
  *this = DecoderStream(*decoder_);
  return rest;
}

// One round through the steps; only ByteFallback keeps something back (the run of byte tokens so far, in held_).
std::string DecoderStream::run(std::vector<std::string> tokens, bool last) {
  RegexScratch scratch;
  std::size_t index = 0;
  for (; index < fuse_at_; ++index) {
    const Decoder::Step& step = decoder_->steps_[index];
    if (std::holds_alternative<Decoder::ByteFallback>(step)) {
      held_.insert(held_.end(), tokens.begin(), tokens.end());
      tokens.clear();
      if (last || (!held_.empty() && !fallback_byte(held_.back())))
        tokens = Decoder::byte_fallback(std::exchange(held_, {}));
    } else if (const auto* strip = std::get_if<Decoder::Strip>(&step)) {
      for (std::string& token : tokens) token = Decoder::strip(token, *strip);
    } else if (const auto* replace = std::get_if<Decoder::Replace>(&step)) {
      for (std::string& token : tokens)
        token = replace_all(token, replace->pattern, replace->content, scratch, kMaxTokenBytes);
    } else if (const auto* meta = std::get_if<Decoder::Metaspace>(&step)) {
      for (std::string& token : tokens) token = Decoder::metaspace(token, *meta, seen_[index]++ == 0);
    }
  }
  std::string out;
  for (const std::string& token : tokens) {
    if (decoder_->joins_with_space_ && any_) out += ' ';
    any_ = true;
    out += token;
  }
  return fused(std::move(out));
}

std::string DecoderStream::fused(std::string text) {
  for (std::size_t i = fuse_at_; i < decoder_->steps_.size(); ++i) {
    const auto* strip = std::get_if<Decoder::Strip>(&decoder_->steps_[i]);
    if (strip == nullptr) continue;
    std::string_view rest = text;
    for (; stripped_[i] > 0 && rest.starts_with(strip->content); --stripped_[i])
      rest.remove_prefix(strip->content.size());
    if (!rest.empty()) stripped_[i] = 0;
    text = std::string(rest);
  }
  return text;
}

std::string Utf8Stream::push(std::string_view bytes) {
  pending_ += bytes;
  std::size_t keep = pending_.size();  // from here on: the begin of a character that may still be completed
  for (std::size_t back = 1; back <= 3 && back <= pending_.size(); ++back) {
    const std::size_t at = pending_.size() - back;
    if ((static_cast<unsigned char>(pending_[at]) & 0xC0) == 0x80) continue;
    const std::string_view tail = std::string_view(pending_).substr(at);
    const bool unfinished = static_cast<unsigned char>(tail[0]) >= 0xC2 &&
                            static_cast<unsigned char>(tail[0]) <= 0xF4 && utf8_sequence_length(tail) == 0 &&
                            utf8_invalid_length(tail) == back;
    if (unfinished) keep = at;
    break;
  }
  std::string out = utf8_lossy(std::string_view(pending_).substr(0, keep));
  pending_.erase(0, keep);
  return out;
}

std::string Utf8Stream::finish() { return utf8_lossy(std::exchange(pending_, {})); }

}  // namespace tetrad
