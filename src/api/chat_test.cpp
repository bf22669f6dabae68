#include <gmock/gmock.h>

#include "api/api_fixture.h"

namespace tetrad {
namespace {

using testing::HasSubstr;

const Json kChatTool = {
    {"type", "function"},
    {"function",
     {{"name", "weather"},
      {"parameters",
       {{"type", "object"}, {"properties", {{"city", {{"type", "string"}}}, {"days", {{"type", "integer"}}}}}}}}}};
constexpr const char* kWeatherCall =
    "<minimax:tool_call>\n<invoke name=\"weather\">\n<parameter name=\"city\">Bonn \"B\"</parameter>\n"
    "<parameter name=\"days\">3</parameter>\n</invoke>\n</minimax:tool_call>";

// The deltas of a stream, joined.
struct Joined {
  std::string reasoning, content, role, finish;
  std::map<std::size_t, Json> calls;
  std::size_t logprobs = 0;
};

class ChatTest : public ApiTest {
 protected:
  static Json body(const std::string& text = "hi") {
    return {{"model", "tiny"}, {"messages", {{{"role", "user"}, {"content", text}}}}};
  }
  TestAnswer chat(Json json) { return post("/v1/chat/completions", json); }
  static Joined join(const TestAnswer& answer, std::size_t index = 0) {
    Joined joined;
    for (const Json& event : answer.events()) {
      if (!event.contains("choices") || event["choices"].empty() || event["choices"][0]["index"] != index) continue;
      const Json& choice = event["choices"][0];
      const Json& delta = choice["delta"];
      joined.role += delta.value("role", "");
      joined.reasoning += delta.value("reasoning_content", "");
      joined.content += delta.value("content", "");
      if (choice["finish_reason"].is_string()) joined.finish = choice["finish_reason"];
      if (!choice["logprobs"].is_null()) joined.logprobs += choice["logprobs"]["content"].size();
      for (const Json& call : delta.value("tool_calls", Json::array())) {
        const std::size_t number = call["index"];
        if (!joined.calls.contains(number))
          joined.calls[number] = call;
        else
          joined.calls[number]["function"]["arguments"] =
              joined.calls[number]["function"]["arguments"].get<std::string>() +
              call["function"]["arguments"].get<std::string>();
      }
    }
    return joined;
  }
};

TEST_F(ChatTest, WholeAnswerWithThought) {
  say("let me see\n</think>\n\nhello");
  const auto answer = chat(body());
  ASSERT_EQ(answer.head.status, 200) << answer.body;
  const Json json = answer.json();
  EXPECT_EQ(json["object"], "chat.completion");
  const Json& message = json["choices"][0]["message"];
  EXPECT_EQ(message["role"], "assistant");
  EXPECT_EQ(message["content"], "hello");
  EXPECT_EQ(message["reasoning_content"], "let me see");
  EXPECT_FALSE(message.contains("tool_calls"));
  EXPECT_EQ(json["choices"][0]["finish_reason"], "stop");
  EXPECT_EQ(json["usage"]["completion_tokens_details"]["reasoning_tokens"], ids("let me see\n</think>").size());
  const auto prompt = post("/apply_template", body()).json()["prompt"].get<std::string>();
  EXPECT_EQ(generator.requests[0].prompt, ids(prompt));
  EXPECT_EQ(generator.requests[0].max_tokens, 2048 - static_cast<std::int64_t>(ids(prompt).size()));
}

TEST_F(ChatTest, ToolCallsWholeAndStreamed) {
  say(std::string("thinking\n</think>\n\nOne moment.\n") + kWeatherCall);
  Json json = body();
  json["tools"] = {kChatTool};
  const Json whole = chat(json).json();
  const Json& call = whole["choices"][0]["message"]["tool_calls"][0];
  EXPECT_EQ(call["type"], "function");
  EXPECT_THAT(call["id"].get<std::string>(), testing::StartsWith("call_"));
  EXPECT_EQ(Json::parse(call["function"]["arguments"].get<std::string>()), (Json{{"city", "Bonn \"B\""}, {"days", 3}}));
  EXPECT_EQ(whole["choices"][0]["finish_reason"], "tool_calls");

  json["stream"] = true;
  const auto joined = join(chat(json));
  EXPECT_EQ(joined.role, "assistant");
  EXPECT_EQ(joined.reasoning, "thinking");
  EXPECT_EQ(joined.content, whole["choices"][0]["message"]["content"].get<std::string>());
  ASSERT_EQ(joined.calls.size(), 1U);
  EXPECT_EQ(joined.calls.at(0)["function"]["name"], "weather");
  EXPECT_EQ(joined.calls.at(0)["function"]["arguments"], call["function"]["arguments"]);
  EXPECT_EQ(joined.finish, "tool_calls");

  json["tool_choice"] = "none";  // then it is text, and the tools aren't in the prompt
  EXPECT_THAT(join(chat(json)).content, HasSubstr("<invoke"));
  EXPECT_LT(generator.requests[2].prompt.size(), generator.requests[1].prompt.size());
}

TEST_F(ChatTest, OneCallWhenCallsMustNotBeParallel) {
  say(std::string("x</think>") + kWeatherCall + "\n" + kWeatherCall);
  Json json = body();
  json["tools"] = {kChatTool};
  EXPECT_EQ(chat(json).json()["choices"][0]["message"]["tool_calls"].size(), 2U);
  EXPECT_TRUE(chat(json).json()["choices"][0]["message"]["content"].is_null());
  json["parallel_tool_calls"] = false;
  const Json one = chat(json).json();
  EXPECT_EQ(one["choices"][0]["message"]["tool_calls"].size(), 1U);
  EXPECT_EQ(one["choices"][0]["finish_reason"], "tool_calls");
}

TEST_F(ChatTest, StreamAsOpenAiHasIt) {
  say("hm</think>answer");
  Json json = body();
  json["stream"] = true;
  auto answer = chat(json);
  auto events = answer.events();
  EXPECT_EQ(events[0]["object"], "chat.completion.chunk");
  EXPECT_EQ(events[0]["choices"][0]["delta"], (Json{{"role", "assistant"}, {"content", ""}}));
  EXPECT_EQ(events.back()["choices"][0]["finish_reason"], "stop");
  EXPECT_EQ(events.back()["choices"][0]["delta"], Json::object());
  EXPECT_GT(events.back()["usage"]["completion_tokens"], 0);
  EXPECT_THAT(answer.body, testing::EndsWith("data: [DONE]\n\n"));
  json["stream_options"] = {{"include_usage", true}};
  events = chat(json).events();
  EXPECT_TRUE(events[0]["usage"].is_null());
  EXPECT_TRUE(events.back()["choices"].empty());
  EXPECT_GT(events.back()["usage"]["prompt_tokens"], 0);
  json["stream_reasoning"] = false;
  std::size_t thoughts = 0;
  for (const Json& event : chat(json).events())
    if (!event["choices"].empty()) thoughts += event["choices"][0]["delta"].contains("reasoning_content") ? 1U : 0U;
  EXPECT_EQ(thoughts, 1U);
}

TEST_F(ChatTest, SeveralChoicesWithLogprobs) {
  say("a</think>b c d");
  Json json = body();
  json.update({{"n", 3}, {"logprobs", true}, {"top_logprobs", 2}, {"seed", 5}});
  const Json whole = chat(json).json();
  ASSERT_EQ(whole["choices"].size(), 3U);
  const std::size_t tokens = ids("a</think>b c d").size() + 1;
  const Json& list = whole["choices"][2]["logprobs"]["content"];
  ASSERT_EQ(list.size(), tokens);
  EXPECT_EQ(list[0]["top_logprobs"].size(), 2U);
  EXPECT_EQ(list[0]["bytes"], Json({97}));
  EXPECT_EQ(whole["usage"]["prompt_tokens"], generator.requests[0].prompt.size());
  EXPECT_EQ(whole["usage"]["completion_tokens"], 3 * tokens);
  EXPECT_EQ(generator.requests[2].sampling.seed, 7U);
  json["stream"] = true;
  const auto answer = chat(json);
  for (std::size_t i = 0; i < 3; ++i) {
    EXPECT_EQ(join(answer, i).content, "b c d");
    EXPECT_EQ(join(answer, i).logprobs, tokens);
  }
}

TEST_F(ChatTest, StopStringsMatchAnywhere) {
  say("thought STOP here</think>answer");
  Json json = body();
  json["stop"] = "STOP";
  EXPECT_EQ(chat(json).json()["choices"][0]["message"]["reasoning_content"], "thought ");
  json["stop"] = "swe";
  json["stream"] = true;
  EXPECT_EQ(join(chat(json)).content, "an");
  EXPECT_EQ(join(chat(json)).finish, "stop");
}

TEST_F(ChatTest, ABudgetEndsTheThought) {
  const auto allowed = [](TokenConstraint& constraint) {
    std::vector<float> logits(6144, 0.0F);
    constraint.mask(logits);
    return std::count_if(logits.begin(), logits.end(), [](float logit) { return std::isfinite(logit); });
  };
  say("a</think>b");
  Json json = body();
  json["thinking_token_budget"] = 2;
  json["regex"] = "ok";
  EXPECT_EQ(chat(json).head.status, 200);
  TokenConstraint& constraint = *generator.requests.back().constraint;
  const std::int32_t end = *tokenizer().token_id("</think>");
  EXPECT_GT(allowed(constraint), 6000);
  ASSERT_TRUE(constraint.accept(5));
  ASSERT_TRUE(constraint.accept(6));
  EXPECT_EQ(allowed(constraint), 1);
  ASSERT_TRUE(constraint.accept(end));
  const auto by_grammar = allowed(constraint);  // line ends, "o" and "ok"
  EXPECT_GT(by_grammar, 1);
  EXPECT_LT(by_grammar, 10);

  json.erase("regex");
  EXPECT_EQ(chat(json).head.status, 200);
  EXPECT_NE(generator.requests.back().constraint, nullptr);
  json["thinking_token_budget"] = -1;
  EXPECT_EQ(chat(json).head.status, 200);
  EXPECT_EQ(generator.requests.back().constraint, nullptr);
  json["thinking_budget_tokens"] = 0;
  EXPECT_EQ(chat(json).head.status, 200);
  EXPECT_EQ(allowed(*generator.requests.back().constraint), 1);
  json["thinking_budget_tokens"] = -2;
  EXPECT_EQ(chat(json).json()["error"]["param"], "thinking_budget_tokens");
}

TEST_F(ChatTest, ThoughtsCanBeLeftOut) {
  say("secret</think>answer");
  Json json = body();
  json["include_reasoning"] = false;
  const Json whole = chat(json).json();
  EXPECT_EQ(whole["choices"][0]["message"]["reasoning_content"], nullptr);
  EXPECT_EQ(whole["choices"][0]["message"]["content"], "answer");
  json["stream"] = true;
  EXPECT_THAT(chat(json).body, testing::Not(HasSubstr("secret")));
}

TEST_F(ChatTest, PromptLogprobs) {
  say("a</think>b");
  Json json = body();
  json["prompt_logprobs"] = 1;
  json["n"] = 2;
  const Json list = chat(json).json()["prompt_logprobs"];
  ASSERT_EQ(list.size(), generator.requests.front().prompt.size());
  EXPECT_EQ(list[0], nullptr);
  EXPECT_EQ(list[1].begin()->at("rank"), 1);
  EXPECT_EQ(generator.requests.back().prompt_logprobs, -1);
  json["stream"] = true;
  EXPECT_EQ(chat(json).json()["error"]["param"], "prompt_logprobs");
}

TEST_F(ChatTest, HistoryAndPartsReachTheTemplate) {
  Json json = body();
  json["messages"] = {
      {{"role", "system"}, {"content", "one"}},
      {{"role", "developer"}, {"content", {{{"type", "text"}, {"text", "two"}}}}},
      {{"role", "user"}, {"content", {{{"type", "text"}, {"text", "part1"}}, {{"type", "text"}, {"text", "part2"}}}}},
      {{"role", "assistant"},
       {"content", nullptr},
       {"reasoning_content", "old thought"},
       {"tool_calls",
        {{{"id", "c1"},
          {"type", "function"},
          {"function", {{"name", "weather"}, {"arguments", "{\"city\":\"Bonn\"}"}}}}}}},
      {{"role", "tool"}, {"tool_call_id", "c1"}, {"content", "sunny"}}};
  const std::string prompt = post("/apply_template", json).json()["prompt"];
  EXPECT_THAT(prompt, HasSubstr("system\none\n\ntwo[e~["));
  EXPECT_THAT(prompt, HasSubstr("part1part2"));
  EXPECT_THAT(prompt, HasSubstr("<think>\nold thought\n</think>"));
  EXPECT_THAT(prompt, HasSubstr("<parameter name=\"city\">Bonn</parameter>"));
  EXPECT_THAT(prompt, HasSubstr("<response>sunny</response>"));
}

TEST_F(ChatTest, ContinuesTheFinalMessage) {
  Json json = body();
  json["messages"].push_back({{"role", "assistant"}, {"content", "The answer is"}, {"reasoning_content", "hm"}});
  json["continue_final_message"] = true;
  EXPECT_THAT(post("/apply_template", json).json()["prompt"].get<std::string>(),
              testing::EndsWith("</think>\n\nThe answer is"));
  say(" four");
  EXPECT_EQ(chat(json).json()["choices"][0]["message"]["content"], " four");
  json["messages"].back()["content"] = "";
  say(" still</think>done");
  EXPECT_THAT(post("/apply_template", json).json()["prompt"].get<std::string>(), testing::EndsWith("<think>\nhm"));
  EXPECT_EQ(chat(json).json()["choices"][0]["message"]["content"], "done");
  json["messages"].erase(1);
  EXPECT_EQ(chat(json).json()["error"]["param"], "continue_final_message");
}

TEST_F(ChatTest, ThoughtInContentWhenNotSeparated) {
  say("thought</think>answer");
  Json json = body();
  json["separate_reasoning"] = false;
  EXPECT_EQ(chat(json).json()["choices"][0]["message"]["content"], "thought</think>answer");
}

TEST_F(ChatTest, BadRequestsAreNamed) {
  const Json user = {{"role", "user"}, {"content", "x"}};
  const auto messages = [](const Json& message) { return Json{{"messages", Json::array({message})}}; };
  const std::vector<std::pair<std::string, Json>> bad = {
      {"messages", Json::object()},
      {"messages", {{"messages", Json::array()}}},
      {"messages", {{"messages", "hi"}}},
      {"messages[0]", messages("hi")},
      {"messages[0].role", messages({{"role", "king"}, {"content", "x"}})},
      {"messages[0].content", messages({{"role", "user"}})},
      {"messages[0].content", messages({{"role", "user"}, {"content", 5}})},
      {"messages[0].content[0].type",
       messages({{"role", "user"}, {"content", {{{"type", "image_url"}, {"image_url", {{"url", "x"}}}}}}})},
      {"messages[0].tool_calls[0].function", messages({{"role", "assistant"}, {"tool_calls", {{{"id", "x"}}}}})},
      {"messages",
       messages({{"role", "assistant"}, {"tool_calls", {{{"function", {{"name", "f"}, {"arguments", "{bad"}}}}}}})},
      {"tools", {{"tools", 1}}},
      {"tools[0].function.name", {{"tools", {{{"type", "function"}, {"function", {{"name", ""}}}}}}}},
      {"tools[0].function.strict", {{"tools", {{{"type", "function"}, {"function", {{"name", "f"}, {"strict", 1}}}}}}}},
      {"tools[0].type", {{"tools", {{{"type", "web_search"}}}}}},
      {"tool_choice", {{"tool_choice", "required"}}},
      {"tool_choice", {{"tool_choice", 1}}},
      {"tool_choice.function.name",
       {{"tool_choice", {{"type", "function"}, {"function", {{"name", "x"}}}}}, {"tools", {kChatTool}}}},
      {"response_format", {{"response_format", "json_object"}}},
      {"response_format.json_schema", {{"response_format", {{"type", "json_schema"}}}}},
      {"response_format.type", {{"response_format", {{"type", "xml"}}}}},
      {"top_logprobs", {{"top_logprobs", 3}}},
      {"top_logprobs", {{"logprobs", true}, {"top_logprobs", 21}}},
      {"logprobs", {{"logprobs", 3}}},
      {"max_tokens", {{"max_tokens", 0}}},
      {"max_completion_tokens", {{"max_completion_tokens", 2048}}},
      {"chat_template", {{"chat_template", "{{ x }}"}}},
      {"chat_template_kwargs", {{"chat_template_kwargs", "x"}}}};
  for (const auto& [field, change] : bad) {
    Json json = field == "messages" && change.empty() ? Json::object() : Json{{"messages", Json::array({user})}};
    json.update(change);
    const auto answer = chat(json);
    EXPECT_EQ(answer.head.status, 400) << json;
    EXPECT_EQ(answer.json()["error"]["param"], field) << json << answer.body;
  }
  EXPECT_TRUE(generator.requests.empty());
}

TEST_F(ChatTest, TooLongIsRefused) {
  generator.context = 10;
  const Json error = chat(body(std::string(300, 'x'))).json()["error"];
  EXPECT_EQ(error["code"], "context_length_exceeded");
  EXPECT_EQ(error["param"], "messages");
}

}  // namespace
}  // namespace tetrad
