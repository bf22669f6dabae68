// A tokenizer.json taken apart without building a tree of its two big tables: a vocabulary of 150 000 tokens and 300
// 000 merges would cost seconds and hundreds of megabytes as JSON values. Used by tokenizer.cpp.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "base/json.h"

namespace tetrad {

// Ids above this are refused: tables are indexed by id, and the largest real vocabularies have 262 144 tokens.
inline constexpr std::int64_t kMaxTokenId = (1 << 22) - 1;
inline constexpr std::size_t kMaxMerges = 1 << 22;  // the longest known list (Gemma 2) has 580 604
inline constexpr std::size_t kMaxSteps = 64;        // of a normalizer, a pre-tokenizer or a decoder

struct VocabularyEntry {
  std::size_t begin, size;  // in TokenizerFile::text
  std::int32_t id;
};
struct MergeEntry {
  std::size_t begin;  // in TokenizerFile::merge_text: the left part, then the right one
  std::uint32_t left_size, right_size;
};

struct TokenizerFile {
  std::unique_ptr<Json> root;  // all but model.vocab and model.merges
  std::string text;            // of the tokens
  std::string merge_text;
  std::vector<VocabularyEntry> vocabulary;
  std::vector<MergeEntry> merges;  // "a b" or ["a", "b"], in the order of their rank
  bool has_vocabulary = false, has_merges = false;

  std::string_view token(const VocabularyEntry& e) const { return std::string_view(text).substr(e.begin, e.size); }
  std::string_view left(const MergeEntry& e) const { return std::string_view(merge_text).substr(e.begin, e.left_size); }
  std::string_view right(const MergeEntry& e) const {
    return std::string_view(merge_text).substr(e.begin + e.left_size, e.right_size);
  }
};

Result<TokenizerFile> read_tokenizer_file(std::string_view json, const std::string& where);

// Typed access to a component's fields; the error names the component and the field.
Result<std::string> string_field(const Json& object, const char* key, const std::string& component);
Result<bool> bool_field(const Json& object, const char* key, const std::string& component);
Result<bool> bool_field(const Json& object, const char* key, const std::string& component, bool absent_value);
// The field, or null when it is absent.
const Json& field_or_null(const Json& object, const char* key);

}  // namespace tetrad
