#include "tokenizer/normalizer.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <string_view>
#include <utility>

#include "base/log.h"
#include "base/utf8.h"
#include "tokenizer/byte_level.h"
#include "tokenizer/tokenizer_file.h"

namespace tetrad {
namespace {

// No real normalizer grows a text more than elevenfold (NFKC of U+FDFA); a chain of replacements in a hostile file
// could.
constexpr std::size_t kMaxGrowth = 32, kAlwaysAllowed = 1 << 16;

std::string_view strip_left(std::string_view text) {
  for (std::size_t i = 0; i < text.size();) {
    const std::size_t start = i;
    if (!unicode::is_white_space(utf8_next(text, i))) return text.substr(start);
  }
  return {};
}

std::string_view strip_right(std::string_view text) {
  std::size_t end = 0;  // of the last character that stays
  for (std::size_t i = 0; i < text.size();)
    if (!unicode::is_white_space(utf8_next(text, i))) end = i;
  return text.substr(0, end);
}

}  // namespace

Result<Regex> read_pattern(const Json& json, const std::string& component) {
  if (json.is_object() && json.size() == 1) {
    const Json& text = json.begin().value();
    if (text.is_string() && json.begin().key() == "String")
      return Regex::literal(text.get_ref<const std::string&>(), component);
    if (text.is_string() && json.begin().key() == "Regex")
      return Regex::compile(text.get_ref<const std::string&>(), component);
  }
  return invalid_input("malformed tokenizer", component, "the pattern must be {\"String\": ...} or {\"Regex\": ...}");
}

std::string replace_all(std::string_view text, const Regex& pattern, std::string_view content, RegexScratch& scratch,
                        std::size_t max_bytes) {
  std::vector<Span> spans;
  pattern.find_all(text, scratch, spans);
  std::string out;
  out.reserve(text.size());
  for (const Span& s : spans) {
    const bool replaces = s.is_match && out.size() <= max_bytes && content.size() <= max_bytes;
    out += replaces ? content : text.substr(s.begin, s.end - s.begin);
  }
  return out;
}

Result<Normalizer> Normalizer::build(const Json& json, const std::string& where) {
  Normalizer normalizer;
  if (!json.is_null()) TETRAD_TRY(normalizer.add(json, where + ": normalizer", 0));
  return normalizer;
}

Status Normalizer::add(const Json& json, const std::string& where, std::size_t depth) {
  const std::string type = TETRAD_TRY(string_field(json, "type", where));
  const std::string component = fmt::format("{} {}", where, printable(type, 40));
  if (steps_.size() >= kMaxSteps)
    return invalid_input("malformed tokenizer", component, fmt::format("more than {} steps", kMaxSteps));
  if (type == "Sequence") {
    const Json& parts = field_or_null(json, "normalizers");
    if (!parts.is_array() || depth > 8)
      return invalid_input("malformed tokenizer", component, "normalizers must be an array");
    for (const Json& part : parts) TETRAD_TRY(add(part, where, depth + 1));
  } else if (type == "NFC") {
    steps_.emplace_back(unicode::Form::kNfc);
  } else if (type == "NFD") {
    steps_.emplace_back(unicode::Form::kNfd);
  } else if (type == "NFKC") {
    steps_.emplace_back(unicode::Form::kNfkc);
  } else if (type == "NFKD") {
    steps_.emplace_back(unicode::Form::kNfkd);
  } else if (type == "Lowercase") {
    steps_.emplace_back(Lowercase{});
  } else if (type == "ByteLevel") {
    steps_.emplace_back(ByteLevel{});
  } else if (type == "Strip") {
    const bool left = TETRAD_TRY(bool_field(json, "strip_left", component));
    const bool right = TETRAD_TRY(bool_field(json, "strip_right", component));
    steps_.emplace_back(Strip{left, right});
  } else if (type == "Prepend") {
    steps_.emplace_back(Prepend{TETRAD_TRY(string_field(json, "prepend", component))});
  } else if (type == "Replace") {
    Regex pattern = TETRAD_TRY(read_pattern(field_or_null(json, "pattern"), component));
    std::string content = TETRAD_TRY(string_field(json, "content", component));
    steps_.emplace_back(Replace{std::move(pattern), std::move(content)});
  } else {
    return make_error(ErrorCode::kUnsupported, "unsupported tokenizer", component, "tetrad has no such normalizer");
  }
  return {};
}

void Normalizer::apply(std::string& text, bool& at_start, RegexScratch& scratch) const {
  const std::size_t limit = kMaxGrowth * text.size() + kAlwaysAllowed;
  for (const Step& step : steps_) {
    if (text.size() > limit) {
      log_warning("the tokenizer's normalizer grew a text more than 32 times; its remaining steps were left out");
      return;
    }
    if (const auto* form = std::get_if<unicode::Form>(&step)) {
      text = unicode::normalize(text, *form);
    } else if (std::holds_alternative<Lowercase>(step)) {
      text = unicode::to_lower(text);
    } else if (std::holds_alternative<ByteLevel>(step)) {
      text = byte_level::encode(text);
    } else if (const auto* strip = std::get_if<Strip>(&step)) {
      std::string_view kept = text;
      if (strip->left) kept = strip_left(kept);
      if (kept.size() != text.size()) at_start = false;
      if (strip->right) kept = strip_right(kept);
      text = std::string(kept);
    } else if (const auto* prepend = std::get_if<Prepend>(&step)) {
      if (!text.empty() && prepend->text.size() <= limit) text.insert(0, prepend->text);
    } else if (const auto* replace = std::get_if<Replace>(&step)) {
      text = replace_all(text, replace->pattern, replace->content, scratch, limit);
    }
  }
}

}  // namespace tetrad
