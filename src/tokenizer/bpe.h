// The byte-pair-encoding model: the ids of one word, by applying the merge of lowest rank (leftmost first) until none
// is left. Source: tokenizers/src/models/bpe. Immutable; each thread brings its own BpeScratch.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "base/json.h"
#include "tokenizer/vocabulary.h"

namespace tetrad {

struct TokenizerFile;

// Working memory of one thread, about 1 MiB: the ids of recently seen words (direct-mapped, so it never grows) and the
// arrays of the merge loop. English text finds more than 9 of 10 words here.
class BpeScratch {
 public:
  BpeScratch() : cache_(kCacheEntries) {}

 private:
  friend class BpeModel;
  static constexpr std::size_t kCacheEntries = 1 << 14;
  struct alignas(64) CachedWord {
    std::array<char, 26> word;
    std::uint8_t size = 0;  // 0: free
    std::uint8_t count = 0;
    std::array<std::int32_t, 9> ids;
  };
  struct Candidate {
    std::uint64_t order;  // rank, then position
    std::int32_t merged;
  };
  std::vector<CachedWord> cache_;
  std::vector<std::int32_t> symbols_;
  std::vector<std::uint32_t> ranks_;
  std::vector<std::uint32_t> previous_, next_;
  std::vector<Candidate> heap_;
};

class BpeModel {
 public:
  // `model` is the file's "model" without its tables, which are taken from `file`.
  static Result<BpeModel> build(const Json& model, TokenizerFile& file, const std::string& where);

  // Appends the ids of `word` (not empty, well-formed UTF-8). With byte_level it is first written in GPT-2's alphabet.
  // A character without a token becomes byte tokens or the unknown token where the file says so, and is dropped
  // otherwise.
  void encode_word(std::string_view word, bool byte_level, BpeScratch& scratch, std::vector<std::int32_t>& out) const;

  const Vocabulary& vocabulary() const { return vocabulary_; }

 private:
  struct Merge {
    std::int32_t left = -1, right = -1;
    std::uint32_t rank = 0;
    std::int32_t merged = -1;
  };

  Status read_options(const Json& model, const std::string& where);
  Status read_merges(const TokenizerFile& file, const std::string& where);
  const Merge* find_merge(std::int32_t left, std::int32_t right) const;
  std::size_t slot_of(std::int32_t left, std::int32_t right) const;

  void encode_uncached(std::string_view word, bool byte_level, BpeScratch& scratch,
                       std::vector<std::int32_t>& out) const;
  void append_symbols(std::string_view word, std::vector<std::int32_t>& symbols) const;
  bool append_bytes(std::string_view text, std::vector<std::int32_t>& symbols) const;
  void merge_short(BpeScratch& scratch) const;
  void merge_long(BpeScratch& scratch) const;
  void push_candidate(BpeScratch& scratch, std::uint32_t position) const;

  Vocabulary vocabulary_;
  std::vector<Merge> merges_;  // open addressing, a power of two, at most half full; left < 0 is free
  std::array<std::int32_t, 256> byte_level_ids_{};  // of the alphabet's characters; -1 when missing
  std::array<std::int32_t, 256> fallback_ids_{};    // of <0x00> ... <0xFF>; -1 when missing
  bool all_bytes_known_ = false;                    // byte_level_ids_ has no gap, and words have no prefix or suffix
  std::int32_t unknown_ = -1;
  std::string prefix_, suffix_;  // of pieces that continue a word, of the last piece of a word
  bool fuse_unknown_ = false, byte_fallback_ = false, ignore_merges_ = false;
};

}  // namespace tetrad
