#include "api/output_format.h"

#include <gmock/gmock.h>

#include "api/api_fixture.h"

namespace tetrad {
namespace {

using testing::HasSubstr;

class OutputFormatTest : public ApiTest {
 protected:
  static Json with(const Json& fields) {
    Json body = {{"messages", Json::array({{{"role", "user"}, {"content", "x"}}})}};
    body.update(fields);
    return body;
  }
  static Json function(const std::string& name, const Json& parameters, bool strict = false) {
    return {{"type", "function"}, {"function", {{"name", name}, {"parameters", parameters}, {"strict", strict}}}};
  }
  // Whether the constraint of the last request lets these tokens come, an end token behind them.
  bool allows(const std::string& text) {
    const auto constraint = generator.requests.back().constraint;
    if (constraint == nullptr) return true;
    auto tokens = ids(text);
    tokens.push_back(*tokenizer().token_id("[e~["));
    for (const std::int32_t id : tokens) {
      std::vector<float> logits(6144, 0.0F);
      constraint->mask(logits);
      if (logits[static_cast<std::size_t>(id)] < 0 || !constraint->accept(id)) return false;
    }
    return true;
  }
  bool chat_allows(const Json& fields, const std::string& text) {
    const auto answer = post("/v1/chat/completions", with(fields));
    EXPECT_EQ(answer.head.status, 200) << answer.body;
    return allows(text);
  }
  std::string refusal(const Json& fields, const std::string& path = "/v1/chat/completions") {
    const auto answer = post(path, with(fields));
    EXPECT_EQ(answer.head.status, 400) << answer.body;
    const Json error = answer.json()["error"];
    return error["param"].get<std::string>() + ": " + error["message"].get<std::string>();
  }
  static inline const Json kSchema = {{"type", "object"},
                                      {"properties", {{"city", {{"type", "string"}}}, {"n", {{"type", "integer"}}}}},
                                      {"required", {"city", "n"}},
                                      {"additionalProperties", false}};
  static inline const std::string kThought = "I think.\n</think>\n\n";
};

TEST_F(OutputFormatTest, EveryFieldConstrainsWhatComesBehindTheThought) {
  const Json schema = {{"type", "json_schema"}, {"json_schema", {{"name", "x"}, {"schema", kSchema}}}};
  const std::string good = kThought + R"({"city": "Oslo", "n": 3})", bad = kThought + R"({"city": "Oslo"})";
  const std::vector<Json> formats = {{{"response_format", schema}},
                                     {{"json_schema", kSchema.dump()}},
                                     {{"guided_json", kSchema}},
                                     {{"structured_outputs", {{"json", kSchema}}}}};
  for (const Json& fields : formats) {
    EXPECT_TRUE(chat_allows(fields, good)) << fields;
    EXPECT_FALSE(chat_allows(fields, bad)) << fields;
  }
  const Json object = {{"response_format", {{"type", "json_object"}}}};
  EXPECT_TRUE(chat_allows(object, kThought + "{\"a\": [1, null]}"));
  EXPECT_FALSE(chat_allows(object, kThought + "[1]"));
  EXPECT_TRUE(chat_allows({{"regex", "[0-9]{3}"}}, kThought + "123"));
  EXPECT_FALSE(chat_allows({{"guided_regex", "[0-9]{3}"}}, kThought + "12"));
  EXPECT_TRUE(chat_allows({{"ebnf", "root ::= \"ab\" | \"cd\""}}, kThought + "cd"));
  EXPECT_FALSE(chat_allows({{"guided_grammar", "root ::= \"ab\""}}, kThought + "cd"));
  const Json choice = {{"structured_outputs", {{"choice", {"say \"yes\"", "no\\n"}}}}};
  EXPECT_TRUE(chat_allows(choice, kThought + "say \"yes\""));
  EXPECT_TRUE(chat_allows(choice, kThought + "no\\n"));
  EXPECT_FALSE(chat_allows(choice, kThought + "yes"));
  EXPECT_TRUE(chat_allows({{"response_format", {{"type", "text"}}}}, "anything"));
}

TEST_F(OutputFormatTest, StructuralTagsOldAndNew) {
  const Json old = {{"type", "structural_tag"},
                    {"structures", {{{"begin", "<f>"}, {"schema", kSchema}, {"end", "</f>"}}}},
                    {"triggers", {"<f>"}}};
  const Json tag = {{"type", "tag"},
                    {"begin", "<f>"},
                    {"content", {{"type", "json_schema"}, {"json_schema", kSchema}}},
                    {"end", "</f>"}};
  const Json now = {{"type", "structural_tag"},
                    {"format", {{"type", "triggered_tags"}, {"triggers", {"<f>"}}, {"tags", {tag}}}}};
  for (const Json& format : {old, now}) {
    const Json fields = {{"response_format", format}};
    EXPECT_TRUE(chat_allows(fields, kThought + "so: <f>{\"city\": \"a\", \"n\": 1}</f> done"));
    EXPECT_FALSE(chat_allows(fields, kThought + "so: <f>{}</f>"));
  }
}

TEST_F(OutputFormatTest, ChoicesAreMadeInTheModelsOwnForm) {
  const std::string call =
      "<minimax:tool_call>\n<invoke name=\"f\">\n<parameter name=\"city\">Oslo & \"all\"</parameter>\n"
      "<parameter name=\"n\">3</parameter>\n</invoke>\n</minimax:tool_call>";
  const std::string wrong =
      "<minimax:tool_call>\n<invoke name=\"f\">\n<parameter name=\"city\">Oslo</parameter>\n"
      "<parameter name=\"n\">three</parameter>\n</invoke>\n</minimax:tool_call>";
  const Json tools = Json::array({function("f", kSchema), function("g", Json::object())});
  Json fields = {{"tools", tools}, {"tool_choice", "required"}};
  EXPECT_TRUE(chat_allows(fields, kThought + call));
  EXPECT_FALSE(chat_allows(fields, kThought + wrong));
  EXPECT_FALSE(chat_allows(fields, kThought + "No call."));
  fields["tool_choice"] = {{"type", "function"}, {"function", {{"name", "g"}}}};
  EXPECT_FALSE(chat_allows(fields, kThought + call));
  EXPECT_TRUE(
      chat_allows(fields, kThought + "<minimax:tool_call>\n<invoke name=\"g\">\n</invoke>\n</minimax:tool_call>"));
  fields = {{"tools", Json::array({function("f", kSchema, true)})}};  // strict: calls are free to come, not to differ
  EXPECT_TRUE(chat_allows(fields, kThought + "No call."));
  EXPECT_TRUE(chat_allows(fields, kThought + "Now: " + call));
  EXPECT_FALSE(chat_allows(fields, kThought + wrong));
  fields = {{"tools", tools}, {"response_format", {{"type", "json_object"}}}};
  EXPECT_TRUE(chat_allows(fields, kThought + call));
  EXPECT_TRUE(chat_allows(fields, kThought + "{}"));
  EXPECT_FALSE(chat_allows(fields, kThought + "text"));
}

TEST_F(OutputFormatTest, EachChoiceHasItsOwnState) {
  post("/v1/chat/completions", with({{"n", 3}, {"regex", "[0-9]{3}"}}));
  ASSERT_EQ(generator.requests.size(), 3U);
  for (const EngineRequest& request : generator.requests) ASSERT_NE(request.constraint, nullptr);
  EXPECT_NE(generator.requests[0].constraint, generator.requests[1].constraint);
}

TEST_F(OutputFormatTest, OtherRoutes) {
  EXPECT_EQ(post("/v1/completions", {{"prompt", "x"}, {"regex", "[0-9]{3}"}}).head.status, 200);
  EXPECT_TRUE(allows("123"));
  EXPECT_EQ(post("/generate", {{"text", "x"}, {"sampling_params", {{"regex", "[0-9]{3}"}}}}).head.status, 200);
  EXPECT_FALSE(allows("12"));
  Json message =
      with({{"max_tokens", 99}, {"output_config", {{"format", {{"type", "json_schema"}, {"schema", kSchema}}}}}});
  EXPECT_EQ(post("/v1/messages", message).head.status, 200);
  EXPECT_TRUE(allows(kThought + R"({"city": "Oslo", "n": 3})"));
}

TEST_F(OutputFormatTest, WhatCantBeHeldToIsRefused) {
  const auto schema = [](const Json& its) {
    return Json{{"response_format", {{"type", "json_schema"}, {"json_schema", {{"name", "x"}, {"schema", its}}}}}};
  };
  EXPECT_THAT(refusal(schema({{"not", Json::object()}})), HasSubstr("response_format.json_schema.schema: "));
  EXPECT_THAT(refusal(schema({{"properties", {{"a", {{"if", true}}}}}})), HasSubstr("/properties/a: \"if\""));
  EXPECT_THAT(refusal({{"regex", "((a{999}){999}){999}"}}), HasSubstr("repetition"));
  EXPECT_THAT(refusal(schema({{"pattern", "((a{999}){999}){999}"}})), HasSubstr("repetition"));
  EXPECT_THAT(refusal(schema({{"type", "array"}, {"maxItems", 100000000}})), HasSubstr("maxItems"));
  EXPECT_THAT(refusal({{"regex", "("}}), testing::StartsWith("regex: bad grammar: regex: Regex parsing error"));
  EXPECT_THAT(refusal({{"ebnf", "root ::= nothing"}}), HasSubstr("\"nothing\" is not defined"));
  EXPECT_THAT(refusal({{"regex", "a"}, {"ebnf", "root ::= \"a\""}}), HasSubstr("does not go with"));
  EXPECT_THAT(refusal({{"structured_outputs", {{"choice", Json::array()}}}}), HasSubstr("structured_outputs.choice"));
  EXPECT_THAT(refusal({{"structural_tag", {{"format", {{"type", "nonsense"}}}}}}), HasSubstr("structural_tag: "));
  EXPECT_THAT(refusal({{"tools", Json::array({function("f", {{"type", "object"}, {"not", Json::object()}}, true)})}}),
              HasSubstr("tools[0].function.parameters"));
  EXPECT_THAT(refusal({{"tools", Json::array({function("a\"b", Json::object())})}, {"tool_choice", "required"}}),
              HasSubstr("tools[0].function.name"));
  EXPECT_THAT(
      refusal({{"tools", Json::array({function("f", Json::object())})}, {"tool_choice", "required"}, {"regex", "a"}}),
      HasSubstr("regex: does not go with"));
}

}  // namespace
}  // namespace tetrad
