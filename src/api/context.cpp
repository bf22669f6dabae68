#include "api/context.h"

#include <fmt/format.h>

#include <algorithm>
#include <random>

#include "base/check.h"
#include "base/rng.h"

namespace tetrad {

void RunningRequests::add(const std::string& id, RequestId request) {
  const std::lock_guard lock(mutex_);
  requests_.emplace(id, request);
}

void RunningRequests::remove(const std::string& id, RequestId request) {
  const std::lock_guard lock(mutex_);
  const auto [first, last] = requests_.equal_range(id);
  const auto found = std::find_if(first, last, [&](const auto& entry) { return entry.second == request; });
  if (found != last) requests_.erase(found);
}

std::vector<RequestId> RunningRequests::find(const std::string& id) const {
  const std::lock_guard lock(mutex_);
  std::vector<RequestId> ids;
  const auto [first, last] = requests_.equal_range(id);
  for (auto entry = first; entry != last; ++entry) ids.push_back(entry->second);
  return ids;
}

Context::Context(ApiOptions api_options, Tokenizer its_tokenizer, std::optional<ChatTemplate> its_template)
    : options(std::move(api_options)),
      tokenizer(std::move(its_tokenizer)),
      chat_template(std::move(its_template)),
      created(unix_seconds()),
      metrics(options.names.empty() ? std::string() : options.names.front()),
      seed_(std::uint64_t{std::random_device{}()} << 32 | std::random_device{}()) {
  TETRAD_CHECK(!options.names.empty());
}

ApiResult<Generator*> Context::ready() const {
  if (draining) return tl::unexpected(ApiError{503, "the server is shutting down", {}, {}, {}});
  Generator* const its = generator;
  if (its == nullptr) return tl::unexpected(ApiError{503, "the model is loading", {}, {}, {}});
  return its;
}

ApiResult<const GrammarCompiler*> Context::grammars() {
  const std::lock_guard lock(grammar_mutex_);
  if (!grammars_) {
    auto made = GrammarCompiler::create(tokenizer, options.vocab, options.end_tokens);
    if (!made) return tl::unexpected(from_error(made.error()));
    grammars_ = std::move(*made);
  }
  return &*grammars_;
}

ApiResult<std::string> Context::model_name(const std::optional<std::string>& asked) const {
  if (!asked || asked->empty()) return options.names.front();
  const bool known = std::find(options.names.begin(), options.names.end(), *asked) != options.names.end();
  if (known || options.any_model_name) return *asked;
  return tl::unexpected(ApiError{
      404,
      fmt::format("the model '{}' does not exist, this server has '{}'", printable(*asked), options.names.front()),
      "model",
      "model_not_found",
      {}});
}

std::uint64_t Context::random() { return Rng(seed_, ++counter_).next(); }

std::string Context::new_id(const std::string& prefix) {
  return fmt::format("{}{:016x}{:08x}", prefix, random(), random() >> 32);
}

std::int64_t unix_seconds() {
  return std::chrono::duration_cast<std::chrono::seconds>(std::chrono::system_clock::now().time_since_epoch()).count();
}

}  // namespace tetrad
