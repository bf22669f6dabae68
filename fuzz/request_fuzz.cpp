// Any body for any route: one head before the body, a known status, whole answers are JSON, the exchange ends.
// The input: a byte that picks the route, a byte that seeds what the model says, then the body.
#include <array>
#include <cstdint>
#include <nlohmann/json.hpp>

#include "api/service.h"
#include "base/check.h"
#include "base/log.h"
#include "base/rng.h"

namespace {

using tetrad::EngineRequest;
using tetrad::Json;
using tetrad::OutputEvent;
using tetrad::OutputSink;

constexpr std::array<const char*, 10> kRoutes = {"/v1/chat/completions",
                                                 "/v1/completions",
                                                 "/v1/messages",
                                                 "/v1/messages/count_tokens",
                                                 "/generate",
                                                 "/tokenize",
                                                 "/detokenize",
                                                 "/apply_template",
                                                 "/abort_request",
                                                 "/v1/responses"};
constexpr std::size_t kTokens = 24;

// Says random tokens, some of them special ones, at once.
class Babbler final : public tetrad::Generator {
 public:
  tetrad::Result<tetrad::RequestId> submit(EngineRequest request, OutputSink sink) override {
    for (const std::int32_t id : request.prompt) TETRAD_CHECK(id >= 0 && id < vocab);
    TETRAD_CHECK(!request.prompt.empty());
    OutputEvent event;
    if (request.prompt_logprobs >= 0)
      for (std::size_t i = 1; i < request.prompt.size(); ++i) event.prompt.push_back({request.prompt[i], -1.0F, {}});
    for (std::size_t i = 0; i < kTokens && static_cast<std::int64_t>(i) < request.max_tokens; ++i) {
      const auto draw = static_cast<std::int64_t>(random());
      const std::int64_t id = draw % 3 == 0 ? vocab - 1 - (draw / 3) % 60 : (draw / 3) % vocab;
      event.tokens.push_back({static_cast<std::int32_t>(id), -1.0F, {}});
      if (draw % 5 == 0) sink(std::exchange(event, {}));
    }
    event.finish = tetrad::FinishReason::kStop;
    sink(std::move(event));
    return ++last_;
  }
  void cancel(tetrad::RequestId) override {}
  void cancel_all() override {}
  bool flush_cache() override { return true; }
  tetrad::EngineStats stats() const override { return {}; }
  std::int64_t context_length() const override { return 2048; }
  std::int64_t pool_tokens() const override { return 65536; }

  std::int64_t vocab = 0;
  std::uint64_t seed = 0;

 private:
  std::uint64_t random() { return tetrad::Rng(seed, ++drawn_).next() >> 1; }
  std::uint64_t drawn_ = 0;
  tetrad::RequestId last_ = 0;
};

struct Server {
  Babbler generator;
  std::unique_ptr<tetrad::Service> service;

  Server() {
    tetrad::set_quiet(true);
    const std::string model = std::string(TETRAD_SOURCE_DIR) + "/models/tiny-minimax-m2";
    generator.vocab = 6144;
    tetrad::ApiOptions options;
    options.names = {"tiny"};
    options.any_model_name = true;
    options.vocab = generator.vocab;
    options.reasoning = tetrad::ReasoningParser::kMinimax;
    options.tools = tetrad::ToolParser::kMinimaxM2;
    service =
        std::make_unique<tetrad::Service>(options, *tetrad::Tokenizer::load(model), *tetrad::ChatTemplate::load(model));
    service->serve(generator);
  }
};

void check_answer(const tetrad::HttpHead& head, const std::string& body) {
  TETRAD_CHECK(head.status == 200 || (head.status >= 400 && head.status <= 503));
  TETRAD_CHECK(head.status != 500);
  bool json = false;
  for (const auto& [name, value] : head.headers) json = json || (name == "Content-Type" && value == "application/json");
  if (!json) return;
  const Json answer = Json::parse(body, nullptr, false);
  TETRAD_CHECK(!answer.is_discarded());
  if (head.status != 200) TETRAD_CHECK(answer.contains("error"));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static Server server;
  if (size < 2) return 0;
  server.generator.seed = data[1];
  tetrad::HttpRequest request;
  request.method = "POST";
  request.path = kRoutes[data[0] % kRoutes.size()];
  request.headers = {{"content-type", "application/json"}};
  request.body.assign(reinterpret_cast<const char*>(data) + 2, size - 2);
  const auto exchange = server.service->open(std::move(request));
  exchange->start([] {});
  tetrad::HttpHead head;
  std::string body;
  bool begun = false;
  for (int polls = 0;; ++polls) {
    TETRAD_CHECK(polls < 1000);
    auto progress = exchange->poll();
    if (progress.head) {
      TETRAD_CHECK(!begun);
      begun = true;
      head = *progress.head;
    }
    TETRAD_CHECK(begun || progress.body.empty());
    body += progress.body;
    if (progress.done) break;
  }
  TETRAD_CHECK(begun);
  check_answer(head, body);
  return 0;
}
