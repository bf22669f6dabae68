// Tokens that are recognised in the text before the model sees it: special tokens and others a model was given after
// training. Matching, ids and flags are those of tokenizers/src/tokenizer/added_vocabulary.rs. Immutable after
// building.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "base/json.h"
#include "tokenizer/vocabulary.h"

namespace tetrad {

struct AddedToken {
  std::string content;
  std::string pattern;  // what is looked for: the content, normalized when `normalized` is set
  bool single_word = false, lstrip = false, rstrip = false, normalized = false, special = false;
};

// Finds the leftmost and longest of a set of byte strings.
class TokenTrie {
 public:
  // False when the pattern is already there.
  bool insert(std::string_view pattern, std::int32_t id);
  bool empty() const { return nodes_.size() == 1; }
  struct Match {
    std::size_t begin, end;
    std::int32_t id;
  };
  std::optional<Match> find(std::string_view text, std::size_t from) const;

 private:
  struct Node {
    std::int32_t id = -1;
    std::vector<std::pair<unsigned char, std::uint32_t>> children;  // sorted by byte
  };
  std::optional<std::uint32_t> child(std::uint32_t node, char byte) const;
  std::vector<Node> nodes_{1};
  std::array<std::uint32_t, 256> first_{};  // children of the root; 0 is none
};

class AddedTokens {
 public:
  using Normalize = std::function<std::string(std::string_view)>;

  // `tokens` is the file's "added_tokens". As in the reference the id of a token is that of the vocabulary, or else the
  // next free one; a file that says otherwise gets a warning.
  static Result<AddedTokens> build(const Json& tokens, const Vocabulary& vocabulary, const Normalize& normalize,
                                   const std::string& where);

  // Cuts `text` at the tokens that are looked for before (normalized = false) or after normalization.
  // `sink(id, part)`: id is -1 for text between tokens, which is never empty.
  using Sink = std::function<void(std::int32_t id, std::string_view part)>;
  void split(std::string_view text, bool normalized, const Sink& sink) const;
  bool any(bool normalized) const { return !(normalized ? normalized_ : plain_).empty(); }

  const std::map<std::int32_t, AddedToken>& by_id() const { return tokens_; }
  std::optional<std::int32_t> find(std::string_view content) const;
  bool is_special_text(std::string_view text) const;

 private:
  Status add(const Json& json, const Vocabulary& vocabulary, const Normalize& normalize, const std::string& where);

  std::map<std::int32_t, AddedToken> tokens_;
  std::map<std::string, std::int32_t, std::less<>> ids_;  // by content
  std::map<std::string, bool, std::less<>> special_;      // contents
  TokenTrie plain_, normalized_;
  std::size_t pattern_bytes_ = 0;
};

}  // namespace tetrad
