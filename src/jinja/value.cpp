#include "jinja/value.h"

#include <cmath>
#include <limits>

#include "base/utf8.h"
#include "jinja/objects.h"

namespace tetrad::jinja {
namespace {

constexpr int kMaxNesting = 200;         // of containers: bounds the recursion of repr, ==, tojson and destruction
constexpr std::size_t kIndexedFrom = 9;  // dicts smaller than this are searched from the front

bool equal_at(const Value& a, const Value& b, int depth);

bool equal_items(const std::vector<Value>& a, const std::vector<Value>& b, int depth) {
  if (a.size() != b.size()) return false;
  for (std::size_t i = 0; i < a.size(); ++i)
    if (!equal_at(a[i], b[i], depth)) return false;
  return true;
}

bool equal_dicts(const Dict& a, const Dict& b, int depth) {
  if (a.items.size() != b.items.size()) return false;
  for (const auto& [key, value] : a.items) {
    const Value* other = b.find(key);
    if (other == nullptr || !equal_at(value, *other, depth)) return false;
  }
  return true;
}

bool equal_numbers(const Value& a, const Value& b) {
  if (!a.is_float() && !b.is_float()) return a.integer() == b.integer();
  if (a.real() != b.real() || a.is_float() == b.is_float()) return a.real() == b.real();
  // Beyond 2**53 an int may only round to the float.
  const double real = a.real();
  return std::fabs(real) < 0x1p127 && static_cast<Int>(real) == (a.is_float() ? b : a).integer();
}

bool equal_objects(Object& a, Object& b) {
  if (&a == &b) return true;
  if (a.kind() != ObjectKind::kRange || b.kind() != ObjectKind::kRange) return false;
  const auto& x = static_cast<const Range&>(a);
  const auto& y = static_cast<const Range&>(b);
  if (x.count() != y.count()) return false;
  return x.count() == 0 || (x.at(0) == y.at(0) && (x.count() == 1 || x.at(1) == y.at(1)));
}

bool equal_at(const Value& a, const Value& b, int depth) {
  if (depth > kMaxNesting + 8) fail("values are nested too deeply to compare");
  if (a.is_number() && b.is_number()) return equal_numbers(a, b);
  charge_comparison(a, b);
  if (a.is_string() && b.is_string()) return a.text() == b.text();
  if (a.is_undefined() || b.is_undefined()) return a.is_undefined() && b.is_undefined();
  if (a.is_none() || b.is_none()) return a.is_none() && b.is_none();
  if (a.is_sequence() && b.is_sequence())
    return a.list().tuple == b.list().tuple && equal_items(a.list().items, b.list().items, depth + 1);
  if (a.is_dict() && b.is_dict()) return equal_dicts(a.dict(), b.dict(), depth + 1);
  if (a.is_object() && b.is_object()) return equal_objects(a.object(), b.object());
  return false;
}

int checked_depth(int depth) {
  if (depth > kMaxNesting) fail("values are nested deeper than 200 levels");
  return depth;
}

}  // namespace

void fail(std::string reason) { throw Fault{std::move(reason)}; }

Charge::Charge(Budget* budget, std::size_t bytes) : budget_(budget) {
  if (budget_ != nullptr) add(bytes);
}

void Charge::add(std::size_t bytes) {
  if (budget_ == nullptr) return;
  if (bytes > budget_->limit || budget_->live > budget_->limit - bytes)
    throw Fault{"the values of the template need more than " + std::to_string(budget_->limit >> 20) + " MiB"};
  budget_->live += bytes;
  bytes_ += bytes;
}

void Charge::work(std::size_t steps) const {
  if (budget_ == nullptr) return;
  budget_->steps += steps;
  if (budget_->steps > budget_->max_steps)
    fail("the template takes more than " + std::to_string(budget_->max_steps) + " steps");
}

void charge_comparison(const Value& a, const Value& b) {
  if (a.is_string() && b.is_string())
    a.str().charge.work(std::min(a.text().size(), b.text().size()) / 64);
  else if (a.is_sequence() && b.is_sequence())
    a.list().charge.work(1 + std::min(a.list().items.size(), b.list().items.size()) / 8);
  else if (a.is_dict() && b.is_dict())
    a.dict().charge_.work(1 + std::min(a.dict().items.size(), b.dict().items.size()));
}

Str::Str(std::string bytes, bool is_markup, Budget* budget)
    : text(std::move(bytes)), length(utf8_count(text)), markup(is_markup), charge(budget, text.size() + 96) {}

List::List(std::vector<Value> values, bool is_tuple, Budget* budget)
    : items(std::move(values)), tuple(is_tuple), charge(budget, items.size() * sizeof(Value) + 96) {
  for (const Value& item : items) depth = std::max(depth, checked_depth(item.depth() + 1));
}

Value Value::undefined(std::string message) {
  Value value;
  value.data_ = std::make_shared<const UndefinedInfo>(UndefinedInfo{std::move(message)});
  return value;
}

const std::string& Value::undefined_message() const {
  static const std::string kNothing = "the value is undefined";
  const auto& info = std::get<UndefinedRef>(data_);
  return info == nullptr ? kNothing : info->message;
}

bool Value::is_list() const { return is_sequence() && !list().tuple; }
bool Value::is_tuple() const { return is_sequence() && list().tuple; }

int Value::depth() const {
  if (is_sequence()) return list().depth;
  if (is_dict()) return dict().depth;
  return is_object() ? object().depth() : 0;
}

bool Value::same_as(const Value& other) const {
  if (data_.index() != other.data_.index()) return false;
  if (is_none()) return true;
  if (is_bool()) return boolean() == other.boolean();
  // CPython shares small integers; a template cannot see more of the identity of numbers than this.
  if (is_int()) return integer() == other.integer() && integer() >= -5 && integer() <= 256;
  if (is_float()) return false;
  if (is_string()) return &str() == &other.str() || (text() == other.text() && text().size() <= 1);
  if (is_sequence()) return &list() == &other.list();
  if (is_dict()) return &dict() == &other.dict();
  if (is_object()) return &object() == &other.object();
  return std::get<UndefinedRef>(data_) == std::get<UndefinedRef>(other.data_);
}

std::size_t Dict::position(const Value& key, std::size_t key_hash) const {
  if (items.size() < kIndexedFrom) {
    for (std::size_t i = 0; i < items.size(); ++i)
      if (equal(items[i].first, key)) return i;
    return items.size();
  }
  const auto [begin, end] = index_.equal_range(key_hash);
  for (auto it = begin; it != end; ++it, charge_.work(1))
    if (equal(items[it->second].first, key)) return it->second;
  return items.size();
}

const Value* Dict::find(const Value& key) const {
  const std::size_t at = position(key, hash(key));
  return at == items.size() ? nullptr : &items[at].second;
}

const Value* Dict::find(std::string_view key) const {
  auto matches = [&](std::size_t i) { return items[i].first.is_string() && items[i].first.text() == key; };
  if (items.size() < kIndexedFrom) {
    for (std::size_t i = 0; i < items.size(); ++i)
      if (matches(i)) return &items[i].second;
    return nullptr;
  }
  const auto [begin, end] = index_.equal_range(std::hash<std::string_view>{}(key));
  for (auto it = begin; it != end; ++it)
    if (matches(it->second)) return &items[it->second].second;
  return nullptr;
}

void Dict::set(Value key, Value value) {
  const std::size_t key_hash = hash(key);
  depth = std::max({depth, checked_depth(value.depth() + 1), checked_depth(key.depth() + 1)});
  const std::size_t at = position(key, key_hash);
  if (at < items.size()) {
    items[at].second = std::move(value);
    return;
  }
  charge_.add(2 * sizeof(Value) + 48);
  items.emplace_back(std::move(key), std::move(value));
  if (items.size() < kIndexedFrom) return;
  if (items.size() > kIndexedFrom) {
    index_.emplace(key_hash, at);
    return;
  }
  for (std::size_t i = 0; i < items.size(); ++i) index_.emplace(hash(items[i].first), i);
}

std::optional<Value> Object::attribute(Runtime&, std::string_view) { return std::nullopt; }
Value Object::call(Runtime&, const Args&) { fail("'" + type_name() + "' object is not callable"); }

std::string type_name(const Value& value) {
  if (value.is_undefined()) return "Undefined";
  if (value.is_none()) return "NoneType";
  if (value.is_bool()) return "bool";
  if (value.is_int()) return "int";
  if (value.is_float()) return "float";
  if (value.is_string()) return value.str().markup ? "Markup" : "str";
  if (value.is_sequence()) return value.list().tuple ? "tuple" : "list";
  if (value.is_dict()) return "dict";
  return value.object().type_name();
}

bool truth(const Value& value) {
  if (value.is_undefined() || value.is_none()) return false;
  if (value.is_bool()) return value.boolean();
  if (value.is_int()) return value.integer() != 0;
  if (value.is_float()) return value.real() != 0;
  if (value.is_string()) return !value.text().empty();
  if (value.is_sequence()) return !value.list().items.empty();
  if (value.is_dict()) return !value.dict().items.empty();
  return value.object().length().value_or(1) != 0;
}

bool equal(const Value& a, const Value& b) { return equal_at(a, b, 0); }

namespace {
// Spreads integers: multiples of the number of buckets would all fall into one.
std::size_t mix(long long value) {
  auto bits = static_cast<std::uint64_t>(value) * 0x9E3779B97F4A7C15U;
  bits = (bits ^ (bits >> 32)) * 0xD6E8FEB86659FD93U;
  return bits ^ (bits >> 29);
}
}  // namespace

std::size_t hash(const Value& value) {
  if (value.is_string()) {
    value.str().charge.work(value.text().size() / 64);
    return std::hash<std::string_view>{}(value.text());
  }
  if (value.is_float()) {
    const double real = value.real();
    if (real == std::floor(real) && std::fabs(real) < 9e15) return mix(static_cast<long long>(real));
    return std::hash<double>{}(real);
  }
  if (value.is_integral()) {
    const Int integer = value.integer();
    const Int exact = Int{9'000'000'000'000'000};
    // Beyond it an int can only equal the double it converts to, so that is what is hashed.
    if (integer >= exact || integer <= -exact) return std::hash<double>{}(static_cast<double>(integer));
    return mix(static_cast<long long>(integer));
  }
  if (value.is_none()) return 0x9E3779B9;
  if (value.is_undefined()) return 0x51ED27;
  if (value.is_tuple()) {
    value.list().charge.work(1 + value.list().items.size() / 8);
    std::size_t mixed = 0x345678;
    for (const Value& item : value.list().items) mixed = mixed * 1000003 ^ hash(item);
    return mixed;
  }
  if (value.is_object() && value.object().kind() != ObjectKind::kView)
    return std::hash<const Object*>{}(&value.object());
  fail("unhashable type: '" + type_name(value) + "'");
}

}  // namespace tetrad::jinja
