// Text to token ids and back, as Hugging Face `tokenizers` 0.23 does it for a BPE tokenizer.json: added tokens,
// normalizer, pre-tokenizer, byte-pair merges, post-processor, decoder. Used by chat, calib, eval, the command line and
// the server.
//
// What a file asks for and tetrad does not have is an error at load that names the component; nothing is skipped
// silently. Reference: github.com/huggingface/tokenizers 0.23.3 (file format and behaviour).
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/error.h"

namespace tetrad {

using TokenId = std::int32_t;

// Immutable after load: every method may be called from many threads at once. Copies share one implementation and are
// cheap.
class Tokenizer {
 public:
  // Reads DIRECTORY/tokenizer.json.
  static Result<Tokenizer> load(const std::filesystem::path& model_directory);
  // `text` is the content of a tokenizer.json; `where` names it in errors.
  static Result<Tokenizer> from_json(std::string_view text, const std::string& where);

  // Ids of `text`. Any bytes: ill-formed UTF-8 is first replaced by U+FFFD, one for each maximal ill-formed part. Added
  // tokens (special ones too) are recognised in the text; add_special_tokens asks for those that the post-processor
  // adds around it.
  std::vector<TokenId> encode(std::string_view text, bool add_special_tokens) const;

  // Text of `ids` as the tokenizer's decoder has it; unknown ids are skipped. Bytes that are no UTF-8 become U+FFFD.
  std::string decode(std::span<const TokenId> ids, bool skip_special_tokens) const;

  std::string token_bytes(TokenId id) const;  // raw bytes that the id stands for (byte-level decoded); "" when unknown
  std::optional<TokenId> token_id(std::string_view token) const;  // exact vocabulary or added-token text
  std::string_view token_text(
      TokenId id) const;  // vocabulary text (byte-level alphabet); "" when unknown. Lives as long as the tokenizer
  bool is_special(TokenId id) const;
  bool is_added(TokenId id) const;      // special ones among them
  std::size_t vocabulary_size() const;  // largest id + 1, added tokens included

  struct Impl;  // tokenizer_impl.h

 private:
  explicit Tokenizer(std::shared_ptr<const Impl> impl) : impl_(std::move(impl)) {}
  friend class StreamDecoder;
  std::shared_ptr<const Impl> impl_;
};

// Decodes a growing sequence without ever giving out half a character. One per sequence; not thread-safe.
// The concatenation of all push() results and finish() equals Tokenizer::decode() of all ids.
class StreamDecoder {
 public:
  StreamDecoder(const Tokenizer& tokenizer, bool skip_special_tokens);
  std::string push(TokenId id);  // text that is complete and can no longer change; may be empty
  std::string finish();          // the rest; afterwards the decoder is as new

  StreamDecoder(StreamDecoder&&) noexcept;
  StreamDecoder& operator=(StreamDecoder&&) noexcept;
  ~StreamDecoder();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace tetrad
