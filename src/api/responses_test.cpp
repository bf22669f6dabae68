#include <gmock/gmock.h>

#include "api/api_fixture.h"

namespace tetrad {
namespace {

using testing::HasSubstr;

const Json kResponsesTool = {{"type", "function"},
                             {"name", "weather"},
                             {"parameters", {{"type", "object"}, {"properties", {{"city", {{"type", "string"}}}}}}}};

class ResponsesTest : public ApiTest {
 protected:
  static Json body(const Json& more = Json::object()) {
    Json its = {{"model", "tiny"}, {"input", "Hello"}};
    its.update(more);
    return its;
  }
  TestAnswer respond(const Json& json) { return post("/v1/responses", json); }
  std::string prompt() { return tokenizer().decode(generator.requests.back().prompt, false); }
};

TEST_F(ResponsesTest, WholeAnswer) {
  say("I think.\n</think>\n\nHi there");
  const Json answer = respond(body({{"metadata", {{"k", "v"}}}})).json();
  EXPECT_EQ(answer["object"], "response");
  EXPECT_EQ(answer["status"], "completed");
  EXPECT_EQ(answer["metadata"], (Json{{"k", "v"}}));
  EXPECT_EQ(answer["store"], false);
  ASSERT_EQ(answer["output"].size(), 2U);
  EXPECT_EQ(answer["output"][0]["type"], "reasoning");
  EXPECT_THAT(answer["output"][0]["content"][0]["text"].get<std::string>(), HasSubstr("I think."));
  EXPECT_EQ(answer["output"][1]["content"][0]["text"], "Hi there");
  EXPECT_GT(answer["usage"]["output_tokens"], 0);
  EXPECT_GT(answer["usage"]["output_tokens_details"]["reasoning_tokens"], 0);
}

TEST_F(ResponsesTest, StreamSaysTheSameAsTheWhole) {
  say("I think.\n</think>\n\nLook:\n<minimax:tool_call>\n<invoke name=\"weather\">\n<parameter name=\"city\">Oslo"
      "</parameter>\n</invoke>\n</minimax:tool_call>");
  const Json tools = {{"tools", Json::array({kResponsesTool})}};
  const Json whole = respond(body(tools)).json();
  ASSERT_EQ(whole["output"].size(), 3U);
  EXPECT_EQ(whole["output"][2]["arguments"], "{\"city\": \"Oslo\"}");
  Json streaming = tools;
  streaming["stream"] = true;
  const auto events = respond(body(streaming)).events();
  std::string text, arguments, thought;
  for (std::size_t i = 0; i < events.size(); ++i) {
    EXPECT_EQ(events[i]["sequence_number"], i);
    if (events[i]["type"] == "response.output_text.delta") text += events[i]["delta"].get<std::string>();
    if (events[i]["type"] == "response.reasoning_text.delta") thought += events[i]["delta"].get<std::string>();
    if (events[i]["type"] == "response.function_call_arguments.delta")
      arguments += events[i]["delta"].get<std::string>();
  }
  EXPECT_EQ(events.front()["type"], "response.created");
  EXPECT_EQ(events.back()["type"], "response.completed");
  EXPECT_EQ(text, whole["output"][1]["content"][0]["text"]);
  EXPECT_EQ(thought, whole["output"][0]["content"][0]["text"]);
  EXPECT_EQ(arguments, whole["output"][2]["arguments"]);
  EXPECT_EQ(events.back()["response"]["output"][1]["content"], whole["output"][1]["content"]);
}

TEST_F(ResponsesTest, ItemsBecomeMessages) {
  const Json items = Json::array(
      {{{"role", "user"}, {"content", {{{"type", "input_text"}, {"text", "Weather?"}}}}},
       {{"type", "reasoning"},
        {"summary", Json::array()},
        {"content", {{{"type", "reasoning_text"}, {"text", "A call."}}}}},
       {{"type", "function_call"}, {"call_id", "c"}, {"name", "weather"}, {"arguments", "{\"city\":\"Oslo\"}"}},
       {{"type", "function_call_output"}, {"call_id", "c"}, {"output", "rain"}}});
  EXPECT_EQ(respond(body({{"input", items}, {"tools", Json::array({kResponsesTool})}, {"instructions", "Be brief."}}))
                .head.status,
            200);
  for (const char* part :
       {"Be brief.", "Weather?", "A call.", "<invoke name=\"weather\">", "<response>rain</response>"})
    EXPECT_THAT(prompt(), HasSubstr(part));
}

TEST_F(ResponsesTest, ToolsThatRunElsewhereAreNotThere) {
  const auto answer = respond(body({{"tools", Json::array({kResponsesTool, {{"type", "web_search"}}})}}));
  EXPECT_EQ(answer.head.status, 200) << answer.body;
  EXPECT_THAT(prompt(), testing::Not(HasSubstr("web_search")));
}

TEST_F(ResponsesTest, CutAnswersSaySo) {
  say("I think.\n</think>\n\nHi there");
  const Json answer = respond(body({{"max_output_tokens", 3}})).json();
  EXPECT_EQ(answer["status"], "incomplete");
  EXPECT_EQ(answer["incomplete_details"]["reason"], "max_output_tokens");
}

TEST_F(ResponsesTest, BadRequestsAreNamed) {
  const std::vector<std::pair<std::string, Json>> bad = {
      {"input", {{"input", nullptr}}},
      {"input", {{"input", 5}}},
      {"input", {{"input", Json::array()}}},
      {"input[0]", {{"input", {5}}}},
      {"input[0].role", {{"input", {{{"role", "king"}, {"content", "x"}}}}}},
      {"input[0].content[0].type", {{"input", {{{"role", "user"}, {"content", {{{"type", "input_image"}}}}}}}}},
      {"input[0].type", {{"input", {{{"type", "web_search_call"}}}}}},
      {"previous_response_id", {{"previous_response_id", "resp_1"}}},
      {"background", {{"background", true}}},
      {"tools[0].type", {{"tools", {{{"type", "local_shell"}}}}}},
      {"text.format.type", {{"text", {{"format", {{"type", "xml"}}}}}}},
      {"text.format.schema", {{"text", {{"format", {{"type", "json_schema"}}}}}}},
      {"max_output_tokens", {{"max_output_tokens", 0}}},
      {"top_logprobs", {{"top_logprobs", 21}}}};
  for (const auto& [field, change] : bad) {
    const auto answer = respond(body(change));
    EXPECT_EQ(answer.head.status, 400) << change;
    EXPECT_EQ(answer.json()["error"]["param"], field) << answer.body;
  }
}

}  // namespace
}  // namespace tetrad
