#include "jinja/objects.h"

#include "base/utf8.h"
#include "jinja/print.h"

namespace tetrad::jinja {

std::optional<Value> Namespace::attribute(Runtime&, std::string_view name) {
  if (attributes_ == nullptr) return std::nullopt;
  const Value* found = attributes_->find(name);
  return found == nullptr ? std::nullopt : std::optional<Value>(*found);
}

void Namespace::set(Value name, Value value) {
  if (name.is_string() && name.text().starts_with("_"))
    fail("chat templates cannot store underscore-prefixed attributes on a namespace, but got " + repr(name));
  attributes_->set(std::move(name), std::move(value));
}

Range::Range(Int start, Int stop, Int step)
    : Object(ObjectKind::kRange), start_(start), stop_(stop), step_(step), count_(0) {
  constexpr Int kFar = Int{1} << 100;  // keeps the arithmetic below from overflowing
  constexpr Int kMaxItems = 100'000;   // jinja2.sandbox.MAX_RANGE
  if (step == 0) fail("range() arg 3 must not be zero");
  if (start > kFar || start < -kFar || stop > kFar || stop < -kFar || step > kFar || step < -kFar)
    fail("range() arguments are too large");
  if (step > 0 && start < stop) count_ = (stop - start - 1) / step + 1;
  if (step < 0 && start > stop) count_ = (start - stop - 1) / -step + 1;
  if (count_ > kMaxItems) fail("Range too big. The sandbox blocks ranges larger than MAX_RANGE (100000)");
}

std::string DictView::type_name() const {
  return part_ == Part::kKeys ? "dict_keys" : part_ == Part::kValues ? "dict_values" : "dict_items";
}

Value DictView::at(Runtime& runtime, std::size_t index) const {
  const auto& [key, value] = dict_->items[index];
  if (part_ == Part::kKeys) return key;
  if (part_ == Part::kValues) return value;
  return runtime.tuple({key, value});
}

Iterator::Iterator(std::string type, Next next, int depth)
    : Object(ObjectKind::kIterator), type_(std::move(type)), next_(std::move(next)), depth_(depth) {
  if (depth > 100) fail("generators are nested deeper than 100 levels");
}

Value make_iterator(std::string type, Next next, int depth) {
  return Value(ObjectRef(std::make_shared<Iterator>(std::move(type), std::move(next), depth)));
}

std::vector<Value> characters(Runtime& runtime, const Str& text) {
  runtime.expect_bytes(text.length, sizeof(Value) + 160);
  std::vector<Value> items;
  items.reserve(text.length);
  for (std::size_t i = 0; i < text.text.size();) {
    const std::size_t begin = i;
    utf8_next(text.text, i);
    items.push_back(runtime.text(text.text.substr(begin, i - begin), text.markup));
  }
  return items;
}

namespace {

Next walk_indexed(Runtime& runtime, std::size_t count, std::function<Value(std::size_t)> at) {
  return [&runtime, count, at = std::move(at), i = std::size_t{0}]() mutable -> std::optional<Value> {
    runtime.step();
    if (i >= count) return std::nullopt;
    return at(i++);
  };
}

Next walk_text(Runtime& runtime, const Value& value) {
  return [&runtime, value, i = std::size_t{0}]() mutable -> std::optional<Value> {
    runtime.step();
    const Str& text = value.str();
    if (i >= text.text.size()) return std::nullopt;
    const std::size_t begin = i;
    utf8_next(text.text, i);
    return runtime.text(text.text.substr(begin, i - begin), text.markup);
  };
}

}  // namespace

bool is_iterable(const Value& value) {
  if (value.is_undefined() || value.is_string() || value.is_sequence() || value.is_dict()) return true;
  if (!value.is_object()) return false;
  const ObjectKind kind = value.object().kind();
  return kind == ObjectKind::kRange || kind == ObjectKind::kView || kind == ObjectKind::kIterator ||
         kind == ObjectKind::kLoop;
}

Next iterate(Runtime& runtime, const Value& value) {
  if (value.is_undefined()) return [] { return std::optional<Value>(); };
  if (value.is_string()) return walk_text(runtime, value);
  if (value.is_sequence())
    return walk_indexed(runtime, value.list().items.size(), [value](std::size_t i) { return value.list().items[i]; });
  if (value.is_dict())
    return walk_indexed(runtime, value.dict().items.size(),
                        [value](std::size_t i) { return value.dict().items[i].first; });
  if (!is_iterable(value)) fail("'" + type_name(value) + "' object is not iterable");
  Object& object = value.object();
  if (object.kind() == ObjectKind::kLoop) fail("iterating over `loop` is not supported");
  if (object.kind() == ObjectKind::kIterator) {
    return [&runtime, value] {
      runtime.step();
      return static_cast<Iterator&>(value.object()).next();
    };
  }
  const std::size_t count = *object.length();
  if (object.kind() == ObjectKind::kRange)
    return walk_indexed(runtime, count, [value](std::size_t i) {
      return Value(static_cast<const Range&>(value.object()).at(static_cast<Int>(i)));
    });
  return walk_indexed(runtime, count, [&runtime, value](std::size_t i) {
    return static_cast<const DictView&>(value.object()).at(runtime, i);
  });
}

std::vector<Value> collect(Runtime& runtime, const Value& value) {
  if (value.is_sequence()) return value.list().items;
  std::vector<Value> items;
  const Next next = iterate(runtime, value);
  while (auto item = next()) {
    runtime.expect_bytes(items.size() + 1, sizeof(Value));
    items.push_back(std::move(*item));
  }
  return items;
}

std::optional<std::size_t> length_of(const Value& value) {
  if (value.is_undefined()) return 0;
  if (value.is_string()) return value.str().length;
  if (value.is_sequence()) return value.list().items.size();
  if (value.is_dict()) return value.dict().items.size();
  return value.is_object() ? value.object().length() : std::nullopt;
}

}  // namespace tetrad::jinja
