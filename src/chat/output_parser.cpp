#include "chat/output_parser.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <unordered_map>
#include <utility>

#include "base/log.h"
#include "base/utf8.h"
#include "chat/tool_arguments.h"
#include "chat/tool_tags.h"

namespace tetrad {
namespace {

using Kind = ParsedEvent::Kind;

std::unordered_map<std::string, const Json*> functions_by_name(const Json* tools) {
  std::unordered_map<std::string, const Json*> functions;
  if (tools == nullptr || !tools->is_array()) return functions;
  for (const Json& tool : *tools) {
    if (!tool.is_object()) continue;
    const auto inner = tool.find("function");
    const Json& function = inner != tool.end() && inner->is_object() ? *inner : tool;
    const auto name = function.find("name");
    const auto parameters = function.find("parameters");
    if (name != function.end() && name->is_string())
      functions.emplace(name->get<std::string>(), parameters == function.end() ? nullptr : &*parameters);
  }
  return functions;
}

std::string_view without_space(std::string_view text) {
  const std::size_t first = text.find_first_not_of(kTagSpace);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(kTagSpace) - first + 1);
}

}  // namespace

struct OutputParser::State {
  // What the answer is made of, one state a part. Every state waits while the text could still become a tag it knows,
  // so that no cut of the text shows in the result.
  enum class Mode {
    kStart,      // a "<think>" that the model writes itself
    kAfterOpen,  // the line break after it
    kReasoning,
    kAfterThink,  // the empty line after "</think>"
    kContent,
    kBlock,      // between <minimax:tool_call> and its end, outside of invokes
    kInvoke,     // between parameters
    kParameter,  // in a value
  };

  explicit State(Options from) : options(std::move(from)), functions(functions_by_name(options.functions.get())) {
    calls_on = options.tools == ToolParser::kMinimaxM2 && !functions.empty();
    think_open = options.reasoning == ReasoningParser::kMinimax;
    if (options.reasoning == ReasoningParser::kNone) mode = Mode::kContent;
  }

  std::vector<ParsedEvent> take(std::string_view bytes, bool last) {
    if (!ended) {
      ended = final = last;
      decode(bytes);
      while (at < text.size() && step()) {
      }
      if (last) close();
      text.erase(0, at);
      at = 0;
    }
    return std::exchange(events, {});
  }

 private:
  // Well-formed sequences go on, ill-formed ones become U+FFFD, one that may be incomplete waits.
  void decode(std::string_view bytes) {
    raw.append(bytes);
    std::size_t done = 0;
    while (done < raw.size()) {
      const std::string_view rest = std::string_view(raw).substr(done);
      const std::size_t good = utf8_sequence_length(rest);
      const std::size_t bad = good == 0 ? utf8_invalid_length(rest) : 0;
      if (good == 0 && bad == rest.size() && !final) break;
      text.append(good == 0 ? std::string_view("\uFFFD") : rest.substr(0, good));
      done += good + bad;
    }
    raw.erase(0, done);
  }

  std::string_view rest() const { return std::string_view(text).substr(at); }
  void advance(std::size_t bytes) {
    at += bytes;
    scanned = 0;
  }
  bool waits(Match match) const { return match == Match::kMaybe && !final; }

  void emit(Kind kind, std::string_view part) {
    if (part.empty() && kind != Kind::kCallBegin && kind != Kind::kCallEnd) return;
    const bool of_call = kind != Kind::kReasoning && kind != Kind::kContent;
    if (!events.empty() && events.back().kind == kind && kind != Kind::kCallBegin && kind != Kind::kCallEnd)
      events.back().text += part;
    else
      events.push_back({kind, std::string(part), of_call ? call : 0});
  }

  // Content that is white space alone beside a call is the calls' layout and is left out, so it waits for the first
  // letter of its segment (what stands between the thought, blocks and the end). Other content passes as it is.
  void begin_segment(bool after_call) {
    space.clear();
    blank = true;
    blank_is_layout = after_call;
  }
  void content(std::string_view part) {
    if (blank && calls_on) {
      const bool still = part.find_first_not_of(kTagSpace) == std::string_view::npos;
      if (still) {
        space += part;
        return;
      }
      emit(Kind::kContent, space);
      blank = false;
    }
    emit(Kind::kContent, part);
  }

  // One decision about the front of the text. False: more of it is needed.
  bool step() {
    switch (mode) {
      case Mode::kStart:
        return step_start();
      case Mode::kAfterOpen:
        if (rest()[0] == '\n') advance(1);
        mode = Mode::kReasoning;
        return true;
      case Mode::kReasoning:
        return step_reasoning();
      case Mode::kAfterThink:
        return step_after_think();
      case Mode::kContent:
        return step_content();
      case Mode::kBlock:
        return step_block();
      case Mode::kInvoke:
        return step_invoke();
      case Mode::kParameter:
        return step_parameter();
    }
    return false;
  }

  bool step_start() {
    const Tag tag = match_literal(rest(), kThinkBegin);
    if (waits(tag.match)) return false;
    const bool there = tag.match == Match::kYes;
    if (options.reasoning == ReasoningParser::kMinimaxAppendThink) {
      content(kThinkBegin);
      mode = Mode::kContent;
    } else {
      mode = there ? Mode::kAfterOpen : Mode::kReasoning;
    }
    advance(tag.length);
    return true;
  }

  // A line break is looked at together with what follows: one before the end of the thought belongs to the end.
  bool step_reasoning() {
    const std::size_t plain = std::min(rest().find_first_of("\n<"), rest().size());
    if (plain > 0) {
      emit(Kind::kReasoning, rest().substr(0, plain));
      advance(plain);
      return true;
    }
    const std::size_t lead = rest()[0] == '\n' ? 1 : 0;
    const std::string_view tail = rest().substr(lead);
    const Tag end = match_literal(tail, kThinkEnd);
    if (end.match == Match::kYes) {
      think_open = false;
      mode = Mode::kAfterThink;
      advance(lead + end.length);
      return true;
    }
    const Tag block = calls_on ? match_block(tail, scanned) : Tag();
    if (block.match == Match::kYes) {
      begin_block(lead + block.length);
      return true;
    }
    if (waits(end.match) || waits(block.match)) return false;
    emit(Kind::kReasoning, rest().substr(0, 1));
    advance(1);
    return true;
  }

  bool step_after_think() {
    const Tag tag = match_literal(rest(), "\n\n");
    if (waits(tag.match)) return false;
    advance(tag.match == Match::kMaybe ? rest().size() : tag.length);
    mode = Mode::kContent;
    return true;
  }

  bool step_content() {
    const std::size_t plain = std::min(rest().find('<'), rest().size());
    if (plain > 0) {
      content(rest().substr(0, plain));
      advance(plain);
      return true;
    }
    const Tag block = calls_on ? match_block(rest(), scanned) : Tag();
    if (block.match == Match::kYes) {
      begin_block(block.length);
      return true;
    }
    // Only when a call ended the thought: its "</think>" is still to come. Any later one is text.
    const Tag think = think_open ? match_literal(rest(), kThinkEnd) : Tag();
    if (think.match == Match::kYes) {
      think_open = false;
      begin_segment(true);
      mode = Mode::kAfterThink;
      advance(think.length);
      return true;
    }
    if (waits(block.match) || waits(think.match)) return false;
    content("<");
    advance(1);
    return true;
  }

  void begin_block(std::size_t bytes) {
    space.clear();
    mode = Mode::kBlock;
    advance(bytes);
  }

  // White space goes with the tag that follows it. Text that is no tag is kept: it is content in the wrong place.
  bool step_block() {
    const std::size_t blanks = std::min(rest().find_first_not_of(kTagSpace), rest().size());
    if (blanks > 0) {
      space += rest().substr(0, blanks);
      advance(blanks);
      return true;
    }
    const Tag invoke = match_named(rest(), kInvokeBegin);
    const Tag end = match_literal(rest(), kBlockEnd);
    const Tag again = match_block(rest(), scanned);
    if (waits(invoke.match) || waits(end.match) || waits(again.match)) return false;
    if (invoke.match == Match::kYes) {
      begin_call(invoke);
    } else if (end.match == Match::kYes) {
      end_block(end.length);
    } else if (again.match == Match::kYes) {
      begin_block(again.length);
    } else if (invoke.match == Match::kMaybe || end.match == Match::kMaybe || again.match == Match::kMaybe) {
      advance(rest().size());  // the end cut a tag
    } else {
      emit(Kind::kContent, std::exchange(space, {}));
      const std::size_t next = std::min(rest().find_first_of("< \t\r\n", 1), rest().size());
      emit(Kind::kContent, rest().substr(0, next));
      advance(next);
    }
    return true;
  }

  void end_block(std::size_t bytes) {
    begin_segment(true);
    mode = Mode::kContent;
    advance(bytes);
  }

  // Forgiving about a missing </invoke>; what is no tag here has no place in the answer.
  bool step_invoke() {
    const Tag parameter = match_named(rest(), kParameterBegin);
    const Tag end = match_literal(rest(), kInvokeEnd);
    const Tag block_end = match_literal(rest(), kBlockEnd);
    const Tag next = match_named(rest(), kInvokeBegin);
    if (waits(parameter.match) || waits(end.match) || waits(block_end.match) || waits(next.match)) return false;
    if (parameter.match == Match::kYes) {
      if (called) writer.begin_parameter(parameter.name, arguments);
      mode = Mode::kParameter;
      advance(parameter.length);
      send_arguments();
    } else if (end.match == Match::kYes) {
      end_call();
      begin_block(end.length);
    } else if (block_end.match == Match::kYes) {
      end_call();
      end_block(block_end.length);
    } else if (next.match == Match::kYes) {
      end_call();
      begin_call(next);
    } else {
      advance(std::min(rest().find('<', 1), rest().size()));
    }
    return true;
  }

  bool step_parameter() {
    const std::size_t plain = std::min(rest().find('<'), rest().size());
    const Tag end = plain == 0 ? match_parameter_end(rest(), scanned) : Tag();
    if (waits(end.match)) return false;
    if (plain > 0) {
      value(rest().substr(0, plain));
      advance(plain);
    } else if (end.match == Match::kNo) {
      value("<");
      advance(1);
    } else if (end.length > 0) {
      if (called) writer.end_parameter(arguments);
      send_arguments();
      mode = Mode::kInvoke;
      advance(end.length);
    } else {
      advance(rest().size());  // the end cut the tag
    }
    return true;
  }

  void value(std::string_view part) {
    if (called) writer.value(part, arguments);
    send_arguments();
  }

  void begin_call(const Tag& tag) {
    const std::string name(without_space(tag.name));
    const auto found = functions.find(name);
    called = found != functions.end();
    if (called) {
      emit(Kind::kCallBegin, name);
      writer.begin(found->second, arguments);
      send_arguments();
    } else {
      log_note("dropped a call of \"" + printable(name) + "\", which is not among the request's tools");
    }
    mode = Mode::kInvoke;
    advance(tag.length);
  }

  void end_call() {
    if (!called) return;
    writer.end(arguments);
    send_arguments();
    emit(Kind::kCallEnd, {});
    ++call;
    called = false;
  }

  void send_arguments() {
    emit(Kind::kArguments, arguments);
    arguments.clear();
  }

  void close() {
    if (called && mode == Mode::kParameter) writer.cut_parameter(arguments);
    end_call();
    if (mode == Mode::kContent && blank && !blank_is_layout) emit(Kind::kContent, space);
  }

  Options options;
  std::unordered_map<std::string, const Json*> functions;  // name to schema; into options.functions
  bool calls_on = false;
  bool think_open = false;  // the "</think>" that ends the thought is still to come
  bool final = false, ended = false;
  Mode mode = Mode::kStart;
  std::string raw;  // undecoded bytes: at most the beginning of one sequence between calls
  std::string text;
  std::size_t at = 0, scanned = 0;  // into text; scanned: see match_block
  std::string space;
  bool blank = true, blank_is_layout = false;
  ArgumentsWriter writer;
  std::string arguments;
  bool called = false;  // in an invoke of a known function
  std::size_t call = 0;
  std::vector<ParsedEvent> events;
};

OutputParser::OutputParser(Options options) : state_(std::make_unique<State>(std::move(options))) {}
OutputParser::OutputParser(OutputParser&&) noexcept = default;
OutputParser& OutputParser::operator=(OutputParser&&) noexcept = default;
OutputParser::~OutputParser() = default;

std::vector<ParsedEvent> OutputParser::push(std::string_view text) { return state_->take(text, false); }
std::vector<ParsedEvent> OutputParser::finish() { return state_->take({}, true); }

Result<ReasoningParser> reasoning_parser_from_name(std::string_view name) {
  std::string key(name);
  std::replace(key.begin(), key.end(), '_', '-');
  if (key == "none") return ReasoningParser::kNone;
  if (key == "minimax" || key == "minimax-m2") return ReasoningParser::kMinimax;
  if (key == "minimax-append-think" || key == "minimax-m2-append-think") return ReasoningParser::kMinimaxAppendThink;
  return make_error(ErrorCode::kUsage, "unknown reasoning parser", "--reasoning-parser",
                    "\"" + std::string(name) + "\"", "known: minimax, minimax-append-think, none");
}

Result<ToolParser> tool_parser_from_name(std::string_view name) {
  std::string key(name);
  std::replace(key.begin(), key.end(), '_', '-');
  if (key == "none") return ToolParser::kNone;
  if (key == "minimax-m2") return ToolParser::kMinimaxM2;
  return make_error(ErrorCode::kUsage, "unknown tool-call parser", "--tool-call-parser",
                    "\"" + std::string(name) + "\"", "known: minimax-m2, none");
}

}  // namespace tetrad
