// Jinja2 templates as chat templates use them: parse once, render for each conversation. Used by chat/ and by the
// command line.
//
// The language and its results are those of Jinja2 3.1.6 in the environment that transformers makes for chat templates:
// ImmutableSandboxedEnvironment(trim_blocks, lstrip_blocks), the tags break, continue and generation, its tojson
// (json.dumps, not HTML-safe), raise_exception and strftime_now. tools/compare_templates.py compares whole templates,
// tests/data/jinja/snippets.json has the language piece by piece. Not there: include, import, extends, autoescape; the
// filters filesizeformat, pprint, random, striptags, urlize, wordwrap and xmlattr; self and lipsum; encode, expandtabs,
// translate, maketrans, format_map and isidentifier of str and the methods of numbers; \N{...} in strings; complex
// numbers, and integers beyond 127 bits. Each is an error that says so. Objects without a text of their own (functions,
// generators) print without CPython's address.
//
// A Template is immutable; copies share the parsed form, and many threads may render it at once.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "base/error.h"
#include "base/json.h"
#include "jinja/limits.h"

namespace tetrad::jinja {

class Template {
 public:
  // `where` names the template in errors ("bad template: where:line: why"). The source must be UTF-8.
  static Result<Template> parse(std::string_view source, const std::string& where);

  // `variables` is an object: its keys are the variables of the template. Fails (kInvalidInput, one line) when the
  // template does, raise_exception included, whose text is the reason; and when it needs more than `limits` allows.
  Result<std::string> render(const Json& variables, const RenderLimits& limits = {}) const;

 private:
  struct Parsed;
  explicit Template(std::shared_ptr<const Parsed> parsed) : parsed_(std::move(parsed)) {}
  std::shared_ptr<const Parsed> parsed_;
};

}  // namespace tetrad::jinja
