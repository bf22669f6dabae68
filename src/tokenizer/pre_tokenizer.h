// Cutting a normalized text into the words that the model sees one by one. Source: tokenizers/src/pre_tokenizers.
// Read: null, Sequence, Split, ByteLevel, Digits, Punctuation, Metaspace, Whitespace, WhitespaceSplit,
// CharDelimiterSplit. Immutable; each thread brings its own PreTokenizerScratch.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/error.h"
#include "base/json.h"
#include "tokenizer/regex.h"

namespace tetrad {

// Buffers of one thread, one for each step; they keep their capacity from text to text.
struct PreTokenizerScratch {
  struct Step {
    std::vector<Span> spans, merged;
    std::string text;
  };
  std::vector<Step> steps;
};

class PreTokenizer {
 public:
  using Sink = std::function<void(std::string_view word)>;

  static Result<PreTokenizer> build(const Json& json, const std::string& where);

  // Calls `sink` for each word in order; no word is empty. `at_start`: whether `text` begins where the whole input
  // begins. Steps run depth first, so memory stays within a few times the text.
  void split(std::string_view text, bool at_start, RegexScratch& regex, PreTokenizerScratch& scratch,
             const Sink& sink) const;

  // The last step is ByteLevel: words are given to `sink` as plain bytes and still have to be written in its alphabet.
  bool ends_in_byte_level() const;

 private:
  enum class Behavior { kRemoved, kIsolated, kMergedWithPrevious, kMergedWithNext, kContiguous };
  enum class CharClass { kNumeric, kPunctuation, kWhiteSpace };
  enum class Prepend { kAlways, kFirst, kNever };

  struct SplitByRegex {
    Regex pattern;
    Behavior behavior;
    bool invert;
  };
  struct SplitByClass {
    CharClass characters;
    Behavior behavior;
  };
  struct Metaspace {
    std::string replacement;
    Regex pattern;  // the replacement
    Prepend prepend;
    bool split;
  };
  struct ByteLevel {
    bool add_prefix_space;
    std::vector<Regex> pattern;  // GPT-2's, or none
  };
  using Step = std::variant<SplitByRegex, SplitByClass, Metaspace, ByteLevel>;
  struct Run;

  Status add(const Json& json, const std::string& where, std::size_t depth);
  Status add_split(const Json& json, const std::string& component);
  Status add_metaspace(const Json& json, const std::string& component);
  Status add_byte_level(const Json& json, const std::string& component);
  static Result<Behavior> read_behavior(const Json& json, const std::string& component);
  static void find_class(std::string_view text, CharClass wanted, std::vector<Span>& spans);
  static void apply_behavior(Behavior behavior, bool invert, PreTokenizerScratch::Step& scratch);

  void step(std::size_t index, std::string_view text, bool at_start, const Run& run) const;
  void pieces(std::size_t index, std::string_view text, bool at_start, const Run& run) const;

  std::vector<Step> steps_;
};

}  // namespace tetrad
