#include <gmock/gmock.h>

#include "api/api_fixture.h"
#include "api/messages_request.h"

namespace tetrad {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

const Json kMessagesTool = {{"name", "weather"},
                            {"description", "of a city"},
                            {"input_schema", {{"type", "object"}, {"properties", {{"city", {{"type", "string"}}}}}}}};
constexpr const char* kCityCall =
    "<minimax:tool_call>\n<invoke name=\"weather\">\n<parameter name=\"city\">Bonn</parameter>\n</invoke>\n"
    "</minimax:tool_call>";

class MessagesTest : public ApiTest {
 protected:
  static Json body() {
    return {{"model", "tiny"}, {"max_tokens", 100}, {"messages", {{{"role", "user"}, {"content", "hi"}}}}};
  }
  TestAnswer ask_messages(const Json& json) { return post("/v1/messages", json); }
  std::string prompt_of(const Json& json) {
    EXPECT_EQ(ask_messages(json).head.status, 200);
    return tokenizer().decode(generator.requests.back().prompt, false);
  }
  static std::vector<std::string> types(const TestAnswer& answer) {
    std::vector<std::string> names;
    for (const Json& event : answer.events())
      if (names.empty() || names.back() != event["type"] || event["type"] != "content_block_delta")
        names.push_back(event["type"]);
    return names;
  }
};

TEST_F(MessagesTest, WholeAnswer) {
  say("let me see\n</think>\n\nhello");
  generator.cached = 3;
  const auto answer = ask_messages(body());
  ASSERT_EQ(answer.head.status, 200) << answer.body;
  const Json json = answer.json();
  EXPECT_EQ(json["type"], "message");
  EXPECT_EQ(json["content"][0], (Json{{"type", "thinking"}, {"thinking", "let me see"}, {"signature", ""}}));
  EXPECT_EQ(json["content"][1], (Json{{"type", "text"}, {"text", "hello"}}));
  EXPECT_EQ(json["stop_reason"], "end_turn");
  EXPECT_TRUE(json["stop_sequence"].is_null());
  EXPECT_EQ(json["usage"]["cache_read_input_tokens"], 3);
  EXPECT_EQ(json["usage"]["input_tokens"], generator.requests[0].prompt.size() - 3);
  Json hidden = body();
  hidden["thinking"] = {{"type", "disabled"}};
  EXPECT_EQ(ask_messages(hidden).json()["content"].size(), 1U);
}

TEST_F(MessagesTest, ToolsWholeAndStreamed) {
  say(std::string("thinking</think>\n\n") + kCityCall);
  Json json = body();
  json["tools"] = {kMessagesTool, {{"type", "web_search_20250305"}, {"name", "web_search"}}};
  const Json whole = ask_messages(json).json();
  EXPECT_EQ(whole["stop_reason"], "tool_use");
  ASSERT_EQ(whole["content"].size(), 2U) << whole;  // no block of blanks between them
  EXPECT_EQ(whole["content"][1]["input"], (Json{{"city", "Bonn"}}));
  EXPECT_THAT(whole["content"][1]["id"].get<std::string>(), testing::StartsWith("toolu_"));

  json["stream"] = true;
  const auto stream = ask_messages(json);
  EXPECT_THAT(types(stream), ElementsAre("message_start", "ping", "content_block_start", "content_block_delta",
                                         "content_block_stop", "content_block_start", "content_block_delta",
                                         "content_block_stop", "message_delta", "message_stop"));
  EXPECT_THAT(stream.body, testing::StartsWith("event: message_start\ndata: "));
  std::string arguments, thought;
  for (const Json& event : stream.events()) {
    if (event["type"] != "content_block_delta") continue;
    EXPECT_EQ(event["index"], event["delta"]["type"] == "input_json_delta" ? 1 : 0);
    arguments += event["delta"].value("partial_json", "");
    thought += event["delta"].value("thinking", "");
  }
  EXPECT_EQ(Json::parse(arguments), (Json{{"city", "Bonn"}}));
  EXPECT_EQ(thought, "thinking");
  const Json last = stream.events()[stream.events().size() - 2];
  EXPECT_EQ(last["delta"]["stop_reason"], "tool_use");
  EXPECT_GT(last["usage"]["output_tokens"], 0);
}

TEST_F(MessagesTest, StopSequencesMatchInTextOnly) {
  say("a STOP in the thought</think>some text STOP more");
  Json json = body();
  json["stop_sequences"] = {"STOP"};
  for (const bool stream : {false, true}) {
    json["stream"] = stream;
    const auto answer = ask_messages(json);
    const Json end = stream ? answer.events()[answer.events().size() - 2]["delta"] : answer.json();
    EXPECT_EQ(end["stop_reason"], "stop_sequence");
    EXPECT_EQ(end["stop_sequence"], "STOP");
    EXPECT_THAT(answer.body, HasSubstr("STOP"));
  }
  json["stream"] = false;
  const Json content = ask_messages(json).json()["content"];
  EXPECT_EQ(content[0]["thinking"], "a STOP in the thought");
  EXPECT_EQ(content[1]["text"], "some text ");
}

TEST_F(MessagesTest, ABudgetOfTheThoughtHolds) {
  say("hm</think>a");
  Json json = body();
  json["thinking"] = {{"type", "enabled"}, {"budget_tokens", 1024}};
  ask_messages(json);
  EXPECT_NE(generator.requests.back().constraint, nullptr);
  json["thinking"]["type"] = "disabled";
  ask_messages(json);
  EXPECT_EQ(generator.requests.back().constraint, nullptr);
}

TEST_F(MessagesTest, LengthIsMaxTokens) {
  say("hm</think>a b c d e f g");
  Json json = body();
  json["max_tokens"] = 4;
  EXPECT_EQ(ask_messages(json).json()["stop_reason"], "max_tokens");
}

TEST_F(MessagesTest, HistoryReachesTheTemplate) {
  say("x</think>y");
  Json json = body();
  json["system"] = {{{"type", "text"}, {"text", "one"}, {"cache_control", {{"type", "ephemeral"}}}},
                    {{"type", "text"}, {"text", "two"}}};
  json["tools"] = {kMessagesTool};
  json["messages"] = {
      {{"role", "user"}, {"content", "question"}},
      {{"role", "assistant"},
       {"content",
        {{{"type", "thinking"}, {"thinking", "old thought"}, {"signature", ""}},
         {{"type", "text"}, {"text", "looking"}},
         {{"type", "tool_use"}, {"id", "t1"}, {"name", "weather"}, {"input", {{"city", "Bonn"}}}}}}},
      {{"role", "user"},
       {"content",
        {{{"type", "tool_result"}, {"tool_use_id", "t1"}, {"content", {{{"type", "text"}, {"text", "sunny"}}}}},
         {{"type", "text"}, {"text", "and now?"}}}}}};
  const std::string prompt = prompt_of(json);
  EXPECT_THAT(prompt, HasSubstr("system\none\ntwo\n\n# Tools"));
  EXPECT_THAT(prompt, HasSubstr("<parameter name=\"city\">Bonn</parameter>"));
  EXPECT_THAT(prompt, HasSubstr("]~b]tool\n<response>sunny</response>[e~[\n]~b]user\nand now?[e~["));
  json["messages"][2]["content"].erase(1);
  EXPECT_THAT(prompt_of(json), HasSubstr("<think>\nold thought\n</think>"));
  EXPECT_EQ(post("/v1/messages/count_tokens", json).json()["input_tokens"], generator.requests.back().prompt.size());
}

TEST_F(MessagesTest, GoesOnWithTheAssistantsText) {
  Json json = body();
  json["messages"].push_back({{"role", "assistant"}, {"content", "The answer is"}});
  say(" four");
  EXPECT_EQ(ask_messages(json).json()["content"], Json({{{"type", "text"}, {"text", " four"}}}));
  EXPECT_THAT(prompt_of(json), testing::EndsWith("The answer is"));
}

TEST_F(MessagesTest, BillingHeaderDoesNotSpoilTheCache) {
  say("x</think>y");
  Json json = body();
  const auto prompt = [&](const std::string& value) {
    json["system"] = {
        {{"type", "text"}, {"text", "x-anthropic-billing-header: cc_version=2.1; cch=" + value + "; x=1"}},
        {{"type", "text"}, {"text", "You are cch=me."}}};
    return prompt_of(json);
  };
  EXPECT_EQ(prompt("abcde"), prompt("12345678"));
  EXPECT_EQ(without_billing_value("x-anthropic-billing-header: cch=ab"), "x-anthropic-billing-header: cch=");
  EXPECT_EQ(without_billing_value("a\nx-anthropic-billing-header: cch=ab;\ncch=cd"),
            "a\nx-anthropic-billing-header: cch=;\ncch=cd");
  EXPECT_EQ(without_billing_value("x-anthropic-billing-header: a\ncch=cd"), "x-anthropic-billing-header: a\ncch=cd");
}

TEST_F(MessagesTest, BadRequests) {
  const std::vector<std::pair<std::string, Json>> bad = {
      {"max_tokens", {{"max_tokens", nullptr}}},
      {"max_tokens", {{"max_tokens", 0}}},
      {"max_tokens", {{"max_tokens", 2048}}},
      {"messages", {{"messages", Json::array()}}},
      {"messages[0].role", {{"messages", {{{"role", "tool"}, {"content", "x"}}}}}},
      {"messages[0].content", {{"messages", {{{"role", "user"}}}}}},
      {"messages[0].content[0].type", {{"messages", {{{"role", "user"}, {"content", {{{"type", "image"}}}}}}}}},
      {"messages[0].content[0].tool_use_id",
       {{"messages", {{{"role", "user"}, {"content", {{{"type", "tool_result"}}}}}}}}},
      {"system", {{"system", 4}}},
      {"tools[0].input_schema", {{"tools", {{{"name", "x"}}}}}},
      {"tool_choice", {{"tool_choice", {{"type", "any"}}}}},
      {"tool_choice.type", {{"tool_choice", {{"type", "maybe"}}}}},
      {"thinking.type", {{"thinking", {{"type", "much"}}}}},
      {"stop_sequences", {{"stop_sequences", {""}}}},
      {"temperature", {{"temperature", "x"}}}};
  for (const auto& [field, change] : bad) {
    Json json = body();
    json.update(change);
    const auto answer = ask_messages(json);
    EXPECT_EQ(answer.head.status, 400) << json;
    EXPECT_EQ(answer.json()["error"]["type"], "invalid_request_error");
    EXPECT_THAT(answer.json()["error"]["message"].get<std::string>(), testing::StartsWith(field + ": ")) << json;
  }
  Json json = body();
  json["model"] = "claude";
  EXPECT_EQ(ask_messages(json).json()["error"]["type"], "not_found_error");
  generator.refusal = {ErrorCode::kOutOfMemory, "full", ""};
  EXPECT_EQ(ask_messages(body()).json()["error"]["type"], "overloaded_error");
}

TEST_F(MessagesTest, ErrorsInTheStream) {
  generator.scripts = {{{}, FinishReason::kAbort}};
  Json json = body();
  json["stream"] = true;
  EXPECT_THAT(ask_messages(json).body,
              HasSubstr("event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\""));
}

}  // namespace
}  // namespace tetrad
