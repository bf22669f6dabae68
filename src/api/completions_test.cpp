#include <gmock/gmock.h>

#include "api/api_fixture.h"

namespace tetrad {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

class CompletionsTest : public ApiTest {};

TEST_F(CompletionsTest, TokenizesBothWays) {
  const Json tokens = post("/tokenize", {{"prompt", "Hello, world"}}).json();
  EXPECT_EQ(tokens["tokens"].get<std::vector<std::int32_t>>(), ids("Hello, world"));
  EXPECT_EQ(tokens["count"], tokens["tokens"].size());
  EXPECT_EQ(tokens["max_model_len"], 2048);
  EXPECT_EQ(post("/v1/tokenize", {{"content", "Hello, world"}}).json()["tokens"], tokens["tokens"]);
  EXPECT_EQ(post("/detokenize", {{"tokens", tokens["tokens"]}}).json()["prompt"], "Hello, world");
  EXPECT_EQ(post("/v1/detokenize", {{"tokens", {tokens["tokens"]}}}).json()["text"][0], "Hello, world");
  EXPECT_EQ(post("/tokenize", {{"prompt", {"a", "b"}}}).json()["count"].size(), 2U);
  EXPECT_EQ(post("/detokenize", {{"tokens", {999999}}}).json()["error"]["param"], "tokens");
  const Json chat = {{"messages", {{{"role", "user"}, {"content", "hi"}}}}};
  const std::string prompt = post("/apply_template", chat).json()["prompt"];
  EXPECT_THAT(prompt, testing::EndsWith("]~b]ai\n<think>\n"));
  EXPECT_EQ(post("/tokenize", chat).json()["tokens"].get<std::vector<std::int32_t>>(), ids(prompt));
}

TEST_F(CompletionsTest, WholeAnswer) {
  say("one two three");
  generator.cached = 1;
  const auto answer = post("/v1/completions", {{"model", "tiny"}, {"prompt", "count"}, {"max_tokens", 50}});
  ASSERT_EQ(answer.head.status, 200) << answer.body;
  EXPECT_EQ(answer.header("Content-Type"), "application/json");
  const Json json = answer.json();
  EXPECT_EQ(json["object"], "text_completion");
  EXPECT_EQ(json["choices"][0]["text"], "one two three");
  EXPECT_EQ(json["choices"][0]["finish_reason"], "stop");
  EXPECT_TRUE(json["choices"][0]["logprobs"].is_null());
  EXPECT_EQ(json["usage"]["prompt_tokens"], ids("count").size());
  EXPECT_EQ(json["usage"]["completion_tokens"], ids("one two three").size() + 1);
  EXPECT_EQ(json["usage"]["prompt_tokens_details"]["cached_tokens"], 1);
  EXPECT_DOUBLE_EQ(generator.requests[0].sampling.top_p, 0.95);
}

TEST_F(CompletionsTest, SixteenTokensByDefault) {
  say("a b c d e f g h i j k l m n o p q r s t u v w x y z");
  const Json json = post("/v1/completions", {{"prompt", "x"}}).json();
  EXPECT_EQ(generator.requests[0].max_tokens, 16);
  EXPECT_EQ(json["usage"]["completion_tokens"], 16);
  EXPECT_EQ(json["choices"][0]["finish_reason"], "length");
}

TEST_F(CompletionsTest, PromptsOfAllKinds) {
  say("yes");
  const auto a = ids("first prompt"), b = ids("second");
  EXPECT_EQ(post("/v1/completions", {{"prompt", a}}).head.status, 200);
  EXPECT_EQ(generator.requests.back().prompt, a);
  const Json many = post("/v1/completions", {{"prompt", {a, b}}, {"n", 2}, {"seed", 7}}).json();
  ASSERT_EQ(many["choices"].size(), 4U);
  EXPECT_EQ(many["choices"][3]["index"], 3);
  EXPECT_EQ(many["usage"]["prompt_tokens"], a.size() + b.size());
  EXPECT_EQ(generator.requests[4].prompt, b);
  EXPECT_EQ(generator.requests[4].sampling.seed, 8U);
  EXPECT_EQ(post("/v1/completions", {{"prompt", {"one", "two"}}}).json()["choices"].size(), 2U);
  for (const Json& bad : {Json(3), Json::array(), Json(""), Json({1, "a"}), Json({-1}), Json({6144}), Json({1.5}),
                          Json::array({Json::array()}), Json::array({nullptr})}) {
    const auto answer = post("/v1/completions", {{"prompt", bad}});
    EXPECT_EQ(answer.head.status, 400) << bad;
    EXPECT_EQ(answer.json()["error"]["param"], "prompt") << bad;
  }
}

// What lm_eval's local-completions sends and reads.
TEST_F(CompletionsTest, EchoWithLogprobs) {
  const auto prompt = ids("The answer is four");
  generator.scripts = {{{ids(" x")[0]}, FinishReason::kStop}};
  const Json json =
      post("/v1/completions",
           {{"prompt", Json::array({prompt})}, {"max_tokens", 1}, {"echo", true}, {"logprobs", 1}, {"temperature", 0}})
          .json();
  const Json& logprobs = json["choices"][0]["logprobs"];
  ASSERT_EQ(logprobs["tokens"].size(), prompt.size() + 1);
  ASSERT_EQ(logprobs["token_logprobs"].size(), prompt.size() + 1);
  ASSERT_EQ(logprobs["top_logprobs"].size(), prompt.size() + 1);
  EXPECT_TRUE(logprobs["token_logprobs"][0].is_null());
  EXPECT_TRUE(logprobs["top_logprobs"][0].is_null());
  EXPECT_EQ(logprobs["token_logprobs"][1], -0.5);
  EXPECT_EQ(logprobs["top_logprobs"][1].begin().value(), -0.5);
  EXPECT_EQ(logprobs["text_offset"][0], 0);
  EXPECT_THAT(json["choices"][0]["text"].get<std::string>(), testing::StartsWith("The answer is four"));
  EXPECT_EQ(generator.requests[0].prompt_logprobs, 1);

  const Json none =
      post("/v1/completions", {{"prompt", "a b c"}, {"max_tokens", 0}, {"echo", true}, {"logprobs", 0}}).json();
  EXPECT_EQ(none["choices"][0]["text"], "a b c");
  EXPECT_EQ(generator.requests.back().max_tokens, 0);
  EXPECT_EQ(none["choices"][0]["logprobs"]["tokens"].size(), ids("a b c").size());
}

TEST_F(CompletionsTest, PromptLogprobsAsInVllm) {
  say("x");
  const Json json = post("/v1/completions", {{"prompt", "a b c"}, {"prompt_logprobs", 1}}).json();
  const Json& list = json["choices"][0]["prompt_logprobs"];
  ASSERT_EQ(list.size(), ids("a b c").size());
  EXPECT_TRUE(list[0].is_null());
  EXPECT_EQ(list[1][std::to_string(ids("a b c")[1])]["rank"], 1);
}

TEST_F(CompletionsTest, StopStringsNeverLeak) {
  say("one two STOP three");
  for (const std::size_t step : {1U, 3U, 100U}) {
    generator.step = step;
    const Json json =
        post("/v1/completions", {{"prompt", "x"}, {"max_tokens", 50}, {"stop", {"three", "STOP"}}}).json();
    EXPECT_EQ(json["choices"][0]["text"], "one two ") << step;
    EXPECT_EQ(json["choices"][0]["finish_reason"], "stop");
    EXPECT_EQ(json["choices"][0]["matched_stop"], "STOP");
  }
  const auto stream =
      post("/v1/completions", {{"prompt", "x"}, {"max_tokens", 50}, {"stop", "STOP"}, {"stream", true}});
  std::string text;
  for (const Json& event : stream.events()) text += event["choices"][0]["text"].get<std::string>();
  EXPECT_EQ(text, "one two ");
  EXPECT_EQ(post("/v1/completions", {{"prompt", "x"}, {"stop", "STOP"}, {"include_stop_str_in_output", true}})
                .json()["choices"][0]["text"],
            "one two STOP");
}

TEST_F(CompletionsTest, AStopStringCancelsTheRest) {
  generator.manual = true;
  const auto exchange = service->open(request("POST", "/v1/completions", R"({"prompt":"x","stop":"b"})"));
  int woken = 0;
  exchange->start([&] { ++woken; });
  EXPECT_FALSE(exchange->poll().done);
  OutputEvent event;
  for (const std::int32_t id : ids("a b c")) event.tokens.push_back({id, 0, {}});
  const int before = woken;
  generator.emit(1, event);
  EXPECT_GT(woken, before);
  const auto progress = exchange->poll();
  EXPECT_TRUE(progress.done);
  EXPECT_THAT(generator.cancelled, ElementsAre(1));
}

TEST_F(CompletionsTest, GoneClientsCancel) {
  generator.manual = true;
  auto exchange = service->open(request("POST", "/v1/completions", R"({"prompt":"x","n":2,"rid":"mine"})"));
  exchange->start([] {});
  EXPECT_EQ(post("/abort_request", {{"rid", "mine"}}).json()["aborted"], 2);
  EXPECT_THAT(generator.cancelled, ElementsAre(1, 2));
  EXPECT_EQ(Json::parse(exchange->poll().body)["choices"][1]["finish_reason"], "abort");
  exchange = service->open(request("POST", "/v1/completions", R"({"prompt":"x","n":2,"rid":"mine"})"));
  exchange->start([] {});
  exchange.reset();
  EXPECT_THAT(generator.cancelled, ElementsAre(1, 2, 3, 4));
  EXPECT_EQ(post("/abort_request", {{"rid", "mine"}}).json()["aborted"], 0);
}

TEST_F(CompletionsTest, Streams) {
  say("eins zwei drei \xf0\x9f\x98\x80 vier");
  const auto answer = post("/v1/completions", {{"prompt", "x"},
                                               {"stream", true},
                                               {"max_tokens", 50},
                                               {"logprobs", 2},
                                               {"stream_options", {{"include_usage", true}}}});
  EXPECT_TRUE(answer.head.stream);
  EXPECT_THAT(answer.header("Content-Type"), HasSubstr("text/event-stream"));
  EXPECT_THAT(answer.body, testing::EndsWith("data: [DONE]\n\n"));
  std::string text;
  std::size_t tokens = 0;
  const auto events = answer.events();
  for (const Json& event : events) {
    if (event["choices"].empty()) continue;
    text += event["choices"][0]["text"].get<std::string>();
    tokens += event["choices"][0]["logprobs"]["tokens"].size();
  }
  EXPECT_EQ(text, "eins zwei drei \xf0\x9f\x98\x80 vier");
  EXPECT_EQ(events.back()["usage"]["completion_tokens"], tokens);
  EXPECT_EQ(events[events.size() - 2]["choices"][0]["finish_reason"], "stop");
}

TEST_F(CompletionsTest, BadFieldsAreNamed) {
  const std::vector<std::pair<std::string, Json>> bad = {{"temperature", -1},
                                                         {"temperature", "hot"},
                                                         {"top_p", 0},
                                                         {"top_p", 1.1},
                                                         {"top_k", -2},
                                                         {"min_p", 2},
                                                         {"typical_p", 0},
                                                         {"repetition_penalty", 0},
                                                         {"presence_penalty", 3},
                                                         {"frequency_penalty", -3},
                                                         {"seed", 1.5},
                                                         {"n", 0},
                                                         {"n", 1000},
                                                         {"stop", 3},
                                                         {"stop", {""}},
                                                         {"stop_token_ids", {-1}},
                                                         {"max_tokens", -1},
                                                         {"max_tokens", 3000},
                                                         {"max_tokens", "many"},
                                                         {"min_tokens", 17},
                                                         {"logit_bias", {{"x", 1}}},
                                                         {"logit_bias", {{"5", 101}}},
                                                         {"logit_bias", {{"6144", 1}}},
                                                         {"logprobs", 21},
                                                         {"logprobs", "yes"},
                                                         {"echo", 1},
                                                         {"stream", "yes"},
                                                         {"ignore_eos", 1},
                                                         {"regex", "a("},
                                                         {"suffix", "end"},
                                                         {"best_of", 2},
                                                         {"stream_options", 1},
                                                         {"cache_salt", 1},
                                                         {"priority", "high"},
                                                         {"rid", 5},
                                                         {"model", 7}};
  for (const auto& [field, value] : bad) {
    Json body = {{"prompt", "x"}};
    body[field] = value;
    const auto answer = post("/v1/completions", body);
    EXPECT_EQ(answer.head.status, 400) << field << " " << value;
    EXPECT_EQ(answer.json()["error"]["param"], field) << answer.body;
  }
  EXPECT_EQ(post("/v1/completions", {{"prompt", "x"}, {"max_tokens", 1e30}}).head.status, 400);
  EXPECT_EQ(post("/v1/completions", {{"prompt", "x"}, {"unheard_of", {1, 2}}, {"user", "me"}}).head.status, 200);
  EXPECT_EQ(post("/v1/completions", {{"prompt", "x"}, {"model", "none"}}).head.status, 404);
}

TEST_F(CompletionsTest, TooLongPromptsAndFullQueues) {
  generator.context = 4;
  const auto answer = post("/v1/completions", {{"prompt", {1, 2, 3, 4}}});
  EXPECT_EQ(answer.head.status, 400);
  EXPECT_EQ(answer.json()["error"]["code"], "context_length_exceeded");
  EXPECT_EQ(answer.json()["error"]["param"], "prompt");
  generator.refusal = {ErrorCode::kOutOfMemory, "the queue is full", ""};
  const auto full = post("/v1/completions", {{"prompt", {1, 2}}, {"max_tokens", 1}, {"stream", true}});
  EXPECT_EQ(full.head.status, 503);
  EXPECT_NE(full.header("Retry-After"), "");
  EXPECT_FALSE(full.head.stream);
}

TEST_F(CompletionsTest, FailuresOfTheEngine) {
  generator.manual = true;
  for (const bool stream : {false, true}) {
    const auto exchange =
        service->open(request("POST", "/v1/completions", Json{{"prompt", "x"}, {"stream", stream}}.dump()));
    exchange->start([] {});
    OutputEvent event;
    event.finish = FinishReason::kError;
    event.error = "no logits";
    generator.emit(stream ? 2 : 1, event);
    const auto progress = exchange->poll();
    EXPECT_TRUE(progress.done);
    EXPECT_EQ(progress.head->status, stream ? 200 : 500);
    EXPECT_THAT(progress.body, HasSubstr("no logits"));
    EXPECT_EQ(progress.body.starts_with("data: {\"error\":"), stream);
  }
}

}  // namespace
}  // namespace tetrad
