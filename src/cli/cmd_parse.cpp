#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <iostream>
#include <iterator>
#include <nlohmann/json.hpp>

#include "base/rng.h"
#include "chat/output_parser.h"
#include "cli/command.h"

namespace tetrad {
namespace {

struct ParseFlags {
  std::string reasoning_parser = "none", tool_parser = "none", input;
  std::size_t chunk_bytes = 0;  // 0: all at once
};

// The message as OpenAI's API has it, put together from the parser's events.
class Message {
 public:
  explicit Message(std::uint64_t seed) : ids_(seed) {}

  void add(const std::vector<ParsedEvent>& events) {
    for (const ParsedEvent& event : events) {
      switch (event.kind) {
        case ParsedEvent::Kind::kReasoning:
          reasoning_ += event.text;
          break;
        case ParsedEvent::Kind::kContent:
          content_ += event.text;
          break;
        case ParsedEvent::Kind::kCallBegin:
          begin_call(event.text);
          break;
        case ParsedEvent::Kind::kArguments:
          calls_.back()["function"]["arguments"].get_ref<std::string&>() += event.text;
          break;
        case ParsedEvent::Kind::kCallEnd:
          break;
      }
    }
  }

  bool has_calls() const { return !calls_.empty(); }
  Json json() const {
    const bool no_content = content_.empty() && has_calls();
    return {{"role", "assistant"},
            {"content", no_content ? Json() : Json(content_)},
            {"reasoning_content", reasoning_.empty() ? Json() : Json(reasoning_)},
            {"tool_calls", calls_}};
  }

 private:
  void begin_call(const std::string& name) {
    const std::uint64_t high = ids_.next() >> 32, low = ids_.next();
    calls_.push_back({{"id", fmt::format("call_{:08x}{:016x}", high, low)},
                      {"type", "function"},
                      {"function", {{"name", name}, {"arguments", ""}}}});
  }

  Rng ids_;
  std::string reasoning_, content_;
  Json calls_ = Json::array();
};

Result<Json> read_input(const std::string& path) {
  if (!path.empty() && path != "-") return read_json_file(path);
  const std::string text((std::istreambuf_iterator<char>(std::cin)), std::istreambuf_iterator<char>());
  if (std::cin.bad()) return make_error(ErrorCode::kIo, "cannot read", "stdin", "the input broke off");
  return parse_json(text, "stdin");
}

// The text under `key`, or `otherwise` when it is not there or null.
Result<std::string> text_member(const Json& input, const char* key, const std::string& otherwise,
                                const std::string& where) {
  const auto found = input.find(key);
  if (found == input.end() || found->is_null()) return otherwise;
  if (!found->is_string()) return invalid_input("bad model output", where, fmt::format("\"{}\" is not a text", key));
  return found->get<std::string>();
}

Status run_parse(const ParseFlags& flags, std::uint64_t seed) {
  OutputParser::Options options;
  options.reasoning = TETRAD_TRY(reasoning_parser_from_name(flags.reasoning_parser));
  options.tools = TETRAD_TRY(tool_parser_from_name(flags.tool_parser));
  const std::string where = flags.input.empty() || flags.input == "-" ? "stdin" : flags.input;
  const Json input = TETRAD_TRY(read_input(flags.input));
  if (!input.is_object() || !input.contains("text"))
    return invalid_input("bad model output", where, "expected a JSON object with \"text\"");
  const std::string text = TETRAD_TRY(text_member(input, "text", "", where));
  const std::string finish_reason = TETRAD_TRY(text_member(input, "finish_reason", "stop", where));
  if (const auto tools = input.find("tools"); tools != input.end() && !tools->is_null()) {
    if (!tools->is_array()) return invalid_input("bad model output", where, "\"tools\" is not a list");
    options.functions = std::make_shared<const Json>(*tools);
  }

  OutputParser parser(std::move(options));
  Message message(seed);
  const std::size_t chunk = flags.chunk_bytes == 0 ? std::max<std::size_t>(text.size(), 1) : flags.chunk_bytes;
  for (std::size_t at = 0; at < text.size(); at += std::min(chunk, text.size() - at))
    message.add(parser.push(std::string_view(text).substr(at, chunk)));
  message.add(parser.finish());
  const bool calls = message.has_calls() && finish_reason == "stop";  // a cut answer stays `length`
  const Json result = {{"message", message.json()}, {"finish_reason", calls ? "tool_calls" : finish_reason}};
  return write_stdout(result.dump(2) + "\n");
}

}  // namespace

void register_parse(CLI::App& app, const CommonFlags& common, Action& action) {
  auto* command = add_command(app, common, "parse", "take a model's output apart: thought, answer, tool calls");
  auto flags = std::make_shared<ParseFlags>();
  command->add_option("--reasoning-parser", flags->reasoning_parser, "minimax, minimax-append-think or none");
  command->add_option("--tool-call-parser", flags->tool_parser, "minimax-m2 or none");
  command->add_option("--input", flags->input,
                      R"(JSON: {"text": ..., "tools": [...], "finish_reason": "stop"|"length"} (default: stdin))");
  command->add_option("--chunks", flags->chunk_bytes, "feed the parser so many bytes at a time (default: all at once)")
      ->check(CLI::Range(std::size_t{1}, std::size_t{1} << 40));
  command->callback(
      [flags, &common, &action] { action = [flags, &common] { return run_parse(*flags, common.seed); }; });
}

}  // namespace tetrad
