#include "tokenizer/pre_tokenizer.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>

#include "base/utf8.h"
#include "tokenizer/byte_level.h"
#include "tokenizer/normalizer.h"
#include "tokenizer/tokenizer_file.h"
#include "tokenizer/unicode.h"

namespace tetrad {
namespace {

constexpr std::string_view kGpt2Pattern =
    R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)";

}  // namespace

struct PreTokenizer::Run {
  RegexScratch& regex;
  PreTokenizerScratch& scratch;
  const Sink& sink;
};

Result<PreTokenizer> PreTokenizer::build(const Json& json, const std::string& where) {
  PreTokenizer pre_tokenizer;
  if (!json.is_null()) TETRAD_TRY(pre_tokenizer.add(json, where + ": pre_tokenizer", 0));
  return pre_tokenizer;
}

Status PreTokenizer::add(const Json& json, const std::string& where, std::size_t depth) {
  const std::string type = TETRAD_TRY(string_field(json, "type", where));
  const std::string component = fmt::format("{} {}", where, printable(type, 40));
  if (steps_.size() >= kMaxSteps)
    return invalid_input("malformed tokenizer", component, fmt::format("more than {} steps", kMaxSteps));
  if (type == "Sequence") {
    const Json& parts = field_or_null(json, "pretokenizers");
    if (!parts.is_array() || depth > 8)
      return invalid_input("malformed tokenizer", component, "pretokenizers must be an array");
    for (const Json& part : parts) TETRAD_TRY(add(part, where, depth + 1));
  } else if (type == "Split") {
    return add_split(json, component);
  } else if (type == "ByteLevel") {
    return add_byte_level(json, component);
  } else if (type == "Metaspace") {
    return add_metaspace(json, component);
  } else if (type == "Digits") {
    const bool individual = TETRAD_TRY(bool_field(json, "individual_digits", component));
    steps_.emplace_back(SplitByClass{CharClass::kNumeric, individual ? Behavior::kIsolated : Behavior::kContiguous});
  } else if (type == "Punctuation") {
    Behavior behavior = Behavior::kIsolated;
    if (!field_or_null(json, "behavior").is_null()) behavior = TETRAD_TRY(read_behavior(json, component));
    steps_.emplace_back(SplitByClass{CharClass::kPunctuation, behavior});
  } else if (type == "WhitespaceSplit") {
    steps_.emplace_back(SplitByClass{CharClass::kWhiteSpace, Behavior::kRemoved});
  } else if (type == "Whitespace") {
    // This one is Rust's \w in the reference: no superscripts, but joiners.
    constexpr std::string_view kWords =
        R"([\p{Alpha}\p{M}\p{Nd}\p{Pc}\x{200c}\x{200d}]+|[^\p{Alpha}\p{M}\p{Nd}\p{Pc}\x{200c}\x{200d}\s]+)";
    steps_.emplace_back(SplitByRegex{TETRAD_TRY(Regex::compile(kWords, component)), Behavior::kRemoved, true});
  } else if (type == "CharDelimiterSplit" || type == "Delimiter") {
    const std::string delimiter = TETRAD_TRY(string_field(json, "delimiter", component));
    steps_.emplace_back(SplitByRegex{TETRAD_TRY(Regex::literal(delimiter, component)), Behavior::kRemoved, false});
  } else {
    return make_error(ErrorCode::kUnsupported, "unsupported tokenizer", component, "tetrad has no such pre-tokenizer");
  }
  return {};
}

Result<PreTokenizer::Behavior> PreTokenizer::read_behavior(const Json& json, const std::string& component) {
  const std::string name = TETRAD_TRY(string_field(json, "behavior", component));
  if (name == "Removed") return Behavior::kRemoved;
  if (name == "Isolated") return Behavior::kIsolated;
  if (name == "MergedWithPrevious") return Behavior::kMergedWithPrevious;
  if (name == "MergedWithNext") return Behavior::kMergedWithNext;
  if (name == "Contiguous") return Behavior::kContiguous;
  return invalid_input("malformed tokenizer", component, fmt::format("unknown behavior \"{}\"", printable(name, 40)));
}

Status PreTokenizer::add_split(const Json& json, const std::string& component) {
  Regex pattern = TETRAD_TRY(read_pattern(field_or_null(json, "pattern"), component));
  const Behavior behavior = TETRAD_TRY(read_behavior(json, component));
  const bool invert = TETRAD_TRY(bool_field(json, "invert", component));
  steps_.emplace_back(SplitByRegex{std::move(pattern), behavior, invert});
  return {};
}

Status PreTokenizer::add_metaspace(const Json& json, const std::string& component) {
  const std::string replacement = TETRAD_TRY(string_field(json, "replacement", component));
  if (utf8_count(replacement) != 1)
    return invalid_input("malformed tokenizer", component, "replacement must be one character");
  Prepend prepend = Prepend::kAlways;
  if (!field_or_null(json, "prepend_scheme").is_null()) {
    const std::string scheme = TETRAD_TRY(string_field(json, "prepend_scheme", component));
    if (scheme != "always" && scheme != "first" && scheme != "never")
      return invalid_input("malformed tokenizer", component,
                           fmt::format("unknown prepend_scheme \"{}\"", printable(scheme, 40)));
    prepend = scheme == "always" ? Prepend::kAlways : scheme == "first" ? Prepend::kFirst : Prepend::kNever;
  } else if (!TETRAD_TRY(bool_field(json, "add_prefix_space", component, true))) {
    return invalid_input("malformed tokenizer", component,
                         "add_prefix_space is false, which needs prepend_scheme \"never\"");
  }
  const bool split = TETRAD_TRY(bool_field(json, "split", component, true));
  auto literal = TETRAD_TRY(Regex::literal(replacement, component));
  steps_.emplace_back(Metaspace{replacement, std::move(literal), prepend, split});
  return {};
}

Status PreTokenizer::add_byte_level(const Json& json, const std::string& component) {
  const auto earlier =
      std::count_if(steps_.begin(), steps_.end(), [](const Step& s) { return std::holds_alternative<ByteLevel>(s); });
  if (earlier >= 4)
    return invalid_input("malformed tokenizer", component, "more than 4 of them");  // each may double the text
  ByteLevel step;
  step.add_prefix_space = TETRAD_TRY(bool_field(json, "add_prefix_space", component));
  if (TETRAD_TRY(bool_field(json, "use_regex", component, true)))
    step.pattern.push_back(TETRAD_TRY(Regex::compile(kGpt2Pattern, component)));
  steps_.emplace_back(std::move(step));
  return {};
}

bool PreTokenizer::ends_in_byte_level() const {
  return !steps_.empty() && std::holds_alternative<ByteLevel>(steps_.back());
}

void PreTokenizer::split(std::string_view text, bool at_start, RegexScratch& regex, PreTokenizerScratch& scratch,
                         const Sink& sink) const {
  scratch.steps.resize(steps_.size());
  step(0, text, at_start, Run{regex, scratch, sink});
}

void PreTokenizer::find_class(std::string_view text, CharClass wanted, std::vector<Span>& spans) {
  spans.clear();
  std::size_t covered = 0;
  for (std::size_t i = 0; i < text.size();) {
    const std::size_t start = i;
    const char32_t c = utf8_next(text, i);
    const bool found = wanted == CharClass::kNumeric       ? unicode::is_numeric(c)
                       : wanted == CharClass::kPunctuation ? unicode::is_punctuation(c)
                                                           : unicode::is_white_space(c);
    if (!found) continue;
    if (covered < start) spans.push_back({covered, start, false});
    spans.push_back({start, i, true});
    covered = i;
  }
  if (covered < text.size()) spans.push_back({covered, text.size(), false});
}

// Turns scratch.spans into the parts to keep: is_match then says "remove".
void PreTokenizer::apply_behavior(Behavior behavior, bool invert, PreTokenizerScratch::Step& scratch) {
  auto& spans = scratch.spans;
  if (invert)
    for (Span& s : spans) s.is_match = !s.is_match;
  if (behavior == Behavior::kRemoved) return;
  if (behavior == Behavior::kIsolated) {
    for (Span& s : spans) s.is_match = false;
    return;
  }
  if (behavior == Behavior::kMergedWithNext) std::reverse(spans.begin(), spans.end());
  auto& merged = scratch.merged;
  merged.clear();
  bool previous = false;  // whether the span before was a match
  for (const Span& s : spans) {
    const bool joins = behavior == Behavior::kContiguous ? s.is_match == previous : s.is_match && !previous;
    if (joins && !merged.empty()) {
      merged.back().begin = std::min(merged.back().begin, s.begin);
      merged.back().end = std::max(merged.back().end, s.end);
    } else {
      merged.push_back({s.begin, s.end, false});
    }
    previous = s.is_match;
  }
  if (behavior == Behavior::kMergedWithNext) std::reverse(merged.begin(), merged.end());
  spans.swap(merged);
}

void PreTokenizer::pieces(std::size_t index, std::string_view text, bool at_start, const Run& run) const {
  for (const Span& s : run.scratch.steps[index].spans)
    if (!s.is_match && s.begin != s.end)
      step(index + 1, text.substr(s.begin, s.end - s.begin), at_start && s.begin == 0, run);
}

void PreTokenizer::step(std::size_t index, std::string_view text, bool at_start, const Run& run) const {
  if (text.empty()) return;
  if (index == steps_.size()) return run.sink(text);
  PreTokenizerScratch::Step& scratch = run.scratch.steps[index];
  if (const auto* by_regex = std::get_if<SplitByRegex>(&steps_[index])) {
    by_regex->pattern.find_all(text, run.regex, scratch.spans);
    apply_behavior(by_regex->behavior, by_regex->invert, scratch);
    return pieces(index, text, at_start, run);
  }
  if (const auto* by_class = std::get_if<SplitByClass>(&steps_[index])) {
    find_class(text, by_class->characters, scratch.spans);
    apply_behavior(by_class->behavior, false, scratch);
    return pieces(index, text, at_start, run);
  }
  if (const auto* meta = std::get_if<Metaspace>(&steps_[index])) {
    std::string& written = scratch.text;
    written.clear();
    for (const char c : text) c == ' ' ? written += meta->replacement : written += c;
    const bool wanted = meta->prepend == Prepend::kAlways || (meta->prepend == Prepend::kFirst && at_start);
    if (wanted && !written.starts_with(meta->replacement)) written.insert(0, meta->replacement);
    if (!meta->split) return step(index + 1, written, at_start, run);
    meta->pattern.find_all(written, run.regex, scratch.spans);
    apply_behavior(Behavior::kMergedWithNext, false, scratch);
    return pieces(index, written, at_start, run);
  }
  const auto& bytes = std::get<ByteLevel>(steps_[index]);
  const bool last = index + 1 == steps_.size();
  if (bytes.add_prefix_space && !text.starts_with(' ')) {
    scratch.text.assign(1, ' ');
    scratch.text += text;
    text = scratch.text;
  }
  if (bytes.pattern.empty()) {
    scratch.spans.assign(1, {0, text.size(), false});
  } else {
    bytes.pattern[0].find_all(text, run.regex, scratch.spans);
    apply_behavior(Behavior::kIsolated, false, scratch);
  }
  if (last) return pieces(index, text, at_start, run);
  for (const Span& s : scratch.spans)
    if (s.begin != s.end)
      step(index + 1, byte_level::encode(text.substr(s.begin, s.end - s.begin)), at_start && s.begin == 0, run);
}

}  // namespace tetrad
