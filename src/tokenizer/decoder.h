// From the texts of tokens to the text of a sequence. Source: tokenizers/src/decoders.
// Read: null, ByteLevel, ByteFallback, Fuse, Strip, Replace, Metaspace, BPEDecoder, Sequence. Immutable.
#pragma once

#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/error.h"
#include "base/json.h"
#include "tokenizer/regex.h"

namespace tetrad {

class Decoder {
 public:
  static Result<Decoder> build(const Json& json, const std::string& where);

  // Only the byte alphabet, as GPT-2 and most others have it: tokens are bytes, and a sequence is their bytes in a row.
  bool is_byte_level() const;
  std::string decode(std::vector<std::string> tokens) const;
  // The bytes of one token by itself: an alphabet's characters and <0xNN> as bytes, the replacement of spaces undone.
  std::string token_bytes(std::string_view token) const;

 private:
  friend class DecoderStream;
  struct ByteLevel {};
  struct ByteFallback {};
  struct Fuse {};
  struct Strip {
    std::string content;  // one character
    std::size_t start, stop;
  };
  struct Replace {
    Regex pattern;
    std::string content;
  };
  struct Metaspace {
    std::string replacement;
    bool strips_first;
  };
  struct Suffix {
    std::string text;
  };
  using Step = std::variant<ByteLevel, ByteFallback, Fuse, Strip, Replace, Metaspace, Suffix>;

  Status add(const Json& json, const std::string& where, std::size_t depth);
  Status add_strip(const Json& json, const std::string& component);
  static std::string strip(std::string_view token, const Strip& step);
  static std::string metaspace(std::string_view token, const Metaspace& step, bool first);
  static std::vector<std::string> byte_fallback(const std::vector<std::string>& tokens);

  bool joins_with_space_ = true;  // no decoder at all
  std::vector<Step> steps_;
};

// The same, token by token: gives out what no later token can change. Chains whose result depends on tokens far ahead
// (Strip at the end after Fuse, BPEDecoder, Replace after Fuse) give all at the end.
class DecoderStream {
 public:
  explicit DecoderStream(const Decoder& decoder);
  std::string push(std::string token);
  std::string finish();

 private:
  std::string run(std::vector<std::string> tokens, bool last);
  std::string fused(std::string text);

  const Decoder* decoder_;
  bool incremental_ = true;
  std::size_t fuse_at_;  // steps from here on see one growing text
  std::vector<std::string> held_;
  std::vector<std::size_t> seen_;      // tokens that each step has seen
  std::vector<std::size_t> stripped_;  // characters that each Strip after Fuse may still remove
  bool any_ = false;
};

// Bytes in, well-formed UTF-8 out, as replacing the ill-formed parts of the whole would give; an unfinished character
// is kept.
class Utf8Stream {
 public:
  std::string push(std::string_view bytes);
  std::string finish();

 private:
  std::string pending_;
};

}  // namespace tetrad
