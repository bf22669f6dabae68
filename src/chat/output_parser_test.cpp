#include "chat/output_parser.h"

#include <gtest/gtest.h>

#include <map>
#include <nlohmann/json.hpp>

namespace tetrad {
namespace {

struct Call {
  std::string name, arguments;
  bool ended = false;
  bool operator==(const Call&) const = default;
};

struct Answer {
  std::string reasoning, content;
  std::vector<Call> calls;
  bool operator==(const Answer&) const = default;
};

std::ostream& operator<<(std::ostream& out, const Answer& answer) {
  out << "\nreasoning " << answer.reasoning << "\ncontent   " << answer.content;
  for (const Call& call : answer.calls) out << "\ncall      " << call.name << " " << call.arguments;
  return out;
}

void join(const std::vector<ParsedEvent>& events, Answer& answer) {
  for (const ParsedEvent& event : events) {
    switch (event.kind) {
      case ParsedEvent::Kind::kReasoning:
        answer.reasoning += event.text;
        break;
      case ParsedEvent::Kind::kContent:
        answer.content += event.text;
        break;
      case ParsedEvent::Kind::kCallBegin:
        ASSERT_EQ(event.call, answer.calls.size());
        answer.calls.push_back({event.text, "", false});
        break;
      case ParsedEvent::Kind::kArguments:
        ASSERT_EQ(event.call + 1, answer.calls.size());
        answer.calls.back().arguments += event.text;
        break;
      case ParsedEvent::Kind::kCallEnd:
        ASSERT_EQ(event.call + 1, answer.calls.size());
        answer.calls.back().ended = true;
        break;
    }
  }
}

constexpr const char* kTools = R"([
  {"type": "function", "function": {"name": "f", "parameters": {"type": "object", "properties": {
    "k": {"type": "string"}, "n": {"type": "integer"}, "flag": {"type": "boolean"}, "x": {"type": "number"},
    "list": {"type": "array"}, "object": {"type": "object"}, "maybe": {"type": ["string", "null"]},
    "maybe_n": {"anyOf": [{"type": "integer"}, {"type": "null"}]}}}}},
  {"type": "function", "function": {"name": "g", "parameters": {"type": "object", "properties": {}}}},
  {"type": "function", "function": {"name": "bare"}}])";

OutputParser::Options options(ReasoningParser reasoning = ReasoningParser::kMinimax) {
  static const auto tools = std::make_shared<const Json>(parse_json(kTools, "test").value());
  return {reasoning, ToolParser::kMinimaxM2, tools};
}

Answer parse(const std::vector<std::string_view>& pieces, const OutputParser::Options& with) {
  OutputParser parser(with);
  Answer answer;
  for (const std::string_view piece : pieces) join(parser.push(piece), answer);
  join(parser.finish(), answer);
  return answer;
}

// The answer, after a check that no cut changes it: at every byte, and every 1, 2, 3 or 7 bytes.
Answer parsed(std::string_view text, const OutputParser::Options& with = options()) {
  const Answer whole = parse({text}, with);
  for (std::size_t cut = 0; cut <= text.size(); ++cut)
    EXPECT_EQ(parse({text.substr(0, cut), text.substr(cut)}, with), whole) << "cut at " << cut << " of " << text;
  for (const std::size_t size : {1u, 2u, 3u, 7u}) {
    std::vector<std::string_view> pieces;
    for (std::size_t at = 0; at < text.size(); at += size) pieces.push_back(text.substr(at, size));
    EXPECT_EQ(parse(pieces, with), whole) << "pieces of " << size << " of " << text;
  }
  for (const Call& call : whole.calls) {
    EXPECT_TRUE(call.ended);
    EXPECT_TRUE(parse_json(call.arguments, "arguments")) << call.arguments;
  }
  return whole;
}

std::string invoke(const std::string& name, const std::string& inside) {
  return "<invoke name=\"" + name + "\">\n" + inside + "</invoke>\n";
}
std::string parameter(const std::string& name, const std::string& value) {
  return "<parameter name=\"" + name + "\">" + value + "</parameter>\n";
}
std::string block(const std::string& inside) { return "<minimax:tool_call>\n" + inside + "</minimax:tool_call>"; }
std::string call_f(const std::string& value) { return block(invoke("f", parameter("k", value))); }

TEST(OutputParser, ThoughtAnswerAndCall) {
  const Answer answer = parsed("The user wants X.\n</think>\n\nOptional text\n" + call_f("v"));
  EXPECT_EQ(answer, (Answer{"The user wants X.", "Optional text\n", {{"f", R"({"k": "v"})", true}}}));
}

TEST(OutputParser, ThoughtEdges) {
  EXPECT_EQ(parsed("a\n</think>\n\nb"), (Answer{"a", "b", {}}));
  EXPECT_EQ(parsed("a</think>b"), (Answer{"a", "b", {}}));
  EXPECT_EQ(parsed("a\n\n</think>\n\n\nb"), (Answer{"a\n", "\nb", {}}));
  EXPECT_EQ(parsed("a\n</think>\nb"), (Answer{"a", "\nb", {}}));
  EXPECT_EQ(parsed("\n</think>\n\nb"), (Answer{"", "b", {}}));
  EXPECT_EQ(parsed("</think>"), (Answer{}));
  EXPECT_EQ(parsed("a</think>\n\n"), (Answer{"a", "", {}}));
  EXPECT_EQ(parsed(""), (Answer{}));
  EXPECT_EQ(parsed("never ends\n"), (Answer{"never ends\n", "", {}}));
  EXPECT_EQ(parsed("cut\n</thin"), (Answer{"cut\n</thin", "", {}}));
  EXPECT_EQ(parsed("a < b <th </ think>\n</think>\n\nc"), (Answer{"a < b <th </ think>", "c", {}}));
}

TEST(OutputParser, OpeningThinkTagIsDroppedOnceAtTheBeginning) {
  EXPECT_EQ(parsed("<think>\na\n</think>\n\nb"), (Answer{"a", "b", {}}));
  EXPECT_EQ(parsed("<think>a</think>b"), (Answer{"a", "b", {}}));
  EXPECT_EQ(parsed("<think><think>a</think>b"), (Answer{"<think>a", "b", {}}));
  EXPECT_EQ(parsed("<think>"), (Answer{}));
  EXPECT_EQ(parsed("<thin"), (Answer{"<thin", "", {}}));
  EXPECT_EQ(parsed("a\n</think>\n\nthe tag <think> and </think> are text"),
            (Answer{"a", "the tag <think> and </think> are text", {}}));
  EXPECT_EQ(parsed("a</think>" + call_f("<think>\nb</think>")).calls[0].arguments, R"({"k": "<think>\nb</think>"})");
}

TEST(OutputParser, CallInsideTheThoughtEndsIt) {
  EXPECT_EQ(parsed("I need it.\n" + call_f("v")), (Answer{"I need it.", "", {{"f", R"({"k": "v"})", true}}}));
  // The end of the thought that comes after it is not shown.
  EXPECT_EQ(parsed("I need it.\n" + call_f("v") + "\n</think>\n\nDone."),
            (Answer{"I need it.", "Done.", {{"f", R"({"k": "v"})", true}}}));
  EXPECT_EQ(parsed(call_f("v") + "a</think>b</think>c").content, "ab</think>c");
}

TEST(OutputParser, ProseThatNamesTheTagIsText) {
  for (const std::string text :
       {"use <minimax:tool_call> for that", "<minimax:tool_call>", "<minimax:tool_call>\n\n",
        "<minimax:tool_call><invoke",
        "<minimax:tool_call>\n<invoke name=", "`<minimax:tool_call>` then `<invoke name=\"f\">`", "<minimax:tool_call",
        "<minimax:tool_call>\n<minimax:tool_call>\n", "<minimax:tool_call>\n<invoke name=\"f", "</minimax:tool_call>",
        "<invoke name=\"f\">\n</invoke>", "<tool_call>{}</tool_call>", "<minimax:tool_call>\n<invoke name=\"<f>\">",
        "<<minimax:tool_call><<", "<minimax:tool_call>\n<invoke name='f'>"}) {
    EXPECT_EQ(parsed("thought</think>" + text), (Answer{"thought", text, {}}));
    EXPECT_EQ(parsed(text), (Answer{text, "", {}}));
    const Answer both = parsed("so " + text + " x</think>the tag " + text + " x\n" + call_f("v"));
    EXPECT_EQ(both, (Answer{"so " + text + " x", "the tag " + text + " x\n", {{"f", R"({"k": "v"})", true}}}));
  }
}

TEST(OutputParser, ManyCallsKeepTheirArguments) {
  const std::string two = block(invoke("f", parameter("k", "a") + parameter("n", "1")) + invoke("g", "") +
                                invoke("f", parameter("k", "b")));
  const std::string third = block(invoke("bare", parameter("z", "c")));
  const Answer answer = parsed("t</think>\n\nFirst\n" + two + "\n\nthen\n" + third + "\nDone.\n");
  EXPECT_EQ(answer, (Answer{"t",
                            "First\n\n\nthen\n\nDone.\n",
                            {{"f", R"({"k": "a", "n": 1})", true},
                             {"g", "{}", true},
                             {"f", R"({"k": "b"})", true},
                             {"bare", R"({"z": "c"})", true}}}));
}

TEST(OutputParser, CompactAndSpaciousLayout) {
  const std::string compact =
      R"(<minimax:tool_call><invoke name="f"><parameter name="k">v</parameter><parameter name="n">2</parameter></invoke></minimax:tool_call>)";
  const std::string spacious =
      "<minimax:tool_call> \r\n\n <invoke name=\"f\">\n\n  <parameter name=\"k\">v</parameter>\r\n\t<parameter "
      "name=\"n\">2</parameter> \n </invoke>\n\n</minimax:tool_call>";
  for (const std::string& text : {compact, spacious})
    EXPECT_EQ(parsed("t</think>" + text), (Answer{"t", "", {{"f", R"({"k": "v", "n": 2})", true}}}));
}

TEST(OutputParser, WhiteSpaceBesideCallsIsNoContent) {
  EXPECT_EQ(parsed("t\n</think>\n\n\n" + call_f("v") + "\n" + call_f("w") + "\n").content, "");
  EXPECT_EQ(parsed("t\n</think>\n\n " + call_f("v") + "\n\nx ").content, "\n\nx ");
  EXPECT_EQ(parsed("t</think> \n").content, " \n");  // no call: as it is
}

TEST(OutputParser, ValuesAreVerbatim) {
  const auto value = [](const std::string& text) {
    const Answer answer = parsed("t</think>" + call_f(text) + " after");
    EXPECT_EQ(answer.content, " after");
    EXPECT_EQ(answer.calls.size(), 1u) << text;
    return parse_json(answer.calls[0].arguments, "arguments").value()["k"].get<std::string>();
  };
  for (const std::string text : {"",
                                 "\n",
                                 "\nline\n\n",
                                 "  spaces\t",
                                 "a &amp; b <b>&lt;</b>",
                                 "<![CDATA[x]]>",
                                 "null",
                                 "none",
                                 "5",
                                 "true",
                                 "quote \" backslash \\ tab \t bell \x07 del \x7f",
                                 "grüße 日本 🙂",
                                 "{\"unbalanced\": {",
                                 "</minimax:tool_call>",
                                 "a</parameter>b",
                                 "</parameter>",
                                 "</parameter></parameter>",
                                 "</parameter>\n</parameter>\n x",
                                 "</invoke>",
                                 "</parameter> text <parameter name=\"y\">",
                                 "<parameter name=\"y\">z",
                                 "<invoke name=\"g\">",
                                 "<",
                                 "</",
                                 "</param",
                                 "</parameter",
                                 "]~b]",
                                 "</parameter>\n</invoke",
                                 "<minimax:tool_call>\n<invoke name=\"g\">\n"})
    EXPECT_EQ(value(text), text);
}

TEST(OutputParser, UnknownFunctionsAreDroppedAndTheOthersKept) {
  const Answer answer = parsed("t</think>a" +
                               block(invoke("no", parameter("k", "1")) + invoke("f", parameter("k", "2")) +
                                     invoke("neither", "") + invoke("g", "")) +
                               "b");
  EXPECT_EQ(answer, (Answer{"t", "ab", {{"f", R"({"k": "2"})", true}, {"g", "{}", true}}}));
}

TEST(OutputParser, UnknownParameterIsTextAndOrderIsFree) {
  const Answer answer =
      parsed("t</think>" + block(invoke("f", parameter("new", "5") + parameter("n", "5") + parameter("k", "5"))));
  EXPECT_EQ(answer.calls[0].arguments, R"({"new": "5", "n": 5, "k": "5"})");
}

TEST(OutputParser, FirstOfTwoEqualNamesCounts) {
  const Answer answer =
      parsed("t</think>" + block(invoke("f", parameter("k", "a") + parameter("n", "1") + parameter("k", "b") +
                                                 parameter("n", "2") + parameter("flag", "true"))));
  EXPECT_EQ(answer.calls[0].arguments, R"({"k": "a", "n": 1, "flag": true})");
}

TEST(OutputParser, LayoutFaultsOfTheModel) {
  const std::string one = "<minimax:tool_call>\n<invoke name=\"f\">\n" + parameter("k", "v");
  const Call f{"f", R"({"k": "v"})", true};
  // </invoke> missing: the rule for the end of a value makes what follows a part of it, so only after a call without
  // parameters the next tags count.
  EXPECT_EQ(parsed("t</think><minimax:tool_call>\n<invoke name=\"g\">\n</minimax:tool_call>x"),
            (Answer{"t", "x", {{"g", "{}", true}}}));
  EXPECT_EQ(
      parsed("t</think><minimax:tool_call>\n<invoke name=\"g\">\n<invoke name=\"g\">\n</invoke></minimax:tool_call>"),
      (Answer{"t", "", {{"g", "{}", true}, {"g", "{}", true}}}));
  // The end of the block missing.
  EXPECT_EQ(parsed("t</think>" + one + "</invoke>\n"), (Answer{"t", "", {f}}));
  EXPECT_EQ(parsed("t</think>" + one + "</invoke>\nand text"), (Answer{"t", "\nand text", {f}}));
  EXPECT_EQ(parsed("t</think>" + one + "</invoke>\n" + call_f("v") + "x"), (Answer{"t", "x", {f, f}}));
  // Text between invokes is kept, between parameters it has no place.
  EXPECT_EQ(
      parsed("t</think>" + block(invoke("g", "") + "note 1 < 2\n" + invoke("g", "junk <b> " + parameter("k", "v")))),
      (Answer{"t", "\nnote 1 < 2", {{"g", "{}", true}, {"g", R"({"k": "v"})", true}}}));
}

TEST(OutputParser, WithoutToolsTheTagsAreText) {
  OutputParser::Options none = options();
  none.functions = nullptr;
  EXPECT_EQ(parsed("t</think>" + call_f("v"), none), (Answer{"t", call_f("v"), {}}));
  none.functions = std::make_shared<const Json>(Json::array());
  EXPECT_EQ(parsed("t" + call_f("v"), none), (Answer{"t" + call_f("v"), "", {}}));
  none = options();
  none.tools = ToolParser::kNone;
  EXPECT_EQ(parsed("t</think> " + call_f("v"), none), (Answer{"t", " " + call_f("v"), {}}));
}

TEST(OutputParser, WithoutReasoningParserAllIsContent) {
  EXPECT_EQ(parsed("<think>\na\n</think>\n\nb" + call_f("v"), options(ReasoningParser::kNone)),
            (Answer{"", "<think>\na\n</think>\n\nb", {{"f", R"({"k": "v"})", true}}}));
}

TEST(OutputParser, AppendThinkPutsTheTagInFront) {
  const auto with = options(ReasoningParser::kMinimaxAppendThink);
  EXPECT_EQ(parsed("a\n</think>\n\nb\n" + call_f("v"), with),
            (Answer{"", "<think>a\n</think>\n\nb\n", {{"f", R"({"k": "v"})", true}}}));
  EXPECT_EQ(parsed("<think>\na</think>b", with), (Answer{"", "<think>\na</think>b", {}}));  // not twice
  EXPECT_EQ(parsed("<thin", with), (Answer{"", "<think><thin", {}}));
  EXPECT_EQ(parsed("", with), (Answer{}));
}

TEST(OutputParser, InvalidUtf8BecomesReplacementCharacters) {
  EXPECT_EQ(parsed("a\xFF\xE6\x97</think>\xF0\x9F\x99" + call_f("\xC3") + "\xE6\x97"),
            (Answer{"a\uFFFD\uFFFD", "\uFFFD\uFFFD", {{"f", "{\"k\": \"\uFFFD\"}", true}}}));
  OutputParser parser(options());
  EXPECT_EQ(parser.push("\xE6\x97").size(), 0u);
  const auto events = parser.push("\xA5");
  ASSERT_EQ(events.size(), 1u);
  EXPECT_EQ(events[0].text, "日");
}

// The arguments of a call whose text was cut hold nothing that the whole call doesn't: whole values, and a string's
// beginning (a character cut in two is U+FFFD).
void expect_part_of(const Json& part, const Json& whole) {
  for (const auto& [key, value] : part.items()) {
    ASSERT_TRUE(whole.contains(key)) << key;
    if (value.is_string() && whole[key].is_string()) {
      std::string text = value.get<std::string>();
      if (text.ends_with("\uFFFD")) text.resize(text.size() - 3);
      EXPECT_TRUE(whole[key].get<std::string>().starts_with(text)) << key << " " << value;
    } else {
      EXPECT_EQ(value, whole[key]) << key;
    }
  }
}

TEST(OutputParser, EveryTruncationLeavesValidArguments) {
  const std::string code = "if a < b:\n  s = \"</parameter>\" # 日本\n</param\n";
  const std::vector<std::string> transcripts = {
      "I call.\n</think>\n\nText\n" +
          block(invoke("f", parameter("k", code) + parameter("n", "1234567890123456789012"))),
      "t</think>" +
          block(invoke("f", parameter("object", R"({"a": [1, {"b": "\\u00e9}"}]})") + parameter("x", "-1.5e3") +
                                parameter("list", "[1, 2]") + parameter("flag", "true"))),
      "t" +
          block(invoke("f", parameter("maybe", "null") + parameter("maybe_n", "12")) + invoke("g", "") +
                invoke("f", parameter("maybe", "nullable text") + parameter("maybe_n", "null"))) +
          "</think>between" + block(invoke("no", parameter("k", "v")) + invoke("bare", parameter("any \" key", "\t")))};
  for (const std::string& text : transcripts) {
    const Answer whole = parsed(text);
    for (std::size_t size = 0; size < text.size(); ++size) {
      const Answer cut = parse({std::string_view(text).substr(0, size)}, options());
      ASSERT_LE(cut.calls.size(), whole.calls.size());
      for (std::size_t i = 0; i < cut.calls.size(); ++i) {
        EXPECT_EQ(cut.calls[i].name, whole.calls[i].name);
        EXPECT_TRUE(cut.calls[i].ended);
        const auto json = parse_json(cut.calls[i].arguments, "arguments");
        ASSERT_TRUE(json) << cut.calls[i].arguments;
        expect_part_of(*json, parse_json(whole.calls[i].arguments, "arguments").value());
      }
    }
  }
}

TEST(OutputParser, CutCallsCloseWithWhatTheyHave) {
  const auto arguments = [](const std::string& inside) {
    const Answer answer = parsed("t</think><minimax:tool_call>\n<invoke name=\"f\">\n" + inside);
    return answer.calls.empty() ? "no call" : answer.calls[0].arguments + answer.content;
  };
  EXPECT_EQ(arguments(""), "{}");
  EXPECT_EQ(arguments("<parameter name=\"k"), "{}");
  EXPECT_EQ(arguments("<parameter name=\"k\">"), R"({"k": ""})");
  EXPECT_EQ(arguments("<parameter name=\"k\">half"), R"({"k": "half"})");
  EXPECT_EQ(arguments("<parameter name=\"k\">half</para"), R"({"k": "half"})");
  EXPECT_EQ(arguments("<parameter name=\"k\">full</parameter>"), R"({"k": "full"})");
  EXPECT_EQ(arguments("<parameter name=\"n\">12"), "{}");  // half a number is another number
  EXPECT_EQ(arguments("<parameter name=\"n\">12</parameter>\n"), R"({"n": 12})");
  EXPECT_EQ(arguments("<parameter name=\"n\">12</parameter>\n</inv"), R"({"n": 12})");
  EXPECT_EQ(arguments("<parameter name=\"maybe\">nul"), "{}");
  EXPECT_EQ(arguments("<parameter name=\"maybe\">null "), R"({"maybe": "null "})");
  EXPECT_EQ(arguments(parameter("k", "v") + "</invoke>\n</minimax:tool"), R"({"k": "v"})");
}

std::string joined_arguments(const std::vector<ParsedEvent>& events) {
  std::string text;
  for (const ParsedEvent& event : events)
    if (event.kind == ParsedEvent::Kind::kArguments) text += event.text;
  return text;
}

TEST(OutputParser, StringsStreamAsTheyCome) {
  OutputParser parser(options());
  EXPECT_EQ(joined_arguments(parser.push("t</think>\n\n<minimax:tool_call>\n<invoke name=\"f\">")), "{");
  EXPECT_EQ(joined_arguments(parser.push("\n<parameter name=\"k\">")), R"("k": ")");
  EXPECT_EQ(joined_arguments(parser.push("one\n")), R"(one\n)");
  EXPECT_EQ(joined_arguments(parser.push("two <")), "two ");
  EXPECT_EQ(joined_arguments(parser.push("b")), "<b");
  EXPECT_EQ(joined_arguments(parser.push("</parameter>\n<parameter name=\"n\">")), "\"");
  EXPECT_EQ(joined_arguments(parser.push("12")), "");
  EXPECT_EQ(joined_arguments(parser.push("3</parameter>\n</invoke>")), R"(, "n": 123})");
}

TEST(OutputParser, StringsThatMayBeNullStreamToo) {
  OutputParser parser(options());
  parser.push("t</think>\n\n<minimax:tool_call>\n<invoke name=\"f\">\n<parameter name=\"maybe\">");
  EXPECT_EQ(joined_arguments(parser.push("null")), "");
  EXPECT_EQ(joined_arguments(parser.push("able")), R"("maybe": "nullable)");
  EXPECT_EQ(joined_arguments(parser.push(" text")), " text");
}

TEST(OutputParser, LongHeldTextIsReadOnce) {
  // Byte by byte; quadratic time would show as minutes.
  OutputParser parser(options());
  Answer answer;
  const std::string spaces(1'000'000, ' ');
  join(parser.push("t</think><minimax:tool_call>"), answer);
  for (const char c : spaces) join(parser.push({&c, 1}), answer);
  join(parser.push("<invoke name=\"f\"><parameter name=\"k\">v</parameter>"), answer);
  for (const char c : spaces) join(parser.push({&c, 1}), answer);
  join(parser.push("</invoke>"), answer);
  join(parser.finish(), answer);
  EXPECT_EQ(answer, (Answer{"t", "", {{"f", R"({"k": "v"})", true}}}));
}

TEST(OutputParser, NothingComesAfterTheEnd) {
  OutputParser parser(options());
  parser.push("a");
  parser.finish();
  EXPECT_TRUE(parser.push("b").empty());
  EXPECT_TRUE(parser.finish().empty());
}

TEST(OutputParser, Names) {
  EXPECT_EQ(reasoning_parser_from_name("minimax").value(), ReasoningParser::kMinimax);
  EXPECT_EQ(reasoning_parser_from_name("minimax_m2").value(), ReasoningParser::kMinimax);
  EXPECT_EQ(reasoning_parser_from_name("minimax-append-think").value(), ReasoningParser::kMinimaxAppendThink);
  EXPECT_EQ(reasoning_parser_from_name("minimax_m2_append_think").value(), ReasoningParser::kMinimaxAppendThink);
  EXPECT_EQ(tool_parser_from_name("minimax-m2").value(), ToolParser::kMinimaxM2);
  EXPECT_EQ(tool_parser_from_name("minimax_m2").value(), ToolParser::kMinimaxM2);
  EXPECT_EQ(reasoning_parser_from_name("qwen3").error().code, ErrorCode::kUsage);
  EXPECT_EQ(tool_parser_from_name("minimax-m3").error().code, ErrorCode::kUsage);
}

}  // namespace
}  // namespace tetrad
