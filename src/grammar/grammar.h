// Structured output: JSON schemas, regular expressions and grammars as constraints on the next token. Used by api/.
// xgrammar does the work behind this header (github.com/mlc-ai/xgrammar, 0.2.8).
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/error.h"
#include "sampling/token_constraint.h"
#include "tokenizer/tokenizer.h"

namespace tetrad {

struct GrammarSpec {
  enum class Kind : std::uint8_t { kJsonObject, kJsonSchema, kRegex, kEbnf, kStructuralTag };
  Kind kind = Kind::kJsonObject;
  std::string text;   // the schema, expression, grammar (root rule "root") or tag; empty for kJsonObject
  bool tags = false;  // added tokens that aren't special ("<minimax:tool_call>") may come for their text
};

// Immutable apart from a cache of compiled grammars; thread-safe, one grammar is compiled at a time. Copies share the
// cache.
class GrammarCompiler {
 public:
  // Takes the vocabulary apart once: 0.1 s for 200,000 tokens. `end_tokens` may come where the text may end.
  static Result<GrammarCompiler> create(const Tokenizer& tokenizer, std::int64_t vocab,
                                        const std::vector<std::int32_t>& end_tokens);

  // `free_until`: everything but an end token may come until this token has come (the end of the thought), then at most
  // one "\n\n", then the grammar; -1: the grammar from the start. Fails (kInvalidInput, naming the keyword) for what
  // can't be held to.
  Result<std::shared_ptr<TokenConstraint>> compile(const GrammarSpec& spec, std::int32_t free_until) const;
  // `count` of them, each with a state of its own.
  Result<std::vector<std::shared_ptr<TokenConstraint>>> compile(const GrammarSpec& spec, std::int32_t free_until,
                                                                std::size_t count) const;

 private:
  struct Impl;
  explicit GrammarCompiler(std::shared_ptr<Impl> impl) : impl_(std::move(impl)) {}
  std::shared_ptr<Impl> impl_;
};

}  // namespace tetrad
