#include "grammar/grammar.h"

#include <dlpack/dlpack.h>
#include <xgrammar/xgrammar.h>

#include <cmath>
#include <limits>
#include <mutex>
#include <nlohmann/json.hpp>

#include "base/json.h"
#include "grammar/json_schema.h"

namespace tetrad {
namespace {

constexpr int kMaxWhitespace =
    1;  // characters between JSON tokens: a model that likes blanks can't go on with them forever
constexpr std::int64_t kCacheBytes = std::int64_t{256} << 20;
constexpr std::size_t kMaxSpecBytes = std::size_t{1} << 20;

class GrammarConstraint : public TokenConstraint {
 public:
  GrammarConstraint(const xgrammar::CompiledGrammar& grammar, std::int64_t vocab, std::int32_t free_until)
      : matcher_(grammar),
        bits_(static_cast<std::size_t>(xgrammar::GetBitmaskSize(static_cast<int>(vocab)))),
        vocab_(vocab),
        free_until_(free_until) {}

  void prepare() override {
    prepared_ = true;
    restricted_ = free_until_ < 0 && !matcher_.IsTerminated();
    if (!restricted_) return;
    std::int64_t shape = static_cast<std::int64_t>(bits_.size());
    DLTensor tensor{};
    tensor.data = bits_.data();
    tensor.device = {kDLCPU, 0};
    tensor.ndim = 1;
    tensor.dtype = xgrammar::GetBitmaskDLType();
    tensor.shape = &shape;
    restricted_ = matcher_.FillNextTokenBitmask(&tensor);
  }

  void mask(std::span<float> logits) override {
    if (!prepared_) prepare();
    if (!restricted_) return;
    for (std::size_t i = 0; i < logits.size(); ++i) {
      const bool allowed =
          i < static_cast<std::size_t>(vocab_) && (static_cast<std::uint32_t>(bits_[i / 32]) >> (i % 32) & 1U) != 0;
      if (!allowed) logits[i] = -std::numeric_limits<float>::infinity();
    }
  }

  Status accept(std::int32_t token) override {
    prepared_ = false;
    if (free_until_ >= 0) {
      if (token == free_until_) free_until_ = -1;
      return {};
    }
    if (matcher_.IsTerminated() || matcher_.AcceptToken(token)) return {};
    return invalid_input("the grammar was left", "token " + std::to_string(token), "it was not allowed");
  }

 private:
  xgrammar::GrammarMatcher matcher_;
  std::vector<std::int32_t> bits_;
  std::int64_t vocab_;
  std::int32_t free_until_;                     // -1: inside the grammar
  bool prepared_ = false, restricted_ = false;  // what bits_ hold
};

const char* name_of(GrammarSpec::Kind kind) {
  switch (kind) {
    case GrammarSpec::Kind::kJsonObject:
      return "json_object";
    case GrammarSpec::Kind::kJsonSchema:
      return "json_schema";
    case GrammarSpec::Kind::kRegex:
      return "regex";
    case GrammarSpec::Kind::kEbnf:
      return "ebnf";
    case GrammarSpec::Kind::kStructuralTag:
      return "structural_tag";
  }
  return "";
}

Result<xgrammar::Grammar> json_schema_grammar(const std::string& text) {
  const Json given = TETRAD_TRY(parse_json(text, "JSON schema"));
  const Json schema = TETRAD_TRY(prepare_json_schema(given));
  return xgrammar::Grammar::FromJSONSchema(schema.dump(), true, std::nullopt, std::nullopt, true, kMaxWhitespace);
}

Result<xgrammar::Grammar> grammar_of(const GrammarSpec& spec, const xgrammar::TokenizerInfo& info) {
  switch (spec.kind) {
    case GrammarSpec::Kind::kJsonObject:
      return json_schema_grammar(R"({"type": "object"})");
    case GrammarSpec::Kind::kJsonSchema:
      return json_schema_grammar(spec.text);
    case GrammarSpec::Kind::kRegex:
      return xgrammar::Grammar::FromRegex(spec.text);
    case GrammarSpec::Kind::kEbnf:
      return xgrammar::Grammar::FromEBNF(spec.text);
    case GrammarSpec::Kind::kStructuralTag: {
      auto made = xgrammar::Grammar::FromStructuralTag(spec.text, info);
      if (auto* grammar = std::get_if<xgrammar::Grammar>(&made)) return *grammar;
      const auto& error = std::get<xgrammar::StructuralTagError>(made);
      return invalid_input("bad grammar", name_of(spec.kind),
                           std::visit([](const auto& e) { return std::string(e.what()); }, error));
    }
  }
  return invalid_input("bad grammar", "kind", "unknown");
}

}  // namespace

struct GrammarCompiler::Impl {
  Impl(xgrammar::TokenizerInfo tokenizer_info, std::int64_t vocab_size)
      : info(std::move(tokenizer_info)), compiler(info, 1, true, kCacheBytes), vocab(vocab_size) {}
  xgrammar::TokenizerInfo info;
  xgrammar::GrammarCompiler compiler;
  std::int64_t vocab;
  std::mutex mutex;
};

Result<GrammarCompiler> GrammarCompiler::create(const Tokenizer& tokenizer, std::int64_t vocab,
                                                const std::vector<std::int32_t>& end_tokens) {
  std::vector<std::string> bytes;
  for (std::int64_t id = 0; id < vocab; ++id) {
    const auto token = static_cast<TokenId>(id);
    // Special tokens are no text: an empty entry is never allowed by a grammar.
    bytes.push_back(tokenizer.is_special(token) ? std::string() : tokenizer.token_bytes(token));
  }
  try {
    xgrammar::TokenizerInfo info(bytes, xgrammar::VocabType::RAW, static_cast<int>(vocab), end_tokens);
    return GrammarCompiler(std::make_shared<Impl>(std::move(info), vocab));
  } catch (const std::exception& error) {
    return invalid_input("can't prepare grammars", "tokenizer", error.what());
  }
}

Result<std::shared_ptr<TokenConstraint>> GrammarCompiler::compile(const GrammarSpec& spec,
                                                                  std::int32_t free_until) const {
  if (spec.text.size() > kMaxSpecBytes) return invalid_input("bad grammar", name_of(spec.kind), "longer than 1 MiB");
  try {
    xgrammar::Grammar grammar = TETRAD_TRY(grammar_of(spec, impl_->info));
    if (free_until >= 0)
      grammar = xgrammar::Grammar::Concat({xgrammar::Grammar::FromEBNF(R"(root ::= "" | "\n\n")"), grammar});
    const std::lock_guard lock(impl_->mutex);
    const auto compiled = impl_->compiler.CompileGrammar(grammar);
    return std::make_shared<GrammarConstraint>(compiled, impl_->vocab, free_until);
  } catch (const std::exception& error) {
    return invalid_input("bad grammar", name_of(spec.kind), error.what());
  }
}

}  // namespace tetrad
