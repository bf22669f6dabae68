#include "tokenizer/bpe.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cstring>
#include <limits>
#include <nlohmann/json.hpp>
#include <optional>
#include <utility>

#include "base/utf8.h"
#include "tokenizer/byte_level.h"
#include "tokenizer/tokenizer_file.h"

namespace tetrad {
namespace {

constexpr std::uint32_t kNoRank = std::numeric_limits<std::uint32_t>::max();
// Up to this length scanning all ranks for the lowest is faster than a heap.
constexpr std::size_t kShortWord = 48;

std::uint64_t mix(std::uint64_t x) {
  x *= 0x9E3779B97F4A7C15ull;
  x ^= x >> 32;
  x *= 0xD6E8FEB86659FD93ull;
  return x ^ (x >> 29);
}

std::uint64_t hash_of(std::string_view word) {
  std::uint64_t h = word.size();
  for (; word.size() >= 8; word.remove_prefix(8)) {
    std::uint64_t part = 0;
    std::memcpy(&part, word.data(), 8);
    h = mix(h ^ part);
  }
  std::uint64_t rest = 0;
  std::memcpy(&rest, word.data(), word.size());
  return mix(h ^ rest);
}

}  // namespace

Result<BpeModel> BpeModel::build(const Json& model, TokenizerFile& file, const std::string& where) {
  const std::string component = where + ": model";
  if (!model.is_object()) return invalid_input("malformed tokenizer", component, "it must be an object");
  const Json& type = field_or_null(model, "type");
  if (!type.is_null() && (!type.is_string() || type.get<std::string>() != "BPE"))
    return make_error(ErrorCode::kUnsupported, "unsupported tokenizer", component,
                      fmt::format("the type is {}; tetrad reads BPE", printable(type.dump(), 60)));
  if (!file.has_vocabulary || !file.has_merges)
    return invalid_input("malformed tokenizer", component, "it has no vocab or no merges");
  BpeModel bpe;
  bpe.vocabulary_ = TETRAD_TRY(Vocabulary::build(file, component + ".vocab"));
  TETRAD_TRY(bpe.read_options(model, component));
  TETRAD_TRY(bpe.read_merges(file, component + ".merges"));
  for (unsigned b = 0; b < 256; ++b) {
    std::string character;
    utf8_append(character, byte_level::character_of(static_cast<unsigned char>(b)));
    bpe.byte_level_ids_[b] = bpe.vocabulary_.find(character).value_or(-1);
    bpe.fallback_ids_[b] = bpe.vocabulary_.find(fmt::format("<0x{:02X}>", b)).value_or(-1);
  }
  bpe.all_bytes_known_ =
      bpe.prefix_.empty() && bpe.suffix_.empty() &&
      std::none_of(bpe.byte_level_ids_.begin(), bpe.byte_level_ids_.end(), [](auto id) { return id < 0; });
  return bpe;
}

Status BpeModel::read_options(const Json& model, const std::string& where) {
  const Json& dropout = field_or_null(model, "dropout");
  if (!dropout.is_null() && !(dropout.is_number() && dropout.get<double>() == 0.0))
    return make_error(ErrorCode::kUnsupported, "unsupported tokenizer", where,
                      "dropout makes ids random; it must be null");
  const auto optional_text = [&](const char* key, std::string& out) -> Status {
    if (!field_or_null(model, key).is_null()) out = TETRAD_TRY(string_field(model, key, where));
    return {};
  };
  TETRAD_TRY(optional_text("continuing_subword_prefix", prefix_));
  TETRAD_TRY(optional_text("end_of_word_suffix", suffix_));
  fuse_unknown_ = TETRAD_TRY(bool_field(model, "fuse_unk", where, false));
  byte_fallback_ = TETRAD_TRY(bool_field(model, "byte_fallback", where, false));
  ignore_merges_ = TETRAD_TRY(bool_field(model, "ignore_merges", where, false));
  if (field_or_null(model, "unk_token").is_null()) return {};
  const std::string unknown = TETRAD_TRY(string_field(model, "unk_token", where));
  unknown_ = vocabulary_.find(unknown).value_or(-1);
  if (unknown_ < 0)
    return invalid_input("malformed tokenizer", where,
                         fmt::format("unk_token \"{}\" is not in the vocabulary", printable(unknown, 60)));
  return {};
}

Status BpeModel::read_merges(const TokenizerFile& file, const std::string& where) {
  merges_.assign(std::bit_ceil(2 * file.merges.size() + 2), Merge{});
  std::string joined;
  for (std::size_t i = 0; i < file.merges.size(); ++i) {
    const std::string_view left = file.left(file.merges[i]), right = file.right(file.merges[i]);
    const auto a = vocabulary_.find(left), b = vocabulary_.find(right);
    if (!right.starts_with(prefix_))
      return invalid_input(
          "malformed tokenizer", where,
          fmt::format("the right part of merge {} does not begin with \"{}\"", i, printable(prefix_, 60)));
    joined.assign(left).append(right.substr(prefix_.size()));
    const auto merged = vocabulary_.find(joined);
    if (!a || !b || !merged)
      return invalid_input("malformed tokenizer", where,
                           fmt::format("merge {} needs the token \"{}\", which is not in the vocabulary", i,
                                       printable(!a   ? left
                                                 : !b ? right
                                                      : joined,
                                                 60)));
    merges_[slot_of(*a, *b)] = {*a, *b, static_cast<std::uint32_t>(i), *merged};  // a repeated pair has its last rank
  }
  return {};
}

// Where the pair is, or the free slot where it would be.
std::size_t BpeModel::slot_of(std::int32_t left, std::int32_t right) const {
  const std::size_t mask = merges_.size() - 1;
  std::size_t slot =
      mix(std::uint64_t{static_cast<std::uint32_t>(left)} << 32 | static_cast<std::uint32_t>(right)) & mask;
  while (merges_[slot].left >= 0 && (merges_[slot].left != left || merges_[slot].right != right))
    slot = (slot + 1) & mask;
  return slot;
}

const BpeModel::Merge* BpeModel::find_merge(std::int32_t left, std::int32_t right) const {
  const Merge& merge = merges_[slot_of(left, right)];
  return merge.left < 0 ? nullptr : &merge;
}

void BpeModel::encode_word(std::string_view word, bool byte_level, BpeScratch& scratch,
                           std::vector<std::int32_t>& out) const {
  using Cached = BpeScratch::CachedWord;
  if (word.size() > std::tuple_size_v<decltype(Cached::word)>) return encode_uncached(word, byte_level, scratch, out);
  Cached& cached = scratch.cache_[hash_of(word) & (BpeScratch::kCacheEntries - 1)];
  if (cached.size == word.size() && std::memcmp(cached.word.data(), word.data(), word.size()) == 0) {
    out.insert(out.end(), cached.ids.begin(), cached.ids.begin() + cached.count);
    return;
  }
  const std::size_t before = out.size();
  encode_uncached(word, byte_level, scratch, out);
  const std::size_t count = out.size() - before;
  if (count > cached.ids.size()) return;
  cached.size = static_cast<std::uint8_t>(word.size());
  cached.count = static_cast<std::uint8_t>(count);
  std::memcpy(cached.word.data(), word.data(), word.size());
  std::copy_n(out.begin() + static_cast<std::ptrdiff_t>(before), count, cached.ids.begin());
}

void BpeModel::encode_uncached(std::string_view word, bool byte_level, BpeScratch& scratch,
                               std::vector<std::int32_t>& out) const {
  std::string written;
  const bool needs_text = byte_level && (ignore_merges_ || !all_bytes_known_);
  if (needs_text) written = byte_level::encode(word);
  const std::string_view text = needs_text ? std::string_view(written) : word;
  if (ignore_merges_) {
    if (const auto id = vocabulary_.find(text)) {
      out.push_back(*id);
      return;
    }
  }
  scratch.symbols_.clear();
  if (byte_level && all_bytes_known_) {
    for (const char b : word) scratch.symbols_.push_back(byte_level_ids_[static_cast<unsigned char>(b)]);
  } else {
    append_symbols(text, scratch.symbols_);
  }
  if (scratch.symbols_.size() <= kShortWord)
    merge_short(scratch);
  else
    merge_long(scratch);
  out.insert(out.end(), scratch.symbols_.begin(), scratch.symbols_.end());
}

bool BpeModel::append_bytes(std::string_view text, std::vector<std::int32_t>& symbols) const {
  if (!byte_fallback_) return false;
  const auto id_of = [&](char b) { return fallback_ids_[static_cast<unsigned char>(b)]; };
  if (std::any_of(text.begin(), text.end(), [&](char b) { return id_of(b) < 0; })) return false;
  for (const char b : text) symbols.push_back(id_of(b));
  return true;
}

void BpeModel::append_symbols(std::string_view word, std::vector<std::int32_t>& symbols) const {
  bool pending_unknown =
      false;  // as in the reference, it is written out only before the next known character or at the end
  std::string piece;
  for (std::size_t i = 0; i < word.size();) {
    const std::size_t start = i;
    utf8_next(word, i);
    std::string_view text = word.substr(start, i - start);
    if ((start != 0 && !prefix_.empty()) || (i == word.size() && !suffix_.empty())) {
      piece.assign(start != 0 ? prefix_ : std::string());
      piece.append(text);
      if (i == word.size()) piece += suffix_;
      text = piece;
    }
    if (const auto id = vocabulary_.find(text)) {
      if (pending_unknown) symbols.push_back(unknown_);
      pending_unknown = false;
      symbols.push_back(*id);
    } else if (!append_bytes(text, symbols) && unknown_ >= 0) {
      if (pending_unknown && !fuse_unknown_) symbols.push_back(unknown_);
      pending_unknown = true;
    }
  }
  if (pending_unknown) symbols.push_back(unknown_);
}

void BpeModel::merge_short(BpeScratch& scratch) const {
  auto& symbols = scratch.symbols_;
  auto& ranks = scratch.ranks_;  // ranks[i] is that of the pair (i, i + 1)
  const auto rank_of = [&](std::size_t i) {
    if (i + 1 >= symbols.size()) return kNoRank;
    const Merge* merge = find_merge(symbols[i], symbols[i + 1]);
    return merge == nullptr ? kNoRank : merge->rank;
  };
  ranks.resize(symbols.size());
  for (std::size_t i = 0; i < symbols.size(); ++i) ranks[i] = rank_of(i);
  while (symbols.size() > 1) {
    const auto lowest = std::min_element(ranks.begin(), ranks.end());
    if (*lowest == kNoRank) break;
    const auto i = static_cast<std::size_t>(lowest - ranks.begin());
    symbols[i] = find_merge(symbols[i], symbols[i + 1])->merged;
    symbols.erase(symbols.begin() + static_cast<std::ptrdiff_t>(i) + 1);
    ranks.erase(ranks.begin() + static_cast<std::ptrdiff_t>(i) + 1);
    ranks[i] = rank_of(i);
    if (i > 0) ranks[i - 1] = rank_of(i - 1);
  }
}

void BpeModel::push_candidate(BpeScratch& scratch, std::uint32_t position) const {
  const std::uint32_t right = scratch.next_[position];
  if (right == kNoRank) return;
  const Merge* merge = find_merge(scratch.symbols_[position], scratch.symbols_[right]);
  if (merge == nullptr) return;
  scratch.heap_.push_back({std::uint64_t{merge->rank} << 32 | position, merge->merged});
}

// A heap of candidates over a linked list: n log n for a word of any length. Candidates of pairs that are gone are
// skipped when they come up.
void BpeModel::merge_long(BpeScratch& scratch) const {
  auto& symbols = scratch.symbols_;
  const auto n = static_cast<std::uint32_t>(symbols.size());
  const auto later = [](const auto& a, const auto& b) { return a.order > b.order; };
  scratch.previous_.resize(n);
  scratch.next_.resize(n);
  scratch.heap_.clear();
  for (std::uint32_t i = 0; i < n; ++i) {
    scratch.previous_[i] = i == 0 ? kNoRank : i - 1;
    scratch.next_[i] = i + 1 == n ? kNoRank : i + 1;
  }
  for (std::uint32_t i = 0; i < n; ++i) push_candidate(scratch, i);
  std::make_heap(scratch.heap_.begin(), scratch.heap_.end(), later);
  const auto push = [&](std::uint32_t position) {
    const std::size_t before = scratch.heap_.size();
    push_candidate(scratch, position);
    if (scratch.heap_.size() != before) std::push_heap(scratch.heap_.begin(), scratch.heap_.end(), later);
  };
  while (!scratch.heap_.empty()) {
    std::pop_heap(scratch.heap_.begin(), scratch.heap_.end(), later);
    const BpeScratch::Candidate top = scratch.heap_.back();
    scratch.heap_.pop_back();
    const auto at = static_cast<std::uint32_t>(top.order & kNoRank);
    const std::uint32_t right = scratch.next_[at];
    if (symbols[at] < 0 || right == kNoRank) continue;
    const Merge* merge = find_merge(symbols[at], symbols[right]);
    if (merge == nullptr || merge->merged != top.merged) continue;
    symbols[at] = top.merged;
    symbols[right] = -1;
    scratch.next_[at] = scratch.next_[right];
    if (scratch.next_[at] != kNoRank) scratch.previous_[scratch.next_[at]] = at;
    if (scratch.previous_[at] != kNoRank) push(scratch.previous_[at]);
    push(at);
  }
  std::erase(symbols, -1);
}

}  // namespace tetrad
