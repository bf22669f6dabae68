// What every request of a service may look at. Used by the routes.
#pragma once

#include <atomic>
#include <chrono>
#include <map>
#include <mutex>

#include "api/errors.h"
#include "api/metrics.h"
#include "api/service.h"
#include "grammar/grammar.h"

namespace tetrad {

// The engine's requests of those that run, by the client's or our id of the HTTP request, for /abort_request.
// Thread-safe.
class RunningRequests {
 public:
  void add(const std::string& id, RequestId request);
  void remove(const std::string& id, RequestId request);
  std::vector<RequestId> find(const std::string& id) const;

 private:
  mutable std::mutex mutex_;
  std::multimap<std::string, RequestId> requests_;
};

struct Context {
  Context(ApiOptions api_options, Tokenizer its_tokenizer, std::optional<ChatTemplate> its_template);

  const ApiOptions options;
  const Tokenizer tokenizer;
  const std::optional<ChatTemplate> chat_template;
  const std::int64_t created;  // seconds since 1970
  std::atomic<Generator*> generator{nullptr};
  std::atomic<bool> draining{false};
  RunningRequests running;
  Metrics metrics;

  ApiResult<Generator*> ready() const;           // 503 while loading or draining
  ApiResult<const GrammarCompiler*> grammars();  // made when first asked for: 0.1 s
  // The name to answer under: `asked`, or the model's own when none was asked for. 404 for a model that isn't here.
  ApiResult<std::string> model_name(const std::optional<std::string>& asked) const;
  std::uint64_t random();                         // thread-safe; other numbers in every process
  std::string new_id(const std::string& prefix);  // prefix and 24 hexadecimal digits

 private:
  const std::uint64_t seed_;
  std::mutex grammar_mutex_;
  std::optional<GrammarCompiler> grammars_;
  std::atomic<std::uint64_t> counter_{0};
};

std::int64_t unix_seconds();

}  // namespace tetrad
