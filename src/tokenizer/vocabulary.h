// Token text <-> id of a BPE model. Immutable after building; ids are unique, as texts are.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"

namespace tetrad {

struct TokenizerFile;

class Vocabulary {
 public:
  // Takes the file's text over.
  static Result<Vocabulary> build(TokenizerFile& file, const std::string& where);

  std::optional<std::int32_t> find(std::string_view token) const;
  bool contains(std::int32_t id) const;
  std::string_view text(std::int32_t id) const;          // "" when unknown
  std::size_t count() const { return count_; }           // of tokens
  std::size_t id_end() const { return tokens_.size(); }  // largest id + 1

 private:
  struct Token {
    std::size_t begin = 0;
    std::uint32_t size = 0;
    bool known = false;
  };
  std::string text_;
  std::vector<Token> tokens_;        // by id
  std::vector<std::int32_t> slots_;  // open addressing, a power of two, at most half full; -1 is free
  std::size_t count_ = 0;
};

}  // namespace tetrad
