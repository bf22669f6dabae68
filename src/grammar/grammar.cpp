#include "grammar/grammar.h"

#include <dlpack/dlpack.h>
#include <xgrammar/xgrammar.h>

#include <cmath>
#include <limits>
#include <map>
#include <mutex>
#include <nlohmann/json.hpp>

#include "base/json.h"
#include "grammar/json_schema.h"

namespace tetrad {
namespace {

constexpr int kMaxWhitespace =
    1;  // characters between JSON tokens: a model that likes blanks can't go on with them forever
constexpr std::int64_t kCacheBytes = std::int64_t{256} << 20;
constexpr std::size_t kMaxSpecBytes = std::size_t{1} << 20, kMaxCompiled = 128;

constexpr float kNever = -std::numeric_limits<float>::infinity();

class GrammarConstraint : public TokenConstraint {
 public:
  GrammarConstraint(const xgrammar::CompiledGrammar& grammar, std::int64_t vocab,
                    std::shared_ptr<const std::vector<std::int32_t>> end_tokens, std::int32_t free_until)
      : matcher_(grammar),
        end_tokens_(std::move(end_tokens)),
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
    if (free_until_ >= 0) {  // a text that ended in its thought would lack all that was asked for
      for (const std::int32_t id : *end_tokens_)
        if (static_cast<std::size_t>(id) < logits.size()) logits[static_cast<std::size_t>(id)] = kNever;
    }
    if (!restricted_) return;
    for (std::size_t i = 0; i < logits.size(); ++i) {
      const bool allowed =
          i < static_cast<std::size_t>(vocab_) && (static_cast<std::uint32_t>(bits_[i / 32]) >> (i % 32) & 1U) != 0;
      if (!allowed) logits[i] = kNever;
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
  std::shared_ptr<const std::vector<std::int32_t>> end_tokens_;
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

// xgrammar's message without its clock and source line.
std::string reason(const std::exception& error) {
  std::string text = error.what();
  const std::size_t source = text.find(".cc:"), colon = source == std::string::npos ? source : text.find(": ", source);
  if (colon != std::string::npos) text.erase(0, colon + 2);
  while (!text.empty() && (text.back() == '\n' || text.back() == ' ')) text.pop_back();
  return text;
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
                           std::visit([](const auto& e) { return reason(e); }, error));
    }
  }
  return invalid_input("bad grammar", "kind", "unknown");
}

}  // namespace

struct GrammarCompiler::Impl {
  struct Vocabulary {
    explicit Vocabulary(xgrammar::TokenizerInfo its_info)
        : info(std::move(its_info)), compiler(info, 1, true, kCacheBytes) {}
    xgrammar::TokenizerInfo info;
    xgrammar::GrammarCompiler compiler;
  };
  Vocabulary text, tags;  // without and with the model's own tags
  std::int64_t vocab;
  std::shared_ptr<const std::vector<std::int32_t>> end_tokens;
  std::mutex mutex;
  std::map<std::string, xgrammar::CompiledGrammar> compiled;  // at most kMaxCompiled

  Result<xgrammar::CompiledGrammar> find(const GrammarSpec& spec, bool behind_thought);
};

Result<xgrammar::CompiledGrammar> GrammarCompiler::Impl::find(const GrammarSpec& spec, bool behind_thought) {
  const std::string key =
      std::string(name_of(spec.kind)) + (behind_thought ? "+" : "-") + (spec.tags ? "+" : "-") + spec.text;
  const std::lock_guard lock(mutex);
  if (const auto found = compiled.find(key); found != compiled.end()) return found->second;
  Vocabulary& vocabulary = spec.tags ? tags : text;
  xgrammar::Grammar grammar = TETRAD_TRY(grammar_of(spec, vocabulary.info));
  if (behind_thought)
    grammar = xgrammar::Grammar::Concat({xgrammar::Grammar::FromEBNF(R"(root ::= "" | "\n\n")"), grammar});
  if (compiled.size() >= kMaxCompiled) compiled.clear();
  return compiled.emplace(key, vocabulary.compiler.CompileGrammar(grammar)).first->second;
}

Result<GrammarCompiler> GrammarCompiler::create(const Tokenizer& tokenizer, std::int64_t vocab,
                                                const std::vector<std::int32_t>& end_tokens) {
  std::vector<std::string> plain, tagged;
  for (std::int64_t id = 0; id < vocab; ++id) {
    const auto token = static_cast<TokenId>(id);
    // An empty entry is never allowed by a grammar: special tokens are no text.
    tagged.push_back(tokenizer.is_special(token) ? std::string() : tokenizer.token_bytes(token));
    plain.push_back(tokenizer.is_added(token) ? std::string() : tagged.back());
  }
  try {
    const auto info = [&](const std::vector<std::string>& bytes) {
      return xgrammar::TokenizerInfo(bytes, xgrammar::VocabType::RAW, static_cast<int>(vocab), end_tokens);
    };
    return GrammarCompiler(std::shared_ptr<Impl>(new Impl{Impl::Vocabulary(info(plain)),
                                                          Impl::Vocabulary(info(tagged)),
                                                          vocab,
                                                          std::make_shared<const std::vector<std::int32_t>>(end_tokens),
                                                          {},
                                                          {}}));
  } catch (const std::exception& error) {
    return invalid_input("can't prepare grammars", "tokenizer", error.what());
  }
}

Result<std::shared_ptr<TokenConstraint>> GrammarCompiler::compile(const GrammarSpec& spec,
                                                                  std::int32_t free_until) const {
  return TETRAD_TRY(compile(spec, free_until, 1)).front();
}

Result<std::vector<std::shared_ptr<TokenConstraint>>> GrammarCompiler::compile(const GrammarSpec& spec,
                                                                               std::int32_t free_until,
                                                                               std::size_t count) const {
  if (spec.text.size() > kMaxSpecBytes) return invalid_input("bad grammar", name_of(spec.kind), "longer than 1 MiB");
  if (spec.kind == GrammarSpec::Kind::kRegex || spec.kind == GrammarSpec::Kind::kEbnf)
    TETRAD_TRY(check_repetitions(spec.text, name_of(spec.kind)));
  try {
    const xgrammar::CompiledGrammar grammar = TETRAD_TRY(impl_->find(spec, free_until >= 0));
    std::vector<std::shared_ptr<TokenConstraint>> constraints;
    for (std::size_t i = 0; i < count; ++i)
      constraints.push_back(std::make_shared<GrammarConstraint>(grammar, impl_->vocab, impl_->end_tokens, free_until));
    return constraints;
  } catch (const std::exception& error) {
    return invalid_input("bad grammar", name_of(spec.kind), reason(error));
  }
}

}  // namespace tetrad
