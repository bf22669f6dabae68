#include "tokenizer/regex.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <fmt/format.h>
#include <pcre2.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <limits>
#include <optional>

#include "base/log.h"
#include "base/utf8.h"
#include "tokenizer/regex_syntax.h"
#include "tokenizer/unicode.h"

namespace tetrad {

// With linkage, as the types have that hold it.
struct PcreFree {
  void operator()(pcre2_code* p) const { pcre2_code_free(p); }
  void operator()(pcre2_match_data* p) const { pcre2_match_data_free(p); }
  void operator()(pcre2_match_context* p) const { pcre2_match_context_free(p); }
  void operator()(pcre2_jit_stack* p) const { pcre2_jit_stack_free(p); }
  void operator()(pcre2_compile_context* p) const { pcre2_compile_context_free(p); }
};

namespace {

constexpr std::size_t kMaxPatternBytes = 65'536;
constexpr std::size_t kJitStackStart = 32 * 1024, kJitStackLimit = std::size_t{64} << 20;
constexpr std::uint32_t kMinSteps = 10'000'000;
constexpr std::uint32_t kHeapLimitKib =
    262'144;  // of the interpreter, which takes over when the JIT's stack is exhausted

std::string pcre_message(int code) {
  std::array<PCRE2_UCHAR, 160> buffer{};
  pcre2_get_error_message(code, buffer.data(), buffer.size());
  return std::string(reinterpret_cast<const char*>(buffer.data()));
}

PCRE2_SPTR bytes_of(std::string_view text) { return reinterpret_cast<PCRE2_SPTR>(text.data()); }

}  // namespace

struct RegexScratch::State {
  std::unique_ptr<pcre2_match_data, PcreFree> data{pcre2_match_data_create(1, nullptr)};
  std::unique_ptr<pcre2_match_context, PcreFree> context{pcre2_match_context_create(nullptr)};
  std::unique_ptr<pcre2_jit_stack, PcreFree> stack{pcre2_jit_stack_create(kJitStackStart, kJitStackLimit, nullptr)};
  std::string substituted;
  unsigned gave_up = 0;  // times within this input

  State() {
    if (!data || !context) throw std::bad_alloc();
    pcre2_set_heap_limit(context.get(), kHeapLimitKib);
    if (stack) pcre2_jit_stack_assign(context.get(), nullptr, stack.get());
  }
};

RegexScratch::RegexScratch() : state_(std::make_unique<State>()) {}
RegexScratch::RegexScratch(RegexScratch&&) noexcept = default;
RegexScratch::~RegexScratch() = default;
void RegexScratch::begin_text() { state_->gave_up = 0; }

struct Regex::Code {
  std::unique_ptr<pcre2_code, PcreFree> code;
  std::string literal;  // used instead of code when not empty
  std::string name;
  bool jit = false;

  // The first match at or after `from`; nothing when there is none. False when the pattern ran out of steps.
  bool search(std::string_view text, std::size_t from, RegexScratch::State& state, std::optional<Span>& found) const {
    int rc = PCRE2_ERROR_JIT_STACKLIMIT;
    if (jit)
      rc = pcre2_jit_match(code.get(), bytes_of(text), text.size(), from, 0, state.data.get(), state.context.get());
    if (rc == PCRE2_ERROR_JIT_STACKLIMIT)
      rc = pcre2_match(code.get(), bytes_of(text), text.size(), from, PCRE2_NO_UTF_CHECK | PCRE2_NO_JIT,
                       state.data.get(), state.context.get());
    found.reset();
    if (rc == PCRE2_ERROR_NOMATCH) return true;
    if (rc < 0) {
      log_warning(
          fmt::format("{}: the pattern gave up at byte {} of {}: {}", name, from, text.size(), pcre_message(rc)));
      return false;
    }
    const PCRE2_SIZE* ends = pcre2_get_ovector_pointer(state.data.get());
    if (ends[0] <= ends[1] && ends[0] >= from) found = Span{ends[0], ends[1], true};
    return true;
  }
};

Result<Regex> Regex::compile(std::string_view pattern, const std::string& where) {
  if (pattern.size() > kMaxPatternBytes)
    return invalid_input("bad regular expression", where,
                         fmt::format("{} bytes long; the limit is {}", pattern.size(), kMaxPatternBytes));
  const std::string translated = TETRAD_TRY(oniguruma_to_pcre2(pattern, where));
  std::unique_ptr<pcre2_compile_context, PcreFree> context(pcre2_compile_context_create(nullptr));
  if (!context) return make_error(ErrorCode::kOutOfMemory, "bad regular expression", where, "no memory to compile it");
  pcre2_set_newline(context.get(), PCRE2_NEWLINE_LF);
  pcre2_set_bsr(context.get(), PCRE2_BSR_UNICODE);
  int error = 0;
  PCRE2_SIZE offset = 0;
  constexpr std::uint32_t kOptions = PCRE2_UTF | PCRE2_UCP | PCRE2_MULTILINE | PCRE2_NEVER_BACKSLASH_C;
  auto code = std::make_shared<Code>();
  code->code.reset(pcre2_compile(bytes_of(translated), translated.size(), kOptions, &error, &offset, context.get()));
  if (!code->code)
    return invalid_input("bad regular expression", where,
                         fmt::format("{} in {}", pcre_message(error), printable(pattern, 120)));
  code->jit = pcre2_jit_compile(code->code.get(), PCRE2_JIT_COMPLETE) == 0;
  code->name = where;
  Regex regex;
  regex.code_ = std::move(code);
  return regex;
}

Result<Regex> Regex::literal(std::string_view text, const std::string& where) {
  if (text.empty()) return invalid_input("bad pattern", where, "it is empty");
  auto code = std::make_shared<Code>();
  code->literal = text;
  code->name = where;
  Regex regex;
  regex.code_ = std::move(code);
  return regex;
}

void Regex::find_all(std::string_view text, RegexScratch& scratch, std::vector<Span>& spans) const {
  spans.clear();
  std::size_t covered = 0;  // all before is in `spans`
  const auto add = [&](std::size_t begin, std::size_t end) {
    if (covered != begin) spans.push_back({covered, begin, false});
    spans.push_back({begin, end, true});
    covered = end;
  };
  if (!code_->literal.empty()) {
    const std::string& needle = code_->literal;
    for (std::size_t at = text.find(needle); at != std::string_view::npos; at = text.find(needle, at + needle.size()))
      add(at, at + needle.size());
  } else {
    RegexScratch::State& state = scratch.state();
    const std::string_view subject = unicode::with_reference_classes(text, state.substituted);
    constexpr std::uint64_t kMost = std::numeric_limits<std::uint32_t>::max();
    const std::uint64_t steps = std::max<std::uint64_t>(kMinSteps, 64 * std::uint64_t{subject.size()});
    pcre2_set_match_limit(state.context.get(),
                          static_cast<std::uint32_t>(std::min(steps, kMost) >> std::min(state.gave_up, 10U)));
    std::optional<Span> found;
    std::optional<std::size_t> last_end;
    for (std::size_t from = 0; from <= subject.size() && code_->search(subject, from, state, found) && found;) {
      from = found->end;
      if (found->begin == found->end && last_end == found->end) {
        from += from < subject.size() ? utf8_sequence_length(subject.substr(from)) : 1;
        continue;
      }
      last_end = found->end;
      add(found->begin, found->end);
    }
  }
  if (covered != text.size()) spans.push_back({covered, text.size(), false});
}

}  // namespace tetrad
