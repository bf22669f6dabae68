// The values a template computes with: Python's None, bool, int, float, str, list, tuple and dict plus Jinja's
// Undefined and the engine's objects (namespaces, loops, macros, ranges, iterators). Used by every file of this folder
// and by nobody else. Semantics: the Python 3 data model as Jinja2 3.1 templates see it in an
// ImmutableSandboxedEnvironment.
//
// A Value is a cheap handle; strings, lists and dicts behind it never change after they were made (templates cannot
// mutate them), only namespaces do. All values of one render belong to one thread and die before its Runtime does.
// Faults of a template (a TypeError in Python's words) are thrown as `Fault` inside this folder, because every operator
// of an expression can fail; Template::parse and Template::render catch it and return a Result.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <variant>
#include <vector>

#include "base/error.h"

namespace tetrad::jinja {

__extension__ typedef __int128 Int;  // holds all of JSON's integers and their products; beyond: a fault, never a wrap

// What went wrong in a template. `line` 0: the line that is being evaluated.
struct Fault {
  std::string reason;
  int line = 0;
  ErrorCode code = ErrorCode::kInvalidInput;
};
[[noreturn]] void fail(std::string reason);

// What one render has used: live bytes of its values, and steps.
struct Budget {
  std::size_t live = 0;
  std::size_t limit = 0;
  std::uint64_t steps = 0;
  std::uint64_t max_steps = 0;
};

// A share of a Budget for as long as the object that has it as a member lives.
class Charge {
 public:
  Charge() = default;
  Charge(Budget* budget, std::size_t bytes);  // throws Fault when the limit is passed
  Charge(const Charge&) = delete;
  Charge& operator=(const Charge&) = delete;
  ~Charge() {
    if (budget_ != nullptr) budget_->live -= bytes_;
  }
  void add(std::size_t bytes);
  // Counts steps where there is no Runtime at hand: comparing and hashing. Values that share their parts can be
  // exponentially larger than the memory they take.
  void work(std::size_t steps) const;

 private:
  Budget* budget_ = nullptr;
  std::size_t bytes_ = 0;
};

class Value;
class Runtime;
struct List;
struct Dict;
class Object;

struct Str {
  std::string text;        // well-formed UTF-8
  std::size_t length = 0;  // code points
  bool markup = false;     // markupsafe.Markup: the result of `safe` and `escape`
  Charge charge;

  Str(std::string bytes, bool is_markup, Budget* budget);
  bool ascii() const { return length == text.size(); }
};

struct UndefinedInfo {
  std::string message;  // what using it raises
};

struct None {};

using StrRef = std::shared_ptr<const Str>;
using ListRef = std::shared_ptr<const List>;
using DictRef = std::shared_ptr<const Dict>;
using ObjectRef = std::shared_ptr<Object>;
using UndefinedRef = std::shared_ptr<const UndefinedInfo>;

class Value {
 public:
  Value() = default;  // Undefined without a message
  Value(None) : data_(None{}) {}
  Value(bool value) : data_(value) {}
  Value(Int value) : data_(value) {}
  Value(int value) : data_(Int{value}) {}
  Value(std::size_t value) : data_(static_cast<Int>(value)) {}
  Value(double value) : data_(value) {}
  Value(StrRef value) : data_(std::move(value)) {}
  Value(ListRef value) : data_(std::move(value)) {}
  Value(DictRef value) : data_(std::move(value)) {}
  Value(ObjectRef value) : data_(std::move(value)) {}
  Value(const char*) = delete;  // strings need a Budget: Runtime::text()
  static Value undefined(std::string message);

  bool is_undefined() const { return std::holds_alternative<UndefinedRef>(data_); }
  bool is_none() const { return std::holds_alternative<None>(data_); }
  bool is_bool() const { return std::holds_alternative<bool>(data_); }
  bool is_int() const { return std::holds_alternative<Int>(data_); }  // not bool
  bool is_integral() const { return is_int() || is_bool(); }          // Python's isinstance(x, int)
  bool is_float() const { return std::holds_alternative<double>(data_); }
  bool is_number() const { return is_integral() || is_float(); }
  bool is_string() const { return std::holds_alternative<StrRef>(data_); }
  bool is_sequence() const { return std::holds_alternative<ListRef>(data_); }  // list or tuple
  bool is_list() const;
  bool is_tuple() const;
  bool is_dict() const { return std::holds_alternative<DictRef>(data_); }
  bool is_object() const { return std::holds_alternative<ObjectRef>(data_); }

  bool boolean() const { return std::get<bool>(data_); }
  Int integer() const { return is_bool() ? Int{boolean()} : std::get<Int>(data_); }
  double real() const { return is_float() ? std::get<double>(data_) : static_cast<double>(integer()); }
  const Str& str() const { return *std::get<StrRef>(data_); }
  const std::string& text() const { return str().text; }
  const List& list() const { return *std::get<ListRef>(data_); }
  const Dict& dict() const { return *std::get<DictRef>(data_); }
  const DictRef& dict_ref() const { return std::get<DictRef>(data_); }
  Object& object() const { return *std::get<ObjectRef>(data_); }
  const ObjectRef& object_ref() const { return std::get<ObjectRef>(data_); }
  const std::string& undefined_message() const;

  bool same_as(const Value& other) const;  // Python's `is`
  int depth() const;                       // nesting of containers, for the limit on it

 private:
  std::variant<UndefinedRef, None, bool, Int, double, StrRef, ListRef, DictRef, ObjectRef> data_;
};

struct List {
  std::vector<Value> items;
  bool tuple = false;
  bool group = false;  // a tuple of groupby: also has .grouper and .list
  int depth = 1;
  Charge charge;

  List(std::vector<Value> values, bool is_tuple, Budget* budget);
};

// A dict in the order of insertion. Keys are hashable values; 1, 1.0 and true are one key, as in Python.
struct Dict {
  std::vector<std::pair<Value, Value>> items;
  int depth = 1;

  explicit Dict(Budget* budget) : budget_(budget), charge_(budget, 64) {}
  const Value* find(const Value& key) const;  // throws Fault for an unhashable key
  const Value* find(std::string_view key) const;
  void set(Value key, Value value);

 private:
  friend void charge_comparison(const Value& a, const Value& b);
  std::size_t position(const Value& key, std::size_t hash) const;

  std::unordered_multimap<std::size_t, std::size_t> index_;  // hash -> position; empty while the dict is small
  Budget* budget_;
  Charge charge_;
};

// Arguments of a call as written.
struct Args {
  std::vector<Value> positional;
  std::vector<std::pair<std::string, Value>> keyword;
};

enum class ObjectKind { kNamespace, kRange, kView, kIterator, kFunction, kMacro, kLoop, kOther };

class Object : public std::enable_shared_from_this<Object> {
 public:
  explicit Object(ObjectKind kind) : kind_(kind) {}
  virtual ~Object() = default;
  Object(const Object&) = delete;
  Object& operator=(const Object&) = delete;

  ObjectKind kind() const { return kind_; }
  virtual std::string type_name() const = 0;  // as in Python's messages
  virtual std::optional<Value> attribute(Runtime& runtime, std::string_view name);
  virtual bool callable() const { return false; }
  virtual Value call(Runtime& runtime, const Args& args);
  virtual std::string description() { return "<" + type_name() + " object>"; }  // repr()
  virtual std::optional<std::size_t> length() const { return std::nullopt; }
  virtual int depth() const { return 1; }
  virtual void unlink() {}  // drops what may close a circle of references; the render is over

 private:
  ObjectKind kind_;
};

std::string type_name(const Value& value);
bool truth(const Value& value);
bool equal(const Value& a, const Value& b);  // never raises, as Python's == between these types, but for the limits
// Counts the steps of comparing the texts or items of two values of one type, not of what is in the items.
void charge_comparison(const Value& a, const Value& b);
std::size_t hash(const Value& value);  // throws Fault for unhashable values

}  // namespace tetrad::jinja
