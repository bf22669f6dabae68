// Fields of formatted text: what str % and str.format do with one value and its width, precision and type.
#pragma once

#include <string>

#include "jinja/runtime.h"
#include "jinja/value.h"

namespace tetrad::jinja {

struct FormatSpec {
  std::string fill = " ";
  char align = '\0';  // < > ^ =
  char sign = '-';    // + - or space
  bool alternate = false;
  std::size_t width = 0;
  int precision = -1;
  char comma = '\0';  // , or _ between groups of three digits
  char type = '\0';
};

// A number by one of the types d i u x X o b c e E f F g G n %; `type` '\0' is Python's own text of it.
std::string format_number(Runtime& runtime, const Value& value, const FormatSpec& spec);
// Text cut to the precision and filled to the width.
std::string format_text(Runtime& runtime, const std::string& text, const FormatSpec& spec, char default_align);
// Python's format(value, spec).
std::string format_value(Runtime& runtime, const Value& value, const std::string& spec);

}  // namespace tetrad::jinja
