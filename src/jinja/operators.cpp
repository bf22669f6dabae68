#include "jinja/operators.h"

#include <algorithm>
#include <cmath>

#include "base/utf8.h"
#include "jinja/builtins.h"
#include "jinja/objects.h"
#include "jinja/print.h"
#include "jinja/text_search.h"
#include "jinja/unicode.h"

namespace tetrad::jinja {
namespace {

const char* symbol_of(BinaryOp op) {
  static constexpr const char* kSymbols[] = {"+", "-", "*", "/", "//", "%", "** or pow()"};
  return kSymbols[static_cast<int>(op)];
}

[[noreturn]] void unsupported_operands(BinaryOp op, const Value& a, const Value& b) {
  fail(std::string("unsupported operand type(s) for ") + symbol_of(op) + ": '" + type_name(a) + "' and '" +
       type_name(b) + "'");
}

[[noreturn]] void overflow() { fail("integers beyond 127 bits are not supported"); }

Int floor_divide(Int a, Int b) {
  if (b == 0) fail("integer division or modulo by zero");
  const Int quotient = a / b;
  return (a % b != 0 && (a < 0) != (b < 0)) ? quotient - 1 : quotient;
}

Int int_power(Int base, Int exponent) {
  Int result = 1;
  while (exponent > 0) {
    if ((exponent & 1) != 0 && __builtin_mul_overflow(result, base, &result)) overflow();
    exponent >>= 1;
    if (exponent > 0 && __builtin_mul_overflow(base, base, &base)) overflow();
  }
  return result;
}

// As Python's: the sign of b.
Int floor_modulo(Int a, Int b) {
  if (b == 0) fail("integer division or modulo by zero");
  const Int rest = b == -1 ? 0 : a % b;
  return rest != 0 && (rest < 0) != (b < 0) ? rest + b : rest;
}

// -2**127 exists in an Int but has no negative, so it is beyond the range as well.
Value in_range(bool overflown, const Int* result) {
  constexpr Int kLowest = -(Int{1} << 126) * 2;
  if (overflown || *result == kLowest) overflow();
  return *result;
}

Value apply_ints(BinaryOp op, Int a, Int b) {
  Int result = 0;
  switch (op) {
    case BinaryOp::kAdd:
      return in_range(__builtin_add_overflow(a, b, &result), &result);
    case BinaryOp::kSub:
      return in_range(__builtin_sub_overflow(a, b, &result), &result);
    case BinaryOp::kMul:
      return in_range(__builtin_mul_overflow(a, b, &result), &result);
    case BinaryOp::kDiv:
      if (b == 0) fail("division by zero");
      return static_cast<double>(a) / static_cast<double>(b);
    case BinaryOp::kFloorDiv:
      if (b == -1) return apply_ints(BinaryOp::kSub, 0, a);
      return floor_divide(a, b);
    case BinaryOp::kMod:
      return floor_modulo(a, b);
    case BinaryOp::kPow:
      if (b >= 0) {
        result = int_power(a, b);
        return in_range(false, &result);
      }
      if (a == 0) fail("0.0 cannot be raised to a negative power");
      return std::pow(static_cast<double>(a), static_cast<double>(b));
  }
  return result;
}

double float_modulo(double a, double b) {
  if (b == 0) fail("float modulo by zero");
  double rest = std::fmod(a, b);
  if (rest != 0 && (b < 0) != (rest < 0)) rest += b;
  return rest == 0 ? std::copysign(0.0, b) : rest;
}

double float_floor_divide(double a, double b) {
  if (b == 0) fail("float floor division by zero");
  const double rest = float_modulo(a, b);
  const double quotient = (a - rest) / b;
  double whole = std::floor(quotient);
  if (quotient - whole > 0.5) whole += 1;
  return quotient == 0 ? std::copysign(0.0, a / b) : whole;
}

Value apply_floats(BinaryOp op, double a, double b) {
  switch (op) {
    case BinaryOp::kAdd:
      return a + b;
    case BinaryOp::kSub:
      return a - b;
    case BinaryOp::kMul:
      return a * b;
    case BinaryOp::kDiv:
      if (b == 0) fail("float division by zero");
      return a / b;
    case BinaryOp::kFloorDiv:
      return float_floor_divide(a, b);
    case BinaryOp::kMod:
      return float_modulo(a, b);
    case BinaryOp::kPow:
      break;
  }
  if (a == 0 && b < 0) fail("0.0 cannot be raised to a negative power");
  if (a < 0 && b != std::floor(b)) fail("complex numbers are not supported");
  const double result = std::pow(a, b);
  if (std::isinf(result) && !std::isinf(a) && !std::isinf(b)) fail("(34, 'Numerical result out of range')");
  return result;
}

Value add_text(Runtime& runtime, const Str& a, const Str& b) {
  runtime.expect_bytes(a.text.size() + b.text.size(), 1);
  if (a.markup == b.markup) return runtime.text(a.text + b.text, a.markup);
  return runtime.text((a.markup ? a.text : escape_html(a.text)) + (b.markup ? b.text : escape_html(b.text)), true);
}

Value add_lists(Runtime& runtime, const Value& a, const Value& b) {
  runtime.expect_bytes(a.list().items.size() + b.list().items.size(), sizeof(Value));
  std::vector<Value> items = a.list().items;
  items.insert(items.end(), b.list().items.begin(), b.list().items.end());
  return a.is_tuple() ? runtime.tuple(std::move(items)) : runtime.list(std::move(items));
}

Value repeat(Runtime& runtime, const Value& value, Int count) {
  constexpr Int kMany = Int{1} << 40;
  const auto times = static_cast<std::size_t>(std::clamp(count, Int{0}, kMany));
  if (value.is_string()) {
    if (value.text().empty() || times == 0) return runtime.text({}, value.str().markup);
    runtime.expect_bytes(times, value.text().size());
    std::string out;
    out.reserve(times * value.text().size());
    for (std::size_t i = 0; i < times; ++i) out += value.text();
    return runtime.text(std::move(out), value.str().markup);
  }
  std::vector<Value> items;
  const auto& source = value.list().items;
  if (!source.empty()) {
    runtime.expect_bytes(times, source.size() * sizeof(Value));
    for (std::size_t i = 0; i < times; ++i) items.insert(items.end(), source.begin(), source.end());
  }
  return value.is_tuple() ? runtime.tuple(std::move(items)) : runtime.list(std::move(items));
}

bool is_repeatable(const Value& value) { return value.is_string() || value.is_sequence(); }

bool less_sequences(const List& a, const List& b) {
  const std::size_t common = std::min(a.items.size(), b.items.size());
  for (std::size_t i = 0; i < common; ++i)
    if (!equal(a.items[i], b.items[i])) return less(a.items[i], b.items[i]);
  return a.items.size() < b.items.size();
}

}  // namespace

std::string escape_html(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (const char c : text) {
    switch (c) {
      case '&':
        out += "&amp;";
        break;
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '\'':
        out += "&#39;";
        break;
      case '"':
        out += "&#34;";
        break;
      default:
        out += c;
    }
  }
  return out;
}

Value apply(Runtime& runtime, BinaryOp op, const Value& a, const Value& b) {
  runtime.step();
  if (a.is_string() && op == BinaryOp::kMod) runtime.step_through(a);
  if (a.is_string() && op == BinaryOp::kMod) return runtime.text(percent_format(runtime, a.str(), b), a.str().markup);
  if (a.is_undefined()) fail(a.undefined_message());
  if (b.is_undefined()) fail(b.undefined_message());
  if (a.is_integral() && b.is_integral()) return apply_ints(op, a.integer(), b.integer());
  if (a.is_number() && b.is_number()) return apply_floats(op, a.real(), b.real());
  if (op == BinaryOp::kAdd && a.is_string() && b.is_string()) return add_text(runtime, a.str(), b.str());
  if (op == BinaryOp::kAdd && a.is_sequence() && b.is_sequence() && a.list().tuple == b.list().tuple)
    return add_lists(runtime, a, b);
  if (op == BinaryOp::kMul && is_repeatable(a) && b.is_integral()) return repeat(runtime, a, b.integer());
  if (op == BinaryOp::kMul && a.is_integral() && is_repeatable(b)) return repeat(runtime, b, a.integer());
  if (op == BinaryOp::kAdd && a.is_string()) fail("can only concatenate str (not \"" + type_name(b) + "\") to str");
  unsupported_operands(op, a, b);
}

Value negative(const Value& value) {
  if (value.is_undefined()) fail(value.undefined_message());
  if (value.is_float()) return -value.real();
  if (value.is_integral()) return apply_ints(BinaryOp::kSub, 0, value.integer());
  fail("bad operand type for unary -: '" + type_name(value) + "'");
}

Value positive(const Value& value) {
  if (value.is_undefined()) fail(value.undefined_message());
  if (value.is_float()) return value;
  if (value.is_integral()) return value.integer();
  fail("bad operand type for unary +: '" + type_name(value) + "'");
}

bool less(const Value& a, const Value& b, const char* symbol) {
  if (a.is_undefined()) fail(a.undefined_message());
  if (b.is_undefined()) fail(b.undefined_message());
  if (a.is_integral() && b.is_integral()) return a.integer() < b.integer();
  if (a.is_number() && b.is_number()) return a.real() < b.real();
  charge_comparison(a, b);
  if (a.is_string() && b.is_string()) return a.text() < b.text();  // UTF-8 orders as code points do
  if (a.is_sequence() && b.is_sequence() && a.list().tuple == b.list().tuple) return less_sequences(a.list(), b.list());
  fail(std::string("'") + symbol + "' not supported between instances of '" + type_name(a) + "' and '" + type_name(b) +
       "'");
}

bool contains(Runtime& runtime, const Value& container, const Value& item) {
  runtime.step();
  if (container.is_string()) {
    if (!item.is_string()) fail("'in <string>' requires string as left operand, not " + type_name(item));
    runtime.step(container.text().size() / 256);
    return find_text(container.text(), item.text()) != std::string_view::npos;
  }
  if (container.is_dict()) return container.dict().find(item) != nullptr;
  if (!is_iterable(container)) fail("argument of type '" + type_name(container) + "' is not iterable");
  const Next next = iterate(runtime, container);
  while (const auto candidate = next())
    if (equal(*candidate, item)) return true;
  return false;
}

namespace {

// The comparisons <= >= of floats differ from negated < for NaN.
bool less_or_equal(const Value& a, const Value& b, const char* symbol) {
  if (a.is_number() && b.is_number()) return less(a, b) || equal(a, b);
  return !less(b, a, symbol);
}

}  // namespace

bool compare(Runtime& runtime, CompareOp op, const Value& a, const Value& b) {
  runtime.step();
  switch (op) {
    case CompareOp::kEq:
      return equal(a, b);
    case CompareOp::kNe:
      return !equal(a, b);
    case CompareOp::kLt:
      return less(a, b, "<");
    case CompareOp::kGt:
      return less(b, a, ">");
    case CompareOp::kLe:
      return less_or_equal(a, b, "<=");
    case CompareOp::kGe:
      return less_or_equal(b, a, ">=");
    case CompareOp::kIn:
      return contains(runtime, b, a);
    case CompareOp::kNotIn:
      return !contains(runtime, b, a);
  }
  return false;
}

namespace {

// Position in a sequence of `size` items; nothing outside of it.
std::optional<std::size_t> index_in(Int index, std::size_t size) {
  const Int count = static_cast<Int>(size);
  if (index < 0) index += count;
  if (index < 0 || index >= count) return std::nullopt;
  return static_cast<std::size_t>(index);
}

Value character_at(Runtime& runtime, const Str& text, std::size_t index) {
  if (text.ascii()) return runtime.text(text.text.substr(index, 1), text.markup);
  runtime.step(index / 64);
  const std::size_t begin = byte_offset(text.text, index);
  return runtime.text(text.text.substr(begin, utf8_sequence_length(std::string_view(text.text).substr(begin))),
                      text.markup);
}

// value[key] alone; nothing where Python raises TypeError or LookupError.
std::optional<Value> subscript(Runtime& runtime, const Value& value, const Value& key) {
  if (value.is_dict()) {
    if (key.is_sequence() ? !key.is_tuple() : key.is_dict()) return std::nullopt;
    const Value* found = value.dict().find(key);
    return found == nullptr ? std::nullopt : std::optional<Value>(*found);
  }
  if (!key.is_integral()) return std::nullopt;
  if (value.is_string()) {
    const auto at = index_in(key.integer(), value.str().length);
    return at ? std::optional<Value>(character_at(runtime, value.str(), *at)) : std::nullopt;
  }
  if (value.is_sequence()) {
    const auto at = index_in(key.integer(), value.list().items.size());
    return at ? std::optional<Value>(value.list().items[*at]) : std::nullopt;
  }
  if (value.is_object() && value.object().kind() == ObjectKind::kRange) {
    const auto& range = static_cast<const Range&>(value.object());
    const auto at = index_in(key.integer(), *range.length());
    return at ? std::optional<Value>(Value(range.at(static_cast<Int>(*at)))) : std::nullopt;
  }
  return std::nullopt;
}

Value missing(const Value& value, const Value& key) {
  const std::string owner = value.is_none() ? "None" : type_name(value) + " object";
  if (!key.is_string()) return Value::undefined(owner + " has no element " + repr(key));
  return Value::undefined("'" + owner + "' has no attribute " + repr(key));
}

}  // namespace

Value get_attribute(Runtime& runtime, const Value& value, const std::string& name) {
  runtime.step();
  if (value.is_undefined()) fail(value.undefined_message());
  if (name.starts_with("__"))
    return Value::undefined("access to attribute '" + name + "' of '" + type_name(value) + "' object is unsafe.");
  if (auto found = attribute_of(runtime, value, name)) return *found;
  if (value.is_dict())
    if (const Value* found = value.dict().find(name)) return *found;
  return Value::undefined("'" + (value.is_none() ? "None" : type_name(value) + " object") + "' has no attribute '" +
                          name + "'");
}

Value get_item(Runtime& runtime, const Value& value, const Value& key) {
  runtime.step();
  if (value.is_undefined()) fail(value.undefined_message());
  if (auto found = subscript(runtime, value, key)) return *found;
  if (key.is_string()) {
    if (key.text().starts_with("__"))
      return Value::undefined("access to attribute '" + key.text() + "' of '" + type_name(value) +
                              "' object is unsafe.");
    if (auto found = attribute_of(runtime, value, key.text())) return *found;
  }
  return missing(value, key);
}

Value slice(Runtime& runtime, const Value& value, const Value& begin, const Value& end, const Value& step) {
  if (value.is_undefined()) fail(value.undefined_message());
  const bool is_range = value.is_object() && value.object().kind() == ObjectKind::kRange;
  if (value.is_dict()) fail("unhashable type: 'slice'");
  if (!value.is_string() && !value.is_sequence() && !is_range)
    fail("'" + type_name(value) + "' object is not subscriptable");
  for (const Value* part : {&begin, &end, &step})
    if (!part->is_none() && !part->is_integral())
      fail("slice indices must be integers or None or have an __index__ method");
  const Int count = static_cast<Int>(*length_of(value));
  const Int stride = std::clamp(step.is_none() ? Int{1} : step.integer(), -count - 1, count + 1);
  if (stride == 0 || (!step.is_none() && step.integer() == 0)) fail("slice step cannot be zero");
  const Int low = stride < 0 ? -1 : 0, high = stride < 0 ? count - 1 : count;
  auto position = [&](const Value& part, Int fallback) {
    if (part.is_none()) return fallback;
    const Int at = std::clamp(part.integer(), -count - 1, count + 1);
    return std::clamp(at < 0 ? at + count : at, low, high);
  };
  const Int from = position(begin, stride < 0 ? high : low), to = position(end, stride < 0 ? low : high);
  if (is_range) {
    const auto& range = static_cast<const Range&>(value.object());
    return Value(ObjectRef(std::make_shared<Range>(range.at(from), range.at(to), range.step() * stride)));
  }
  if (value.is_string() && stride == 1) {
    const std::string& text = value.text();
    const bool ascii = value.str().ascii();
    const auto first = ascii ? static_cast<std::size_t>(from) : byte_offset(text, static_cast<std::size_t>(from));
    const auto last = ascii ? static_cast<std::size_t>(to) : byte_offset(text, static_cast<std::size_t>(to));
    runtime.step(last / 64);
    return runtime.text(first < last ? text.substr(first, last - first) : std::string(), value.str().markup);
  }
  std::vector<Value> items;
  const std::vector<Value> source = value.is_string() ? characters(runtime, value.str()) : value.list().items;
  for (Int i = from; stride > 0 ? i < to : i > to; i += stride) items.push_back(source[static_cast<std::size_t>(i)]);
  if (!value.is_string()) return value.is_tuple() ? runtime.tuple(std::move(items)) : runtime.list(std::move(items));
  std::string out;
  for (const Value& item : items) out += item.text();
  return runtime.text(std::move(out), value.str().markup);
}

}  // namespace tetrad::jinja
