#include "tokenizer/vocabulary.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <functional>
#include <utility>

#include "tokenizer/tokenizer_file.h"

namespace tetrad {

Result<Vocabulary> Vocabulary::build(TokenizerFile& file, const std::string& where) {
  Vocabulary v;
  std::int32_t largest = -1;
  for (const VocabularyEntry& e : file.vocabulary) largest = std::max(largest, e.id);
  v.tokens_.resize(static_cast<std::size_t>(largest + 1));
  v.slots_.assign(std::bit_ceil(2 * file.vocabulary.size() + 2), -1);
  v.count_ = file.vocabulary.size();
  v.text_ = std::move(file.text);
  for (const VocabularyEntry& e : file.vocabulary) {
    const std::string_view text = std::string_view(v.text_).substr(e.begin, e.size);
    Token& token = v.tokens_[static_cast<std::size_t>(e.id)];
    if (token.known)
      return invalid_input("malformed tokenizer", where,
                           fmt::format("the tokens \"{}\" and \"{}\" have the same id {}", printable(v.text(e.id), 60),
                                       printable(text, 60), e.id));
    if (v.find(text))
      return invalid_input("malformed tokenizer", where,
                           fmt::format("the token \"{}\" occurs twice", printable(text, 60)));
    token = {e.begin, static_cast<std::uint32_t>(e.size), true};
    std::size_t slot = std::hash<std::string_view>{}(text) & (v.slots_.size() - 1);
    while (v.slots_[slot] >= 0) slot = (slot + 1) & (v.slots_.size() - 1);
    v.slots_[slot] = e.id;
  }
  return v;
}

std::optional<std::int32_t> Vocabulary::find(std::string_view token) const {
  if (slots_.empty()) return std::nullopt;
  for (std::size_t slot = std::hash<std::string_view>{}(token) & (slots_.size() - 1); slots_[slot] >= 0;
       slot = (slot + 1) & (slots_.size() - 1))
    if (text(slots_[slot]) == token) return slots_[slot];
  return std::nullopt;
}

bool Vocabulary::contains(std::int32_t id) const {
  return id >= 0 && static_cast<std::size_t>(id) < tokens_.size() && tokens_[static_cast<std::size_t>(id)].known;
}

std::string_view Vocabulary::text(std::int32_t id) const {
  if (!contains(id)) return {};
  const Token& token = tokens_[static_cast<std::size_t>(id)];
  return std::string_view(text_).substr(token.begin, token.size);
}

}  // namespace tetrad
