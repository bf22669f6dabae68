#include <algorithm>

#include "jinja/arguments.h"
#include "jinja/builtins.h"
#include "jinja/filters.h"
#include "jinja/objects.h"
#include "jinja/operators.h"
#include "jinja/print.h"
#include "jinja/text_split.h"
#include "jinja/unicode.h"

namespace tetrad::jinja {

AttributePath::AttributePath(Runtime& runtime, const Value& attribute, Value fallback)
    : fallback_(std::move(fallback)) {
  if (attribute.is_none()) return;
  if (!attribute.is_string()) {
    parts_.push_back(attribute);
    return;
  }
  for (const auto part : split_text(attribute.text(), ".", -1, false)) {
    const bool digits =
        !part.empty() && std::all_of(part.begin(), part.end(), [](char c) { return c >= '0' && c <= '9'; });
    parts_.push_back(digits ? Value(parse_int(part, 10).value_or(0)) : runtime.text(std::string(part)));
  }
}

Value AttributePath::of(Runtime& runtime, Value item) const {
  for (const Value& part : parts_) {
    item = get_item(runtime, item, part);
    if (item.is_undefined() && !fallback_.is_none()) item = fallback_;
  }
  return item;
}

namespace {

Value default_value(Runtime& runtime, const Value& value, const Args& args) {
  const Bound bound("default", args, {"default_value", "boolean"});
  if (!value.is_undefined() && !(bound.flag(1, false) && !truth(value))) return value;
  return bound.has(0) ? bound.at(0) : runtime.text({});
}

Value length(Runtime&, const Value& value, const Args& args) {
  const Bound bound("length", args, {});
  const auto count = length_of(value);
  if (!count) fail("object of type '" + type_name(value) + "' has no len()");
  return *count;
}

Value join(Runtime& runtime, const Value& value, const Args& args) {
  const Bound bound("join", args, {"d", "attribute"});
  std::vector<Value> items = collect(runtime, value);
  if (!bound.is_none(1)) {
    const AttributePath path(runtime, bound.at(1));
    for (Value& item : items) item = path.of(runtime, item);
  }
  const Str separator(bound.has(0) ? str(bound.at(0)) : std::string(), false, nullptr);
  return runtime.text(join_text(runtime, separator, items, true));
}

Value list(Runtime& runtime, const Value& value, const Args& args) {
  const Bound bound("list", args, {});
  return runtime.list(collect(runtime, value));
}

Value first(Runtime& runtime, const Value& value, const Args& args) {
  const Bound bound("first", args, {});
  auto item = iterate(runtime, value)();
  return item ? *item : Value::undefined("No first item, sequence was empty.");
}

bool is_reversible(const Value& value) {
  if (value.is_string() || value.is_sequence() || value.is_dict()) return true;
  if (value.is_undefined() || !value.is_object()) return value.is_undefined();
  return value.object().kind() == ObjectKind::kRange || value.object().kind() == ObjectKind::kView;
}

Value last(Runtime& runtime, const Value& value, const Args& args) {
  const Bound bound("last", args, {});
  if (value.is_undefined()) fail(value.undefined_message());
  if (!is_reversible(value)) fail("'" + type_name(value) + "' object is not reversible");
  if (value.is_sequence()) {
    const auto& items = value.list().items;
    return items.empty() ? Value::undefined("No last item, sequence was empty.") : items.back();
  }
  const auto items = collect(runtime, value);
  return items.empty() ? Value::undefined("No last item, sequence was empty.") : items.back();
}

Value iterator_over(std::string type, std::vector<Value> items, int depth) {
  auto shared = std::make_shared<const std::vector<Value>>(std::move(items));
  return make_iterator(
      std::move(type),
      [shared, i = std::size_t{0}]() mutable -> std::optional<Value> {
        return i < shared->size() ? std::optional<Value>((*shared)[i++]) : std::nullopt;
      },
      depth);
}

Value reverse(Runtime& runtime, const Value& value, const Args& args) {
  const Bound bound("reverse", args, {});
  if (value.is_undefined()) fail(value.undefined_message());
  if (value.is_string()) return slice(runtime, value, Value(None{}), Value(None{}), Value(-1));
  if (!is_iterable(value)) fail("argument must be iterable");
  std::vector<Value> items = collect(runtime, value);
  std::reverse(items.begin(), items.end());
  if (!is_reversible(value)) return runtime.list(std::move(items));
  const std::string type = value.is_list()   ? "list_reverseiterator"
                           : value.is_dict() ? "dict_reversekeyiterator"
                                             : "reversed";
  return iterator_over(type, std::move(items), value.depth() / 2 + 1);
}

Value items(Runtime& runtime, const Value& value, const Args& args) {
  const Bound bound("items", args, {});
  if (value.is_undefined()) return iterator_over("generator", {}, 1);
  if (!value.is_dict()) {
    // The generator raises when it is walked through, not when it is made.
    return make_iterator(
        "generator", []() -> std::optional<Value> { fail("Can only get item pairs from a mapping."); }, 1);
  }
  std::vector<Value> pairs;
  for (const auto& [key, item] : value.dict().items) pairs.push_back(runtime.tuple({key, item}));
  return iterator_over("generator", std::move(pairs), 1);
}

int iterator_depth(const Value& value) {
  return value.is_object() && value.object().kind() == ObjectKind::kIterator ? value.depth() + 1 : 1;
}

Next empty_walk() {
  return [] { return std::optional<Value>(); };
}

Args without_front(const Args& args, std::size_t count) {
  Args rest = args;
  rest.positional.erase(rest.positional.begin(),
                        rest.positional.begin() + static_cast<std::ptrdiff_t>(std::min(count, rest.positional.size())));
  return rest;
}

// What map does with one item: a filter by name, or an attribute path.
std::function<Value(const Value&)> map_function(Runtime& runtime, const Args& args) {
  if (args.positional.empty() && !args.keyword.empty()) {
    const Bound bound("map", args, {"attribute", "default"}, 1);
    auto path = std::make_shared<const AttributePath>(runtime, bound.at(0), bound.value(1, Value(None{})));
    return [&runtime, path](const Value& item) { return path->of(runtime, item); };
  }
  if (args.positional.empty()) fail("map requires a filter argument");
  if (!args.positional[0].is_string()) fail("No filter named " + repr(args.positional[0]));
  const std::string name = args.positional[0].text();
  return [&runtime, name, rest = without_front(args, 1)](const Value& item) {
    return call_filter(runtime, name, item, rest);
  };
}

Value map(Runtime& runtime, const Value& value, const Args& args) {
  if (!truth(value)) return make_iterator("generator", empty_walk(), 1);
  // As a generator: nothing happens, and nothing fails, before the first item is asked for.
  auto state = std::make_shared<std::pair<Next, std::function<Value(const Value&)>>>();
  return make_iterator(
      "generator",
      [&runtime, value, args, state]() -> std::optional<Value> {
        if (!state->first) {
          state->second = map_function(runtime, args);
          state->first = iterate(runtime, value);
        }
        auto item = state->first();
        if (!item) return std::nullopt;
        return state->second(*item);
      },
      iterator_depth(value));
}

std::function<bool(const Value&)> select_function(Runtime& runtime, const Args& args, bool by_attribute) {
  std::shared_ptr<const AttributePath> path;
  if (by_attribute) {
    if (args.positional.empty()) fail("Missing parameter for attribute name");
    path = std::make_shared<const AttributePath>(runtime, args.positional[0]);
  }
  const std::size_t offset = by_attribute ? 1 : 0;
  auto target = [&runtime, path](const Value& item) { return path != nullptr ? path->of(runtime, item) : item; };
  if (args.positional.size() <= offset) return [target](const Value& item) { return truth(target(item)); };
  if (!args.positional[offset].is_string()) fail("No test named " + repr(args.positional[offset]));
  const std::string name = args.positional[offset].text();
  return [&runtime, target, name, rest = without_front(args, offset + 1)](const Value& item) {
    return call_test(runtime, name, target(item), rest);
  };
}

template <bool kKeep, bool kByAttribute>
Value select(Runtime& runtime, const Value& value, const Args& args) {
  if (!truth(value)) return make_iterator("generator", empty_walk(), 1);
  auto state = std::make_shared<std::pair<Next, std::function<bool(const Value&)>>>();
  return make_iterator(
      "generator",
      [&runtime, value, args, state]() -> std::optional<Value> {
        if (!state->first) {
          state->second = select_function(runtime, args, kByAttribute);
          state->first = iterate(runtime, value);
        }
        while (auto item = state->first())
          if (state->second(*item) == kKeep) return item;
        return std::nullopt;
      },
      iterator_depth(value));
}

Value batch(Runtime& runtime, const Value& value, const Args& args) {
  const Bound bound("batch", args, {"linecount", "fill_with"}, 1);
  const Int count = bound.integer(0, 1);
  std::vector<Value> rows, row;
  for (Value& item : collect(runtime, value)) {
    if (static_cast<Int>(row.size()) == count) rows.push_back(runtime.list(std::exchange(row, {})));
    row.push_back(std::move(item));
  }
  if (!row.empty()) {
    if (!bound.is_none(1) && count > 0 && static_cast<Int>(row.size()) < count) {
      runtime.expect_bytes(static_cast<std::size_t>(std::min(count, Int{1} << 40)), sizeof(Value));
      row.resize(static_cast<std::size_t>(count), bound.at(1));
    }
    rows.push_back(runtime.list(std::move(row)));
  }
  return iterator_over("generator", std::move(rows), 1);
}

Value slices(Runtime& runtime, const Value& value, const Args& args) {
  const Bound bound("slice", args, {"slices", "fill_with"}, 1);
  const Int count = bound.integer(0, 1);
  if (count == 0) fail("integer division or modulo by zero");
  const auto source = collect(runtime, value);
  std::vector<Value> columns;
  if (count > 0) runtime.expect_bytes(static_cast<std::size_t>(std::min(count, Int{1} << 40)), 200);
  const Int size = static_cast<Int>(source.size()), each = count > 0 ? size / count : 0,
            extra = count > 0 ? size % count : 0;
  Int at = 0;
  for (Int i = 0; i < count; ++i) {
    runtime.step();
    const Int end = at + each + (i < extra ? 1 : 0);
    std::vector<Value> column(source.begin() + static_cast<std::ptrdiff_t>(at),
                              source.begin() + static_cast<std::ptrdiff_t>(end));
    if (!bound.is_none(1) && i >= extra) column.push_back(bound.at(1));
    columns.push_back(runtime.list(std::move(column)));
    at = end;
  }
  return iterator_over("generator", std::move(columns), 1);
}

Value attr(Runtime& runtime, const Value& value, const Args& args) {
  const Bound bound("attr", args, {"name"}, 1);
  const std::string& name = bound.text(0);
  if (value.is_undefined()) fail(value.undefined_message());
  if (auto found = name.starts_with("_") ? std::nullopt : attribute_of(runtime, value, name)) return *found;
  return Value::undefined("'" + type_name(value) + " object' has no attribute '" + name + "'");
}

constexpr std::pair<std::string_view, Method> kSequenceFilters[] = {
    {"default", default_value},
    {"d", default_value},
    {"length", length},
    {"count", length},
    {"join", join},
    {"list", list},
    {"first", first},
    {"last", last},
    {"reverse", reverse},
    {"items", items},
    {"map", map},
    {"select", select<true, false>},
    {"reject", select<false, false>},
    {"selectattr", select<true, true>},
    {"rejectattr", select<false, true>},
    {"batch", batch},
    {"slice", slices},
    {"attr", attr},
};

}  // namespace

FilterTable sequence_filters() { return kSequenceFilters; }

}  // namespace tetrad::jinja
