#include "jinja/builtins.h"

#include <algorithm>

#include "jinja/arguments.h"
#include "jinja/filters.h"
#include "jinja/objects.h"
#include "jinja/operators.h"
#include "jinja/print.h"
#include "jinja/unicode.h"

namespace tetrad::jinja {
namespace {

Method find_filter(std::string_view name) {
  for (const FilterTable table : {text_filters(), sequence_filters(), ordering_filters()})
    for (const auto& [filter, method] : table)
      if (filter == name) return method;
  return nullptr;
}

// Filters of Jinja2 that exist but are not for chat templates.
bool is_unsupported_filter(std::string_view name) {
  static constexpr std::string_view kNames[] = {"filesizeformat", "pprint",   "random", "striptags",
                                                "urlize",         "wordwrap", "xmlattr"};
  return std::find(std::begin(kNames), std::end(kNames), name) != std::end(kNames);
}

using TestFunction = bool (*)(Runtime& runtime, const Value& value, const Args& args);

Value only_argument(const Args& args) { return Bound("test", args, {"other"}, 1).at(0); }

bool modulo_is(Runtime& runtime, const Value& value, const Value& divisor, Int rest) {
  return equal(apply(runtime, BinaryOp::kMod, value, divisor), Value(rest));
}

template <CompareOp kOp>
bool compared(Runtime& runtime, const Value& value, const Args& args) {
  return compare(runtime, kOp, value, only_argument(args));
}

bool is_callable(Runtime&, const Value& value, const Args&) {
  // An Undefined has __call__, so Python calls it callable.
  return value.is_undefined() || (value.is_object() && value.object().callable());
}

bool is_sequence(Runtime&, const Value& value, const Args&) {
  if (value.is_string() || value.is_sequence() || value.is_dict() || value.is_undefined()) return true;
  return value.is_object() && value.object().kind() == ObjectKind::kRange;
}

bool all_cased(Runtime& runtime, const Value& value, const char* method) {
  runtime.step_through(value);
  return find_text_method(method)(runtime, runtime.text(str(value)), {}).boolean();
}

struct NamedTest {
  std::string_view name;
  TestFunction function;
  bool alone = false;  // takes no argument
};

constexpr NamedTest kTests[] = {
    {"defined", [](Runtime&, const Value& v, const Args&) { return !v.is_undefined(); }, true},
    {"undefined", [](Runtime&, const Value& v, const Args&) { return v.is_undefined(); }, true},
    {"none", [](Runtime&, const Value& v, const Args&) { return v.is_none(); }, true},
    {"boolean", [](Runtime&, const Value& v, const Args&) { return v.is_bool(); }, true},
    {"true", [](Runtime&, const Value& v, const Args&) { return v.is_bool() && v.boolean(); }, true},
    {"false", [](Runtime&, const Value& v, const Args&) { return v.is_bool() && !v.boolean(); }, true},
    {"integer", [](Runtime&, const Value& v, const Args&) { return v.is_int(); }, true},
    {"float", [](Runtime&, const Value& v, const Args&) { return v.is_float(); }, true},
    {"number", [](Runtime&, const Value& v, const Args&) { return v.is_number(); }, true},
    {"string", [](Runtime&, const Value& v, const Args&) { return v.is_string(); }, true},
    {"mapping", [](Runtime&, const Value& v, const Args&) { return v.is_dict(); }, true},
    {"iterable", [](Runtime&, const Value& v, const Args&) { return is_iterable(v); }, true},
    {"sequence", is_sequence, true},
    {"callable", is_callable, true},
    {"escaped", [](Runtime&, const Value& v, const Args&) { return v.is_string() && v.str().markup; }, true},
    {"odd", [](Runtime& r, const Value& v, const Args&) { return modulo_is(r, v, Value(2), 1); }, true},
    {"even", [](Runtime& r, const Value& v, const Args&) { return modulo_is(r, v, Value(2), 0); }, true},
    {"divisibleby", [](Runtime& r, const Value& v,
                       const Args& a) { return modulo_is(r, v, Bound("divisibleby", a, {"num"}, 1).at(0), 0); }},
    {"sameas", [](Runtime&, const Value& v, const Args& a) { return v.same_as(only_argument(a)); }},
    {"in", [](Runtime& r, const Value& v, const Args& a) { return contains(r, Bound("in", a, {"seq"}, 1).at(0), v); }},
    {"upper", [](Runtime& r, const Value& v, const Args&) { return all_cased(r, v, "isupper"); }, true},
    {"lower", [](Runtime& r, const Value& v, const Args&) { return all_cased(r, v, "islower"); }, true},
    {"filter", [](Runtime&, const Value& v, const Args&) { return v.is_string() && is_filter(v.text()); }, true},
    {"test", [](Runtime&, const Value& v, const Args&) { return v.is_string() && is_test(v.text()); }, true},
    {"==", compared<CompareOp::kEq>},
    {"eq", compared<CompareOp::kEq>},
    {"equalto", compared<CompareOp::kEq>},
    {"!=", compared<CompareOp::kNe>},
    {"ne", compared<CompareOp::kNe>},
    {">", compared<CompareOp::kGt>},
    {"gt", compared<CompareOp::kGt>},
    {"greaterthan", compared<CompareOp::kGt>},
    {">=", compared<CompareOp::kGe>},
    {"ge", compared<CompareOp::kGe>},
    {"<", compared<CompareOp::kLt>},
    {"lt", compared<CompareOp::kLt>},
    {"lessthan", compared<CompareOp::kLt>},
    {"<=", compared<CompareOp::kLe>},
    {"le", compared<CompareOp::kLe>},
};

const NamedTest* find_test(std::string_view name) {
  const auto* found =
      std::find_if(std::begin(kTests), std::end(kTests), [&](const NamedTest& row) { return row.name == name; });
  return found == std::end(kTests) ? nullptr : found;
}

}  // namespace

bool is_filter(std::string_view name) { return find_filter(name) != nullptr || is_unsupported_filter(name); }
bool is_test(std::string_view name) { return find_test(name) != nullptr; }

Value call_filter(Runtime& runtime, std::string_view name, const Value& value, const Args& args) {
  runtime.step();
  runtime.step_through(value);
  if (const Method filter = find_filter(name)) return filter(runtime, value, args);
  if (is_unsupported_filter(name))
    throw Fault{"the filter '" + std::string(name) + "' is not supported", 0, ErrorCode::kUnsupported};
  fail("No filter named '" + std::string(name) + "'");
}

bool call_test(Runtime& runtime, std::string_view name, const Value& value, const Args& args) {
  runtime.step();
  const NamedTest* test = find_test(name);
  if (test == nullptr) fail("No test named '" + std::string(name) + "'");
  if (test->alone && (!args.positional.empty() || !args.keyword.empty()))
    fail("test_" + std::string(name) + "() takes 1 positional argument but more were given");
  return test->function(runtime, value, args);
}

}  // namespace tetrad::jinja
