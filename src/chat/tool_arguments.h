// The arguments of one tool call, written as JSON while the model writes them. Used by output_parser.h.
#pragma once

#include <string>
#include <string_view>
#include <unordered_set>

#include "base/json.h"
#include "chat/tool_schema.h"

namespace tetrad {

// `text` (well-formed UTF-8) as it stands between the quotes of a JSON string: ", \ and control characters escaped, all
// else as it is.
void append_json_escaped(std::string& out, std::string_view text);

// The value that the model wrote as `text`, as JSON, by the types its schema allows: null, then integer, number,
// boolean, object or array, else a string of exactly that text. Numbers keep their digits; one that no double holds
// ("1e999", "nan") is text. Where a string is allowed too, only what is JSON as it stands counts as something else;
// where none is, "+5", "007", ".5", "3.0" for an integer, "True", " 5 " and (for a boolean) "1" and "0" are understood.
std::string typed_json(std::string_view text, JsonTypes types);

// Appends pieces of one JSON object to `out`; after end() the pieces joined are valid JSON, wherever the calls stopped
// before. A name that was there before is ignored: its value may have been sent already. Not thread-safe.
class ArgumentsWriter {
 public:
  void begin(const Json* parameters, std::string& out);  // the function's schema or null; outlives the writer's use
  void begin_parameter(std::string_view name, std::string& out);
  void value(std::string_view text, std::string& out);  // strings are passed on as they come
  void end_parameter(std::string& out);
  // The text ended inside the value: a string closes with what it has; any other value is left out, since half a number
  // is another number.
  void cut_parameter(std::string& out);
  void end(std::string& out);

 private:
  enum class Mode { kIgnored, kHeld, kStreamed };
  void open_key(std::string& out);
  void open_string(std::string& out);

  const Json* parameters_ = nullptr;
  std::unordered_set<std::string> names_;
  std::string name_, held_;
  JsonTypes types_ = 0;
  Mode mode_ = Mode::kIgnored;
  bool empty_ = true;
};

}  // namespace tetrad
