// The engine's own objects: namespaces, ranges, dict views, iterators, functions; and how anything is iterated.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "jinja/runtime.h"
#include "jinja/value.h"

namespace tetrad::jinja {

// namespace(): the only thing a template can change. Names that begin with "_" are refused, as transformers does.
class Namespace : public Object {
 public:
  explicit Namespace(Runtime& runtime) : Object(ObjectKind::kNamespace), attributes_(runtime.dict()) {}
  std::string type_name() const override { return "TemplateNamespace"; }
  std::optional<Value> attribute(Runtime& runtime, std::string_view name) override;
  void unlink() override { attributes_.reset(); }
  void set(Value name, Value value);
  const Dict& attributes() const { return *attributes_; }

 private:
  std::shared_ptr<Dict> attributes_;
};

class Range : public Object {
 public:
  Range(Int start, Int stop,
        Int step);  // throws Fault for a step of 0 and for more than 100,000 items, as the sandbox does
  std::string type_name() const override { return "range"; }
  std::optional<std::size_t> length() const override { return static_cast<std::size_t>(count_); }
  Int count() const { return count_; }
  Int at(Int index) const { return start_ + index * step_; }
  Int start() const { return start_; }
  Int stop() const { return stop_; }
  Int step() const { return step_; }

 private:
  Int start_, stop_, step_, count_;
};

// dict.keys(), .values(), .items()
class DictView : public Object {
 public:
  enum class Part { kKeys, kValues, kItems };
  DictView(DictRef dict, Part part) : Object(ObjectKind::kView), dict_(std::move(dict)), part_(part) {}
  std::string type_name() const override;
  std::optional<std::size_t> length() const override { return dict_->items.size(); }
  int depth() const override { return dict_->depth + 2; }
  Value at(Runtime& runtime, std::size_t index) const;
  const std::pair<Value, Value>& pair(std::size_t index) const { return dict_->items[index]; }
  Part part() const { return part_; }

 private:
  DictRef dict_;
  Part part_;
};

using Next = std::function<std::optional<Value>()>;

// A generator: can be walked through once.
class Iterator : public Object {
 public:
  Iterator(std::string type, Next next, int depth);  // throws Fault when `depth` passes 100: next() nests that deep
  std::string type_name() const override { return type_; }
  int depth() const override { return depth_; }
  std::optional<Value> next() { return next_(); }

 private:
  std::string type_;
  Next next_;
  int depth_;
};

class Function : public Object {
 public:
  using Body = std::function<Value(Runtime&, const Args&)>;
  Function(std::string name, Body body, int depth = 1)
      : Object(ObjectKind::kFunction), name_(std::move(name)), body_(std::move(body)), depth_(depth) {}
  std::string type_name() const override { return "function"; }
  bool callable() const override { return true; }
  int depth() const override { return depth_; }
  Value call(Runtime& runtime, const Args& args) override { return body_(runtime, args); }
  const std::string& name() const { return name_; }

 private:
  std::string name_;
  Body body_;
  int depth_;  // of what it is bound to
};

// Walks through a value; each call gives the next item. Throws Fault "... is not iterable".
Next iterate(Runtime& runtime, const Value& value);
bool is_iterable(const Value& value);
std::vector<Value> collect(Runtime& runtime, const Value& value);  // list(value)
Value make_iterator(std::string type, Next next, int depth);
std::optional<std::size_t> length_of(const Value& value);  // len(); nothing where Python raises

// The items of a str: its characters.
std::vector<Value> characters(Runtime& runtime, const Str& text);

}  // namespace tetrad::jinja
