// What a model wrote, taken apart: thought, answer, tool calls. One incremental machine for streaming and whole
// answers: the joined events don't depend on where the text was cut. Used by api/ and `tetrad parse`.
//
// For MiniMax-M2: the prompt ends with "<think>\n", so the text begins inside the thought; "</think>" ends it; calls
// are
//   <minimax:tool_call>\n<invoke name="f">\n<parameter name="k">value</parameter>\n</invoke>\n</minimax:tool_call>
// with string values verbatim (no escaping) and other values as JSON.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "base/json.h"

namespace tetrad {

enum class ReasoningParser : std::uint8_t {
  kNone,                // all is content
  kMinimax,             // thought and answer apart
  kMinimaxAppendThink,  // all is content, with "<think>" put in front
};
enum class ToolParser : std::uint8_t { kNone, kMinimaxM2 };

// Names as SGLang and vLLM have them ("minimax", "minimax-append-think", "minimax_m2", "minimax-m2", ...); kUsage
// otherwise.
Result<ReasoningParser> reasoning_parser_from_name(std::string_view name);
Result<ToolParser> tool_parser_from_name(std::string_view name);

struct ParsedEvent {
  enum class Kind : std::uint8_t {
    kReasoning,  // `text` belongs to the thought
    kContent,    // `text` belongs to the answer
    kCallBegin,  // call number `call` (0, 1, ...) of function `text` begins
    kArguments,  // `text` goes on the JSON text of call `call`'s arguments; the pieces joined are one valid JSON object
    kCallEnd,
  };
  Kind kind = Kind::kContent;
  std::string text;
  std::size_t call = 0;
};

class OutputParser {
 public:
  struct Options {
    ReasoningParser reasoning = ReasoningParser::kNone;
    ToolParser tools = ToolParser::kNone;   // calls are looked for only when `functions` is not empty
    std::shared_ptr<const Json> functions;  // the request's "tools": [{"type": "function", "function": {...}}], or null
  };
  explicit OutputParser(Options options);
  OutputParser(OutputParser&&) noexcept;
  OutputParser& operator=(OutputParser&&) noexcept;
  ~OutputParser();

  // Any cut of the text, also inside a UTF-8 sequence or a tag; an event's text never ends inside a character.
  std::vector<ParsedEvent> push(std::string_view text);
  // The end of the text: everything held back is released, open calls are closed so that their arguments are valid
  // JSON.
  std::vector<ParsedEvent> finish();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace tetrad
