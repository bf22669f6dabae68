#include "tokenizer/tokenizer.h"

#include <algorithm>
#include <new>
#include <nlohmann/json.hpp>
#include <utility>

#include "base/files.h"
#include "base/utf8.h"
#include "tokenizer/byte_level.h"
#include "tokenizer/tokenizer_file.h"
#include "tokenizer/tokenizer_impl.h"

namespace tetrad {
namespace {

constexpr std::uint64_t kMaxFileBytes = std::uint64_t{512} << 20;  // Gemma's, the largest known, has 33 MB

}  // namespace

std::unique_ptr<EncodeScratch> ScratchPool::take() {
  {
    const std::lock_guard lock(mutex_);
    if (!free_.empty()) {
      auto scratch = std::move(free_.back());
      free_.pop_back();
      return scratch;
    }
  }
  return std::make_unique<EncodeScratch>();
}

void ScratchPool::give_back(std::unique_ptr<EncodeScratch> scratch) {
  const std::lock_guard lock(mutex_);
  if (free_.size() < kMaxKept) free_.push_back(std::move(scratch));
}

std::string_view Tokenizer::Impl::decoded_text(TokenId id) const {
  const auto found = added.by_id().find(id);
  return found != added.by_id().end() ? std::string_view(found->second.pattern) : model.vocabulary().text(id);
}

std::string_view Tokenizer::Impl::byte_level_bytes(TokenId id) const {
  const auto i = static_cast<std::size_t>(id);
  const std::size_t begin = i == 0 ? 0 : byte_ends[i - 1];
  return std::string_view(bytes).substr(begin, byte_ends[i] - begin);
}

void Tokenizer::Impl::build_tables() {
  std::size_t count = model.vocabulary().id_end();
  if (!added.by_id().empty()) count = std::max(count, static_cast<std::size_t>(added.by_id().rbegin()->first) + 1);
  flags.resize(count);
  byte_ends.resize(count);
  const bool byte_level = decoder.is_byte_level();
  for (std::size_t i = 0; i < count; ++i) {
    const auto id = static_cast<TokenId>(i);
    const bool is_added = added.by_id().contains(id);
    if (is_added || model.vocabulary().contains(id)) {
      const std::string_view text = decoded_text(id);
      flags[i] = kKnown;
      if (added.is_special_text(text)) flags[i] |= kSpecial;
      if (byte_level) bytes += byte_level::decode(text).value_or(std::string(text));
    }
    byte_ends[i] = bytes.size();
  }
}

Result<Tokenizer> Tokenizer::load(const std::filesystem::path& model_directory) {
  const std::filesystem::path path = model_directory / "tokenizer.json";
  const std::string text = TETRAD_TRY(read_file(path, kMaxFileBytes));
  return from_json(text, path.string());
}

Result<Tokenizer> Tokenizer::from_json(std::string_view text, const std::string& where) {
  TokenizerFile file = TETRAD_TRY(read_tokenizer_file(text, where));
  const Json& root = *file.root;
  const Json& version = field_or_null(root, "version");
  if (!version.is_null() && version != "1.0")
    return make_error(ErrorCode::kUnsupported, "unsupported tokenizer", where, "the version is not 1.0");
  auto impl = std::make_shared<Impl>();
  impl->model = TETRAD_TRY(BpeModel::build(field_or_null(root, "model"), file, where));
  impl->normalizer = TETRAD_TRY(Normalizer::build(field_or_null(root, "normalizer"), where));
  impl->pre_tokenizer = TETRAD_TRY(PreTokenizer::build(field_or_null(root, "pre_tokenizer"), where));
  impl->post_processor = TETRAD_TRY(PostProcessor::build(field_or_null(root, "post_processor"), where));
  impl->decoder = TETRAD_TRY(Decoder::build(field_or_null(root, "decoder"), where));
  RegexScratch scratch;
  const auto normalize = [&](std::string_view content) {
    std::string normalized(content);
    bool at_start = true;
    impl->normalizer.apply(normalized, at_start, scratch);
    return normalized;
  };
  impl->added =
      TETRAD_TRY(AddedTokens::build(field_or_null(root, "added_tokens"), impl->model.vocabulary(), normalize, where));
  impl->build_tables();
  return Tokenizer(std::move(impl));
}

void Tokenizer::Impl::encode_words(std::string_view text, bool at_start, EncodeScratch& state,
                                   std::vector<TokenId>& out) const {
  const bool byte_level = pre_tokenizer.ends_in_byte_level();
  pre_tokenizer.split(text, at_start, state.regex, state.pre_tokenizer,
                      [&](std::string_view word) { model.encode_word(word, byte_level, state.bpe, out); });
}

void Tokenizer::Impl::encode_text(std::string_view text, bool at_start, EncodeScratch& state,
                                  std::vector<TokenId>& out) const {
  if (!normalizer.empty()) {
    state.normalized.assign(text);
    normalizer.apply(state.normalized, at_start, state.regex);
    text = state.normalized;
  }
  const std::string_view whole = text;
  added.split(whole, true, [&](std::int32_t id, std::string_view part) {
    if (id >= 0)
      out.push_back(id);
    else
      encode_words(part, at_start && part.data() == whole.data(), state, out);
  });
}

std::vector<TokenId> Tokenizer::encode(std::string_view text, bool add_special_tokens) const {
  std::string repaired;
  if (!is_valid_utf8(text)) {
    repaired = utf8_lossy(text);
    text = repaired;
  }
  auto state = impl_->scratch.take();
  state->regex.begin_text();
  std::vector<TokenId> ids;
  ids.reserve(text.size() / 4 + 8);
  impl_->added.split(text, false, [&](std::int32_t id, std::string_view part) {
    if (id >= 0)
      ids.push_back(id);
    else
      impl_->encode_text(part, part.data() == text.data(), *state, ids);
  });
  impl_->scratch.give_back(std::move(state));
  return impl_->post_processor.apply(std::move(ids), add_special_tokens);
}

std::string Tokenizer::decode(std::span<const TokenId> ids, bool skip_special_tokens) const {
  const auto wanted = [&](TokenId id) { return impl_->known(id) && !(skip_special_tokens && impl_->special(id)); };
  if (impl_->decoder.is_byte_level()) {
    std::string bytes;
    for (const TokenId id : ids)
      if (wanted(id)) bytes += impl_->byte_level_bytes(id);
    return is_valid_utf8(bytes) ? bytes : utf8_lossy(bytes);
  }
  std::vector<std::string> tokens;
  for (const TokenId id : ids)
    if (wanted(id)) tokens.emplace_back(impl_->decoded_text(id));
  return impl_->decoder.decode(std::move(tokens));
}

std::string Tokenizer::token_bytes(TokenId id) const {
  if (!impl_->known(id)) return {};
  if (impl_->decoder.is_byte_level()) return std::string(impl_->byte_level_bytes(id));
  return impl_->decoder.token_bytes(impl_->decoded_text(id));
}

std::optional<TokenId> Tokenizer::token_id(std::string_view token) const {
  if (const auto id = impl_->added.find(token)) return id;
  return impl_->model.vocabulary().find(token);
}

std::string_view Tokenizer::token_text(TokenId id) const {
  const auto found = impl_->added.by_id().find(id);
  return found != impl_->added.by_id().end() ? std::string_view(found->second.content)
                                             : impl_->model.vocabulary().text(id);
}

bool Tokenizer::is_special(TokenId id) const { return impl_->special(id); }
bool Tokenizer::is_added(TokenId id) const { return impl_->added.by_id().contains(id); }

std::size_t Tokenizer::vocabulary_size() const { return impl_->flags.size(); }

struct StreamDecoder::State {
  std::shared_ptr<const Tokenizer::Impl> impl;
  bool skip_special_tokens;
  Utf8Stream bytes;      // of a byte-level decoder
  DecoderStream tokens;  // of any other
};

StreamDecoder::StreamDecoder(const Tokenizer& tokenizer, bool skip_special_tokens)
    : state_(new State{tokenizer.impl_, skip_special_tokens, {}, DecoderStream(tokenizer.impl_->decoder)}) {}
StreamDecoder::StreamDecoder(StreamDecoder&&) noexcept = default;
StreamDecoder& StreamDecoder::operator=(StreamDecoder&&) noexcept = default;
StreamDecoder::~StreamDecoder() = default;

std::string StreamDecoder::push(TokenId id) {
  const Tokenizer::Impl& impl = *state_->impl;
  if (!impl.known(id) || (state_->skip_special_tokens && impl.special(id))) return {};
  if (impl.decoder.is_byte_level()) return state_->bytes.push(impl.byte_level_bytes(id));
  return state_->tokens.push(std::string(impl.decoded_text(id)));
}

std::string StreamDecoder::finish() {
  return state_->impl->decoder.is_byte_level() ? state_->bytes.finish() : state_->tokens.finish();
}

}  // namespace tetrad
