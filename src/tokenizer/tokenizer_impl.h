// What is behind Tokenizer: the parts of the pipeline in the order in which a text passes them, and tables by id for
// decoding.
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "tokenizer/added_tokens.h"
#include "tokenizer/bpe.h"
#include "tokenizer/decoder.h"
#include "tokenizer/normalizer.h"
#include "tokenizer/post_processor.h"
#include "tokenizer/pre_tokenizer.h"
#include "tokenizer/regex.h"
#include "tokenizer/tokenizer.h"

namespace tetrad {

// Everything that encoding writes to. One encode() call has one at a time.
struct EncodeScratch {
  RegexScratch regex;
  BpeScratch bpe;
  PreTokenizerScratch pre_tokenizer;
  std::string normalized;
};

// Keeps scratch (with its word cache) from call to call: one lock when a call begins and one when it ends, none
// between.
class ScratchPool {
 public:
  std::unique_ptr<EncodeScratch> take();
  void give_back(std::unique_ptr<EncodeScratch> scratch);

 private:
  static constexpr std::size_t kMaxKept = 32;  // about 1.5 MiB each
  std::mutex mutex_;
  std::vector<std::unique_ptr<EncodeScratch>> free_;
};

struct Tokenizer::Impl {
  BpeModel model;
  AddedTokens added;
  Normalizer normalizer;
  PreTokenizer pre_tokenizer;
  PostProcessor post_processor;
  Decoder decoder;

  // By id. `bytes` holds what each token adds to a byte-level sequence, one after the other.
  std::string bytes;
  std::vector<std::size_t> byte_ends;
  std::vector<std::uint8_t> flags;
  static constexpr std::uint8_t kKnown = 1, kSpecial = 2;

  mutable ScratchPool scratch;

  bool known(TokenId id) const {
    return id >= 0 && static_cast<std::size_t>(id) < flags.size() && (flags[static_cast<std::size_t>(id)] & kKnown);
  }
  bool special(TokenId id) const { return known(id) && (flags[static_cast<std::size_t>(id)] & kSpecial); }
  std::string_view byte_level_bytes(TokenId id) const;
  // What decoding sees: an added token in its normalized form, or the vocabulary's text.
  std::string_view decoded_text(TokenId id) const;

  void build_tables();
  void encode_text(std::string_view text, bool at_start, EncodeScratch& state, std::vector<TokenId>& out) const;
  void encode_words(std::string_view text, bool at_start, EncodeScratch& state, std::vector<TokenId>& out) const;
};

}  // namespace tetrad
