#include "tokenizer/added_tokens.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>

#include "base/log.h"
#include "base/utf8.h"
#include "tokenizer/tokenizer_file.h"
#include "tokenizer/unicode.h"

namespace tetrad {
namespace {

constexpr std::size_t kMaxPatterns = std::size_t{4} << 20;  // bytes of all together; a byte may take a node of 32 bytes
constexpr std::size_t kMaxContent = 4096;                   // bytes; bounds the work at each position of a text

bool begins_with_word(std::string_view text) {
  std::size_t i = 0;
  return !text.empty() && unicode::is_word(utf8_next(text, i));
}

std::size_t last_character(std::string_view text) {
  std::size_t i = text.size() - 1;
  while (i > 0 && (static_cast<unsigned char>(text[i]) & 0xC0) == 0x80) --i;
  return i;
}

bool ends_with_word(std::string_view text) {
  return !text.empty() && begins_with_word(text.substr(last_character(text)));
}

// Where the white space at the end of `text` begins.
std::size_t trailing_space(std::string_view text) {
  while (!text.empty()) {
    const std::size_t last = last_character(text);
    std::size_t i = last;
    if (!unicode::is_white_space(utf8_next(text, i))) break;
    text = text.substr(0, last);
  }
  return text.size();
}

std::size_t leading_space(std::string_view text) {
  std::size_t i = 0;
  for (std::size_t start = 0; i < text.size(); start = i)
    if (!unicode::is_white_space(utf8_next(text, i))) return start;
  return i;
}

}  // namespace

std::optional<std::uint32_t> TokenTrie::child(std::uint32_t node, char byte) const {
  const auto& children = nodes_[node].children;
  const auto b = static_cast<unsigned char>(byte);
  const auto found =
      std::lower_bound(children.begin(), children.end(), b, [](const auto& c, unsigned char x) { return c.first < x; });
  if (found == children.end() || found->first != b) return std::nullopt;
  return found->second;
}

bool TokenTrie::insert(std::string_view pattern, std::int32_t id) {
  std::uint32_t node = 0;
  for (const char byte : pattern) {
    if (const auto next = child(node, byte)) {
      node = *next;
      continue;
    }
    const auto fresh = static_cast<std::uint32_t>(nodes_.size());
    nodes_.emplace_back();
    auto& children = nodes_[node].children;
    children.emplace_back(static_cast<unsigned char>(byte), fresh);
    std::sort(children.begin(), children.end());
    if (node == 0) first_[static_cast<unsigned char>(byte)] = fresh;
    node = fresh;
  }
  if (nodes_[node].id >= 0) return false;
  nodes_[node].id = id;
  return true;
}

std::optional<TokenTrie::Match> TokenTrie::find(std::string_view text, std::size_t from) const {
  for (std::size_t begin = from; begin < text.size(); ++begin) {
    std::optional<std::uint32_t> node = first_[static_cast<unsigned char>(text[begin])];
    if (*node == 0) continue;
    std::optional<Match> longest;
    for (std::size_t at = begin + 1; node; ++at) {
      if (nodes_[*node].id >= 0) longest = Match{begin, at, nodes_[*node].id};
      if (at == text.size()) break;
      node = child(*node, text[at]);
    }
    if (longest) return longest;
  }
  return std::nullopt;
}

Result<AddedTokens> AddedTokens::build(const Json& tokens, const Vocabulary& vocabulary, const Normalize& normalize,
                                       const std::string& where) {
  AddedTokens added;
  const std::string component = where + ": added_tokens";
  if (!tokens.is_null() && !tokens.is_array())
    return invalid_input("malformed tokenizer", component, "it must be an array");
  for (const Json& token : tokens) TETRAD_TRY(added.add(token, vocabulary, normalize, component));
  for (const auto& [id, token] : added.tokens_) {
    if (token.pattern.empty())
      return invalid_input("malformed tokenizer", component, fmt::format("the token {} is empty once normalized", id));
    if (!(token.normalized ? added.normalized_ : added.plain_).insert(token.pattern, id))
      return invalid_input("malformed tokenizer", component,
                           fmt::format("two tokens look for the same text \"{}\"", printable(token.pattern, 60)));
  }
  return added;
}

Status AddedTokens::add(const Json& json, const Vocabulary& vocabulary, const Normalize& normalize,
                        const std::string& where) {
  AddedToken token;
  token.content = TETRAD_TRY(string_field(json, "content", where));
  token.single_word = TETRAD_TRY(bool_field(json, "single_word", where));
  token.lstrip = TETRAD_TRY(bool_field(json, "lstrip", where));
  token.rstrip = TETRAD_TRY(bool_field(json, "rstrip", where));
  token.normalized = TETRAD_TRY(bool_field(json, "normalized", where));
  token.special = TETRAD_TRY(bool_field(json, "special", where));
  const Json& json_id = field_or_null(json, "id");
  if (!json_id.is_number_unsigned() || json_id.get<std::uint64_t>() > static_cast<std::uint64_t>(kMaxTokenId))
    return invalid_input(
        "malformed tokenizer", where,
        fmt::format("the id of \"{}\" is {}", printable(token.content, 60), printable(json_id.dump(), 60)));
  if (token.content.empty()) return {};  // as the reference does
  if (token.content.size() > kMaxContent)
    return invalid_input("malformed tokenizer", where,
                         fmt::format("the token {} has {} bytes; the limit is {}", json_id.get<std::int32_t>(),
                                     token.content.size(), kMaxContent));
  token.pattern = token.normalized ? normalize(token.content) : token.content;

  pattern_bytes_ += token.pattern.size();
  if (pattern_bytes_ > kMaxPatterns)
    return invalid_input("malformed tokenizer", where,
                         fmt::format("the tokens have more than {} bytes together", kMaxPatterns));

  const auto count = static_cast<std::int32_t>(vocabulary.count());
  std::int32_t id = tokens_.empty() ? count : std::max(count, tokens_.rbegin()->first + 1);
  if (const auto known = find(token.content))
    id = *known;
  else if (const auto in_vocabulary = vocabulary.find(token.content))
    id = *in_vocabulary;
  if (id > static_cast<std::int32_t>(kMaxTokenId))
    return invalid_input("malformed tokenizer", where, "too many tokens");
  if (id != json_id.get<std::int32_t>())
    log_warning(fmt::format("{}: the token \"{}\" has the id {} in the file, but gets {}", where,
                            printable(token.content, 60), json_id.get<std::int32_t>(), id));
  ids_[token.content] = id;
  if (token.special) special_[token.content] = true;
  tokens_[id] = std::move(token);
  return {};
}

std::optional<std::int32_t> AddedTokens::find(std::string_view content) const {
  const auto found = ids_.find(content);
  if (found == ids_.end()) return std::nullopt;
  return found->second;
}

bool AddedTokens::is_special_text(std::string_view text) const { return special_.find(text) != special_.end(); }

void AddedTokens::split(std::string_view text, bool normalized, const Sink& sink) const {
  const TokenTrie& trie = normalized ? normalized_ : plain_;
  if (text.empty()) return;
  if (trie.empty()) return sink(-1, text);
  std::size_t done = 0;
  std::size_t from = 0;
  while (const auto match = trie.find(text, from)) {
    from = match->end;
    std::size_t begin = match->begin, end = match->end;
    const AddedToken& token = tokens_.at(match->id);
    if (token.single_word && (ends_with_word(text.substr(0, begin)) || begins_with_word(text.substr(end)))) continue;
    if (token.lstrip) begin = std::max(trailing_space(text.substr(0, begin)), done);
    if (token.rstrip) end += leading_space(text.substr(end));
    if (done < begin) sink(-1, text.substr(done, begin - done));
    sink(match->id, text.substr(begin, end > begin ? end - begin : 0));
    done = end;
  }
  if (done != text.size()) sink(-1, text.substr(done));
}

}  // namespace tetrad
