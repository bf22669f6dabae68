#include "jinja/macro.h"

#include <algorithm>

namespace tetrad::jinja {

// What the body may read without declaring it: caller, kwargs and varargs. Arguments that nobody takes are an error.
void Macro::bind_special(Runtime& runtime, Args& rest, Scope& scope) const {
  const auto& names = statement_.signature.names;
  const bool declares_caller = std::find(names.begin(), names.end(), "caller") != names.end();
  if (statement_.uses_caller && !declares_caller) {
    auto given =
        std::find_if(rest.keyword.begin(), rest.keyword.end(), [](const auto& pair) { return pair.first == "caller"; });
    Value caller = Value::undefined("No caller defined");
    if (given != rest.keyword.end()) {
      if (!given->second.is_none()) caller = given->second;
      rest.keyword.erase(given);
    }
    scope.set("caller", std::move(caller));
  }
  if (statement_.uses_kwargs) {
    auto kwargs = runtime.dict();
    for (auto& [name, value] : rest.keyword) kwargs->set(runtime.text(name), std::move(value));
    scope.set("kwargs", Value(DictRef(kwargs)));
  } else if (!rest.keyword.empty()) {
    fail("macro '" + statement_.name + "' takes no keyword argument '" + rest.keyword[0].first + "'");
  }
  if (statement_.uses_varargs)
    scope.set("varargs", runtime.tuple(std::move(rest.positional)));
  else if (!rest.positional.empty())
    fail("macro '" + statement_.name + "' takes not more than " + std::to_string(names.size()) + " argument(s)");
}

Value Macro::call(Runtime& runtime, const Args& args) {
  const DepthGuard guard(runtime.depth, runtime.limits().depth);
  const auto& [names, defaults] = statement_.signature;
  const auto scope = std::make_shared<Scope>(scope_);
  Args rest = args;
  const std::size_t taken = std::min(names.size(), rest.positional.size());
  rest.positional.erase(rest.positional.begin(), rest.positional.begin() + static_cast<std::ptrdiff_t>(taken));
  std::vector<std::optional<Value>> values(names.size());
  runtime.step(names.size() * (1 + rest.keyword.size() / 8));
  for (std::size_t i = 0; i < names.size(); ++i) {
    if (i < taken) {
      values[i] = args.positional[i];
      continue;
    }
    auto given = std::find_if(rest.keyword.begin(), rest.keyword.end(),
                              [&](const auto& pair) { return pair.first == names[i]; });
    if (given == rest.keyword.end()) continue;
    values[i] = std::move(given->second);
    rest.keyword.erase(given);
  }
  bind_special(runtime, rest, *scope);
  const std::size_t first_default = names.size() - defaults.size();
  for (std::size_t i = 0; i < names.size(); ++i) {
    if (!values[i])
      values[i] = i >= first_default ? interpreter_.evaluate(*defaults[i - first_default], scope)
                                     : Value::undefined("parameter '" + names[i] + "' was not provided");
    scope->set(names[i], std::move(*values[i]));
  }
  return runtime.text(interpreter_.run_body(statement_.bodies[0], scope));
}

std::optional<Value> Macro::attribute(Runtime& runtime, std::string_view name) {
  if (name == "name") return is_caller() ? Value(None{}) : runtime.text(statement_.name);
  if (name == "caller") return statement_.uses_caller;
  if (name == "catch_kwargs") return statement_.uses_kwargs;
  if (name == "catch_varargs") return statement_.uses_varargs;
  if (name != "arguments") return std::nullopt;
  std::vector<Value> names;
  for (const std::string& argument : statement_.signature.names) names.push_back(runtime.text(argument));
  return runtime.tuple(std::move(names));
}

}  // namespace tetrad::jinja
