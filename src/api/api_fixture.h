// For tests: a service over the bundled model's tokenizer and template, with a generator that says what it is told.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <deque>
#include <map>
#include <mutex>
#include <nlohmann/json.hpp>

#include "api/service.h"
#include "base/json.h"

namespace tetrad {

// Plays scripted tokens: request n gets script n (the last one again when there are no more). Events come inside
// submit(), `step` tokens in each, unless `manual`: then by release().
class FakeGenerator final : public Generator {
 public:
  struct Script {
    std::vector<std::int32_t> ids;
    FinishReason finish = FinishReason::kStop;
  };

  Result<RequestId> submit(EngineRequest request, OutputSink sink) override {
    if (!refusal.message.empty()) return tl::unexpected(refusal);
    const RequestId id = ++last_id_;
    const Script& script = scripts[std::min(requests.size(), scripts.size() - 1)];
    requests.push_back(request);
    if (manual) {
      waiting[id] = {script, std::move(sink)};
    } else {
      play(script, requests.back(), sink);
    }
    return id;
  }
  void cancel(RequestId id) override {
    cancelled.push_back(id);
    if (const auto found = waiting.find(id); found != waiting.end()) {
      OutputEvent event;
      event.finish = FinishReason::kAbort;
      const OutputSink sink = std::move(found->second.second);
      waiting.erase(found);
      sink(std::move(event));
    }
  }
  void cancel_all() override { ++cancelled_all; }
  bool flush_cache() override { return flushable; }
  EngineStats stats() const override { return its_stats; }
  std::int64_t context_length() const override { return context; }
  std::int64_t pool_tokens() const override { return context; }

  void release(RequestId id) {
    const auto [script, sink] = waiting.at(id);
    waiting.erase(id);
    play(script, requests[static_cast<std::size_t>(id) - 1], sink);
  }
  // One event of a request that waits.
  void emit(RequestId id, OutputEvent event) { waiting.at(id).second(std::move(event)); }

  std::vector<Script> scripts = {{}};
  std::size_t step = 1;
  bool manual = false, flushable = true;
  Error refusal;
  std::int64_t context = 2048, cached = 0;
  EngineStats its_stats;
  std::vector<EngineRequest> requests;
  std::vector<RequestId> cancelled;
  std::map<RequestId, std::pair<Script, OutputSink>> waiting;
  int cancelled_all = 0;

 private:
  static OutputToken token(std::int32_t id, std::int64_t tops) {
    OutputToken result{id, -0.5F, {}};
    for (std::int64_t k = 0; k < tops; ++k)
      result.top.push_back({id + static_cast<std::int32_t>(k), -0.5F - static_cast<float>(k)});
    return result;
  }
  void play(const Script& script, const EngineRequest& request, const OutputSink& sink) {
    OutputEvent event;
    event.cached_tokens = cached;
    if (request.prompt_logprobs >= 0)
      for (std::size_t p = 1; p < request.prompt.size(); ++p)
        event.prompt.push_back(token(request.prompt[p], request.prompt_logprobs));
    const auto size = std::min(script.ids.size(), static_cast<std::size_t>(request.max_tokens));
    for (std::size_t t = 0; t < size; ++t) {
      event.tokens.push_back(token(script.ids[t], std::max<std::int64_t>(request.logprobs, 0)));
      if (event.tokens.size() == step && t + 1 < size) sink(std::exchange(event, OutputEvent{}));
      event.cached_tokens = cached;
    }
    event.finish = size < script.ids.size() ? FinishReason::kLength : script.finish;
    sink(std::move(event));
  }

  RequestId last_id_ = 0;
};

struct TestAnswer {
  HttpHead head;
  std::string body;

  Json json() const { return Json::parse(body); }
  std::string header(const std::string& name) const {
    for (const auto& [key, value] : head.headers)
      if (key == name) return value;
    return {};
  }
  // The data of a stream's events, "[DONE]" and comments left out.
  std::vector<Json> events() const {
    std::vector<Json> list;
    std::size_t at = 0;
    while ((at = body.find("data: ", at)) != std::string::npos) {
      const std::size_t end = body.find("\n\n", at);
      const std::string data = body.substr(at + 6, end - at - 6);
      if (data != "[DONE]") list.push_back(Json::parse(data));
      at = end;
    }
    return list;
  }
};

class ApiTest : public testing::Test {
 protected:
  static inline const std::string kModel = std::string(TETRAD_SOURCE_DIR) + "/models/tiny-minimax-m2";

  void SetUp() override {
    options.names = {"tiny", "gpt-4"};
    options.vocab = 6144;
    options.end_tokens = {*tokenizer().token_id("[e~[")};
    options.reasoning = ReasoningParser::kMinimax;
    options.tools = ToolParser::kMinimaxM2;
    options.defaults.temperature = 1.0;
    options.defaults.top_p = 0.95;
    options.defaults.top_k = 40;
    options.page = "<html>page</html>";
    make();
  }
  void make() {
    service = std::make_unique<Service>(options, tokenizer(), *ChatTemplate::load(kModel));
    service->serve(generator);
  }
  static const Tokenizer& tokenizer() {
    static const Tokenizer its = *Tokenizer::load(kModel);
    return its;
  }
  static std::vector<std::int32_t> ids(const std::string& text) { return tokenizer().encode(text, false); }
  // What the model says, the end token behind it.
  void say(const std::string& text) {
    auto tokens = ids(text);
    tokens.push_back(*tokenizer().token_id("[e~["));
    generator.scripts = {{tokens, FinishReason::kStop}};
  }

  static HttpRequest request(const std::string& method, const std::string& path, const std::string& body = {}) {
    HttpRequest result;
    result.method = method;
    result.path = path;
    result.body = body;
    if (!body.empty()) result.headers = {{"content-type", "application/json"}};
    return result;
  }
  static TestAnswer finish(Exchange& exchange) {
    TestAnswer answer;
    exchange.start([] {});
    for (int i = 0; i < 100000; ++i) {
      auto progress = exchange.poll();
      if (progress.head) answer.head = *progress.head;
      answer.body += progress.body;
      if (progress.done) return answer;
    }
    ADD_FAILURE() << "the exchange does not end";
    return answer;
  }
  TestAnswer ask(const HttpRequest& what) { return finish(*service->open(what)); }
  TestAnswer get(const std::string& path) { return ask(request("GET", path)); }
  TestAnswer post(const std::string& path, const Json& body) { return ask(request("POST", path, body.dump())); }

  ApiOptions options;
  FakeGenerator generator;
  std::unique_ptr<Service> service;
};

}  // namespace tetrad
