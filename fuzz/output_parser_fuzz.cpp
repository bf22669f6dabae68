// Any model output under any tools: the joined events don't depend on the cuts, arguments are valid JSON, every call
// that begins ends.
// The input: options, a seed for the cuts, [schema of "p" in JSON, 0xFF,] then text, in which the bytes 1-8 and 14-25
// stand for tags and other words that random bytes would never find.
#include <algorithm>
#include <array>
#include <cstdint>
#include <nlohmann/json.hpp>

#include "base/check.h"
#include "base/log.h"
#include "base/rng.h"
#include "base/utf8.h"
#include "chat/output_parser.h"

namespace {

using tetrad::Json;
using tetrad::OutputParser;
using tetrad::ParsedEvent;

constexpr std::array<std::string_view, 20> kWords = {"<think>",
                                                     "</think>",
                                                     "<minimax:tool_call>",
                                                     "</minimax:tool_call>",
                                                     "<invoke name=\"f\">",
                                                     "<invoke name=\"",
                                                     "</invoke>",
                                                     "<parameter name=\"s\">",
                                                     "<parameter name=\"i\">",
                                                     "<parameter name=\"o\">",
                                                     "<parameter name=\"m\">",
                                                     "<parameter name=\"p\">",
                                                     "<parameter name=\"",
                                                     "</parameter>",
                                                     "\">",
                                                     "null",
                                                     "</parameter>\n</invoke>",
                                                     "true",
                                                     "{\"a\":[",
                                                     "\n\n"};

std::string expanded(std::string_view bytes) {
  std::string text;
  for (const char c : bytes) {
    const auto byte = static_cast<unsigned char>(c);
    const std::size_t word = byte >= 1 && byte <= 8 ? byte - 1u : byte >= 14 && byte <= 25 ? byte - 6u : kWords.size();
    if (word < kWords.size())
      text += kWords[word];
    else
      text += c;
  }
  return text;
}

std::shared_ptr<const Json> tools_with(Json schema) {
  const Json properties = {{"s", {{"type", "string"}}},
                           {"i", {{"type", {"integer", "number", "boolean"}}}},
                           {"o", {{"type", {"object", "array"}}}},
                           {"m", {{"type", {"string", "null"}}}},
                           {"p", std::move(schema)}};
  return std::make_shared<const Json>(Json::array(
      {{{"type", "function"}, {"function", {{"name", "f"}, {"parameters", {{"properties", properties}}}}}}}));
}

// The events in one line a piece of text; neighbours of one kind joined.
struct Joined {
  std::vector<ParsedEvent> parts;
  void add(const std::vector<ParsedEvent>& events) {
    for (const ParsedEvent& event : events) {
      TETRAD_CHECK(tetrad::is_valid_utf8(event.text));
      const bool text = event.kind != ParsedEvent::Kind::kCallBegin && event.kind != ParsedEvent::Kind::kCallEnd;
      if (text && !parts.empty() && parts.back().kind == event.kind && parts.back().call == event.call)
        parts.back().text += event.text;
      else
        parts.push_back(event);
    }
  }
  void check_equal(const Joined& other) const {
    TETRAD_CHECK(parts.size() == other.parts.size());
    for (std::size_t i = 0; i < parts.size(); ++i)
      TETRAD_CHECK(parts[i].kind == other.parts[i].kind && parts[i].text == other.parts[i].text &&
                   parts[i].call == other.parts[i].call);
  }
  void check_calls() const {
    std::size_t calls = 0;
    std::string arguments;
    bool open = false;
    for (const ParsedEvent& part : parts) {
      if (part.kind == ParsedEvent::Kind::kCallBegin) {
        TETRAD_CHECK(!open && part.call == calls);
        open = true;
        arguments.clear();
      } else if (part.kind == ParsedEvent::Kind::kArguments) {
        TETRAD_CHECK(open && part.call == calls);
        arguments += part.text;
      } else if (part.kind == ParsedEvent::Kind::kCallEnd) {
        TETRAD_CHECK(open && part.call == calls++);
        open = false;
        TETRAD_CHECK(tetrad::parse_json(arguments, "arguments").has_value());
      }
    }
    TETRAD_CHECK(!open);
  }
};

Joined parse(std::string_view text, const OutputParser::Options& options, std::size_t longest, tetrad::Rng rng) {
  OutputParser parser(options);
  Joined joined;
  while (!text.empty()) {
    const std::size_t size = std::min(text.size(), longest == 0 ? text.size() : 1 + rng.below(longest));
    joined.add(parser.push(text.substr(0, size)));
    text.remove_prefix(size);
  }
  joined.add(parser.finish());
  return joined;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 2) return 0;
  tetrad::set_quiet(true);
  std::string_view input(reinterpret_cast<const char*>(data + 2), size - 2);
  OutputParser::Options options;
  options.reasoning = static_cast<tetrad::ReasoningParser>(data[0] % 3);
  options.tools = (data[0] & 4) != 0 ? tetrad::ToolParser::kNone : tetrad::ToolParser::kMinimaxM2;
  Json schema = Json::object();
  if (const std::size_t end = input.find('\xFF'); end != std::string_view::npos) {
    if (auto given = tetrad::parse_json(input.substr(0, end), "schema")) schema = std::move(*given);
    input.remove_prefix(end + 1);
  }
  options.functions = tools_with(std::move(schema));
  const std::string text = expanded(input);
  const tetrad::Rng rng(data[1]);
  const Joined whole = parse(text, options, 0, rng);
  whole.check_calls();
  parse(text, options, 1, rng).check_equal(whole);
  parse(text, options, 20, rng).check_equal(whole);
  return 0;
}
