#include <algorithm>

#include "jinja/arguments.h"
#include "jinja/builtins.h"
#include "jinja/objects.h"
#include "jinja/print.h"
#include "jinja/text_methods.h"

namespace tetrad::jinja {
namespace {

template <std::size_t kCount>
bool one_of(std::string_view name, const std::string_view (&names)[kCount]) {
  return std::find(std::begin(names), std::end(names), name) != std::end(names);
}

// The others take positional arguments alone.
constexpr std::string_view kKeywordMethods[] = {"split", "rsplit", "splitlines", "format", "expandtabs"};

// Methods that change a list or dict exist, but the sandbox gives an Undefined that fails when it is used.
Value unsafe(const Value& self, std::string_view name) {
  return Value::undefined("access to attribute '" + std::string(name) + "' of '" + type_name(self) +
                          "' object is unsafe.");
}

Value dict_get(Runtime&, const Value& self, const Args& args) {
  const Bound bound("get", args, {"key", "default"}, 1);
  const Value* found = self.dict().find(bound.at(0));
  return found != nullptr ? *found : bound.value(1, Value(None{}));
}

template <DictView::Part kPart>
Value dict_view(Runtime&, const Value& self, const Args& args) {
  const Bound bound("keys", args, {});
  return Value(ObjectRef(std::make_shared<DictView>(self.dict_ref(), kPart)));
}

Value copy(Runtime& runtime, const Value& self, const Args& args) {
  const Bound bound("copy", args, {});
  return self.is_list() ? runtime.list(self.list().items) : self;
}

Value list_count(Runtime&, const Value& self, const Args& args) {
  const Bound bound("count", args, {"value"}, 1);
  const auto& items = self.list().items;
  return static_cast<std::size_t>(
      std::count_if(items.begin(), items.end(), [&](const Value& v) { return equal(v, bound.at(0)); }));
}

Value list_index(Runtime&, const Value& self, const Args& args) {
  const Bound bound("index", args, {"value", "start", "stop"}, 1);
  const auto& items = self.list().items;
  const Int size = static_cast<Int>(items.size());
  auto clamp = [&](Int at) { return std::clamp(at < 0 ? at + size : at, Int{0}, size); };
  const Int end = clamp(bound.integer(2, size));
  for (Int i = clamp(bound.integer(1, 0)); i < end; ++i)
    if (equal(items[static_cast<std::size_t>(i)], bound.at(0))) return i;
  fail(repr(bound.at(0)) + " is not in list");
}

Value bind_method(std::string_view name, Method method, const Value& self) {
  auto body = [method, self, name = std::string(name)](Runtime& runtime, const Args& args) {
    if (!args.keyword.empty() && !one_of(name, kKeywordMethods)) fail(name + "() takes no keyword arguments");
    runtime.step_through(self);
    return method(runtime, self, args);
  };
  return Value(ObjectRef(std::make_shared<Function>(std::string(name), std::move(body), self.depth() + 1)));
}

std::optional<Value> dict_attribute(const Value& self, std::string_view name) {
  static constexpr std::string_view kUnsafe[] = {"clear", "pop", "popitem", "setdefault", "update"};
  if (name == "get") return bind_method(name, dict_get, self);
  if (name == "items") return bind_method(name, dict_view<DictView::Part::kItems>, self);
  if (name == "keys") return bind_method(name, dict_view<DictView::Part::kKeys>, self);
  if (name == "values") return bind_method(name, dict_view<DictView::Part::kValues>, self);
  if (name == "copy") return bind_method(name, copy, self);
  if (name == "fromkeys")
    return bind_method(
        name, [](Runtime&, const Value&, const Args&) -> Value { fail("dict.fromkeys is not supported"); }, self);
  if (one_of(name, kUnsafe)) return unsafe(self, name);
  return std::nullopt;
}

std::optional<Value> list_attribute(const Value& self, std::string_view name) {
  static constexpr std::string_view kUnsafe[] = {"append", "clear", "pop",    "reverse",
                                                 "insert", "sort",  "extend", "remove"};
  if (name == "count") return bind_method(name, list_count, self);
  if (name == "index") return bind_method(name, list_index, self);
  if (self.list().group && name == "grouper") return self.list().items[0];
  if (self.list().group && name == "list") return self.list().items[1];
  if (self.is_tuple()) return std::nullopt;
  if (name == "copy") return bind_method(name, copy, self);
  if (one_of(name, kUnsafe)) return unsafe(self, name);
  return std::nullopt;
}

std::optional<Value> number_attribute(const Value& self, std::string_view name) {
  if (name == "real") return self.is_float() ? self : Value(self.integer());
  if (name == "imag") return self.is_float() ? Value(0.0) : Value(0);
  if (name == "numerator" && !self.is_float()) return Value(self.integer());
  if (name == "denominator" && !self.is_float()) return Value(1);
  static constexpr std::string_view kMethods[] = {"bit_length", "as_integer_ratio", "conjugate",  "to_bytes",
                                                  "from_bytes", "bit_count",        "is_integer", "hex",
                                                  "fromhex"};
  if (one_of(name, kMethods))
    return bind_method(
        name, [](Runtime&, const Value&, const Args&) -> Value { fail("methods of numbers are not supported"); }, self);
  return std::nullopt;
}

}  // namespace

std::optional<Value> attribute_of(Runtime& runtime, const Value& value, std::string_view name) {
  if (value.is_string()) {
    if (const Method method = find_text_method(name)) return bind_method(name, method, value);
    return std::nullopt;
  }
  if (value.is_dict()) return dict_attribute(value, name);
  if (value.is_sequence()) return list_attribute(value, name);
  if (value.is_number()) return number_attribute(value, name);
  return value.is_object() ? value.object().attribute(runtime, name) : std::nullopt;
}

}  // namespace tetrad::jinja
