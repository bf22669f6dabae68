// Binding the arguments of a call to the parameter names of a builtin, as Python does.
#pragma once

#include <initializer_list>
#include <string>
#include <string_view>
#include <vector>

#include "jinja/runtime.h"
#include "jinja/value.h"

namespace tetrad::jinja {

class Bound {
 public:
  // `names`: the parameters in their order, of which the first `required` must be given. `function` is for messages.
  Bound(std::string_view function, const Args& args, std::initializer_list<std::string_view> names,
        std::size_t required = 0);

  bool has(std::size_t i) const { return given_[i]; }
  const Value& at(std::size_t i) const { return values_[i]; }
  Value value(std::size_t i, Value fallback) const { return given_[i] ? values_[i] : fallback; }
  bool flag(std::size_t i, bool fallback) const { return given_[i] ? truth(values_[i]) : fallback; }
  Int integer(std::size_t i, Int fallback) const;  // throws Fault for what is no int
  bool is_none(std::size_t i) const { return !given_[i] || values_[i].is_none(); }
  const std::string& text(std::size_t i) const;  // throws Fault for what is no str

 private:
  std::vector<Value> values_;
  std::vector<bool> given_;
};

}  // namespace tetrad::jinja
