// The filters, in three tables: text, numbers and sequences. Used by builtins.cpp only.
#pragma once

#include <span>
#include <string_view>
#include <utility>
#include <vector>

#include "jinja/runtime.h"
#include "jinja/text_methods.h"
#include "jinja/value.h"

namespace tetrad::jinja {

using FilterTable = std::span<const std::pair<std::string_view, Method>>;
FilterTable text_filters();
FilterTable sequence_filters();
FilterTable ordering_filters();  // sort, unique, min, max, groupby, dictsort, sum

// Jinja's attribute paths: "a.b.0" looks a, b and item 0 up, one in the other.
class AttributePath {
 public:
  // `attribute`: a str path, an int or None (the value itself).
  AttributePath(Runtime& runtime, const Value& attribute, Value fallback = Value(None{}));
  Value of(Runtime& runtime, Value item) const;

 private:
  std::vector<Value> parts_;
  Value fallback_;  // for undefined steps; None: leave them undefined
};

Value ignore_case(Runtime& runtime, const Value& value);
Value soft_text(Runtime& runtime, const Value& value);  // a str as it is, others converted

}  // namespace tetrad::jinja
