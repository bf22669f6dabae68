// Any text as a chat template, with a fixed conversation: an error of one line, or a text within the limits.
#include <cstdint>
#include <nlohmann/json.hpp>

#include "base/check.h"
#include "base/utf8.h"
#include "jinja/template.h"

namespace {

const tetrad::Json& variables() {
  static const tetrad::Json kVariables = *tetrad::parse_json(R"({
    "messages": [{"role": "system", "content": "S"}, {"role": "user", "content": [{"type": "text", "text": "Grüße 北京"}]},
                 {"role": "assistant", "content": null, "tool_calls": [{"function": {"name": "f", "arguments": {"q": 1.5}}}]}],
    "tools": [{"type": "function", "function": {"name": "f", "parameters": {"type": "object", "properties": {}}}}],
    "add_generation_prompt": true, "l": [3, 1, 2], "s": "Hello, World", "n": null, "i": 7, "x": 2.5})",
                                                             "variables");
  return kVariables;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto parsed = tetrad::jinja::Template::parse({reinterpret_cast<const char*>(data), size}, "fuzz");
  if (!parsed) {
    TETRAD_CHECK(parsed.error().message.find('\n') == std::string::npos);
    return 0;
  }
  tetrad::jinja::RenderLimits limits;
  limits.output_bytes = 1 << 18;
  limits.value_bytes = 4 << 20;
  limits.steps = 100'000;
  limits.depth = 50;
  limits.clock = [] { return std::time_t{1'700'000'000}; };
  const auto text = parsed->render(variables(), limits);
  if (!text)
    TETRAD_CHECK(text.error().message.find('\n') == std::string::npos);
  else
    TETRAD_CHECK(text->size() <= limits.output_bytes && tetrad::is_valid_utf8(*text));
  return 0;
}
