// What happens to a text before it is split: Unicode forms, replacements, stripping. Source:
// tokenizers/src/normalizers. Read: null, Sequence, NFC, NFD, NFKC, NFKD, Lowercase, Strip, Prepend, Replace,
// ByteLevel. Immutable.
#pragma once

#include <string>
#include <variant>
#include <vector>

#include "base/error.h"
#include "base/json.h"
#include "tokenizer/regex.h"
#include "tokenizer/unicode.h"

namespace tetrad {

class Normalizer {
 public:
  static Result<Normalizer> build(const Json& json, const std::string& where);

  bool empty() const { return steps_.empty(); }
  // `at_start`: whether the first character of `text` comes from the first one of the input; kept up to date.
  void apply(std::string& text, bool& at_start, RegexScratch& scratch) const;

 private:
  struct Lowercase {};
  struct ByteLevel {};
  struct Strip {
    bool left, right;
  };
  struct Prepend {
    std::string text;
  };
  struct Replace {
    Regex pattern;
    std::string content;
  };
  using Step = std::variant<unicode::Form, Lowercase, ByteLevel, Strip, Prepend, Replace>;

  Status add(const Json& json, const std::string& where, std::size_t depth);

  std::vector<Step> steps_;
};

// {"String": "..."} or {"Regex": "..."}, as Split and Replace have it.
Result<Regex> read_pattern(const Json& json, const std::string& component);
// Once the result has more than max_bytes, what is left of the text is copied as it is: a hostile file must not fill
// the memory.
std::string replace_all(std::string_view text, const Regex& pattern, std::string_view content, RegexScratch& scratch,
                        std::size_t max_bytes);

}  // namespace tetrad
