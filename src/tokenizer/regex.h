// Regular expressions of a tokenizer.json: Oniguruma's syntax and meaning, run by PCRE2's JIT. Used by splits and
// replacements. A Regex is immutable and shared by threads; each thread brings its own RegexScratch.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"

namespace tetrad {

// A part of a text; the parts of one search cover it in order, without gaps.
struct Span {
  std::size_t begin, end;
  bool is_match;
};

// Working memory of matching (a JIT stack that grows up to 64 MiB when a pattern needs it). One per thread.
class RegexScratch {
 public:
  RegexScratch();
  RegexScratch(RegexScratch&&) noexcept;
  ~RegexScratch();
  void begin_text();  // before each new input: forgets that a pattern gave up
  struct State;
  State& state() { return *state_; }

 private:
  std::unique_ptr<State> state_;
};

class Regex {
 public:
  // `where` names the component in errors.
  static Result<Regex> compile(std::string_view pattern, const std::string& where);
  static Result<Regex> literal(std::string_view text, const std::string& where);  // matches exactly `text`

  // All matches, leftmost first, and what lies between them, into `spans` (cleared first). An empty match right after a
  // match does not count. `text` is well-formed UTF-8.
  //
  // A pattern that needs more than max(10^7, 64 per byte) steps for one match (only pathological ones do; the reference
  // aborts there) finds nothing more in this text: the rest becomes one span, and stderr gets a warning.
  void find_all(std::string_view text, RegexScratch& scratch, std::vector<Span>& spans) const;

 private:
  struct Code;
  std::shared_ptr<const Code> code_;
};

}  // namespace tetrad
