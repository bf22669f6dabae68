#include "jinja/builtins.h"
#include "jinja/interpreter.h"
#include "jinja/objects.h"
#include "jinja/operators.h"
#include "jinja/print.h"

namespace tetrad::jinja {

Value Interpreter::load(const std::string& name, const Scope& scope) {
  if (const Value* found = scope.find(name)) return *found;
  if (const Value* found = variables_.find(name)) return *found;
  if (auto found = global(runtime_, name)) return *found;
  return Value::undefined("'" + name + "' is undefined");
}

Value Interpreter::evaluate(const Expr& expr, const ScopeRef& scope) {
  const DepthGuard guard(runtime_.nest, kMaxNest);
  runtime_.step();
  runtime_.line = expr.line;
  switch (expr.kind) {
    case ExprKind::kConst:
      return expr.constant;
    case ExprKind::kName:
      return load(expr.name, *scope);
    case ExprKind::kTuple:
    case ExprKind::kList:
    case ExprKind::kDict:
      return evaluate_container(expr, scope);
    case ExprKind::kAttribute:
      return get_attribute(runtime_, evaluate(*expr.children[0], scope), expr.name);
    case ExprKind::kItem: {
      const Value value = evaluate(*expr.children[0], scope);
      return get_item(runtime_, value, evaluate(*expr.children[1], scope));
    }
    case ExprKind::kSlice:
      return evaluate_slice(expr, scope);
    case ExprKind::kCall:
      return evaluate_call(expr, scope, nullptr);
    case ExprKind::kFilter:
      return evaluate_filter(expr, scope);
    case ExprKind::kTest:
      return evaluate_test(expr, scope);
    case ExprKind::kNegative:
      return negative(evaluate(*expr.children[0], scope));
    case ExprKind::kPositive:
      return positive(evaluate(*expr.children[0], scope));
    case ExprKind::kNot:
    case ExprKind::kAnd:
    case ExprKind::kOr:
    case ExprKind::kConditional:
      return evaluate_logic(expr, scope);
    case ExprKind::kCompare:
      return evaluate_compare(expr, scope);
    case ExprKind::kBinary: {
      const Value left = evaluate(*expr.children[0], scope);
      return apply(runtime_, expr.op, left, evaluate(*expr.children[1], scope));
    }
    case ExprKind::kConcat:
      return evaluate_concat(expr, scope);
    case ExprKind::kNamespaceRef:
      break;
  }
  fail("not an expression");
}

Value Interpreter::evaluate_container(const Expr& expr, const ScopeRef& scope) {
  if (expr.kind == ExprKind::kDict) {
    auto dict = runtime_.dict();
    for (std::size_t i = 0; i < expr.children.size(); i += 2) {
      Value key = evaluate(*expr.children[i], scope);
      dict->set(std::move(key), evaluate(*expr.children[i + 1], scope));
    }
    return Value(DictRef(dict));
  }
  std::vector<Value> items;
  for (const ExprPtr& child : expr.children) items.push_back(evaluate(*child, scope));
  return expr.kind == ExprKind::kTuple ? runtime_.tuple(std::move(items)) : runtime_.list(std::move(items));
}

Value Interpreter::evaluate_logic(const Expr& expr, const ScopeRef& scope) {
  Value first = evaluate(*expr.children[0], scope);
  const bool yes = truth(first);
  switch (expr.kind) {
    case ExprKind::kNot:
      return !yes;
    case ExprKind::kAnd:
      return yes ? evaluate(*expr.children[1], scope) : first;
    case ExprKind::kOr:
      return yes ? first : evaluate(*expr.children[1], scope);
    default:
      break;
  }
  if (yes) return evaluate(*expr.children[1], scope);
  if (expr.children[2] != nullptr) return evaluate(*expr.children[2], scope);
  return Value::undefined("the inline if-expression on line " + std::to_string(expr.line) +
                          " evaluated to false and no else section was defined.");
}

Value Interpreter::evaluate_compare(const Expr& expr, const ScopeRef& scope) {
  Value left = evaluate(*expr.children[0], scope);
  for (std::size_t i = 0; i < expr.operators.size(); ++i) {
    Value right = evaluate(*expr.children[i + 1], scope);
    if (!compare(runtime_, expr.operators[i], left, right)) return false;
    left = std::move(right);
  }
  return true;
}

Value Interpreter::evaluate_concat(const Expr& expr, const ScopeRef& scope) {
  std::string text;
  for (const ExprPtr& child : expr.children) {
    text += str(evaluate(*child, scope));
    if (text.size() > 4096) runtime_.expect_bytes(text.size(), 1);
  }
  return runtime_.text(std::move(text));
}

Value Interpreter::evaluate_slice(const Expr& expr, const ScopeRef& scope) {
  const Value value = evaluate(*expr.children[0], scope);
  Value parts[3] = {None{}, None{}, None{}};
  for (std::size_t i = 0; i < 3; ++i)
    if (expr.children[i + 1] != nullptr) parts[i] = evaluate(*expr.children[i + 1], scope);
  return slice(runtime_, value, parts[0], parts[1], parts[2]);
}

Args Interpreter::evaluate_args(const CallArgs& written, const ScopeRef& scope) {
  Args args;
  for (const ExprPtr& arg : written.positional) args.positional.push_back(evaluate(*arg, scope));
  for (const auto& [name, arg] : written.keyword) args.keyword.emplace_back(name, evaluate(*arg, scope));
  if (written.star != nullptr)
    for (Value& item : collect(runtime_, evaluate(*written.star, scope))) args.positional.push_back(std::move(item));
  if (written.double_star != nullptr) {
    const Value names = evaluate(*written.double_star, scope);
    if (!names.is_dict()) fail("argument after ** must be a mapping, not " + type_name(names));
    if (names.dict().items.size() > kMaxNamedArguments) fail("more than 1000 keyword arguments");
    for (const auto& [name, value] : names.dict().items) {
      if (!name.is_string()) fail("keywords must be strings");
      for (const auto& [other, ignored] : args.keyword)
        if (other == name.text()) fail("got multiple values for keyword argument '" + other + "'");
      args.keyword.emplace_back(name.text(), value);
    }
  }
  return args;
}

Value Interpreter::evaluate_call(const Expr& expr, const ScopeRef& scope, const Value* caller) {
  const Value function = evaluate(*expr.children[0], scope);
  if (function.is_undefined()) fail(function.undefined_message());
  Args args = evaluate_args(*expr.args, scope);
  if (caller != nullptr) args.keyword.emplace_back("caller", *caller);
  runtime_.line = expr.line;
  if (!function.is_object()) fail("'" + type_name(function) + "' object is not callable");
  return function.object().call(runtime_, args);
}

Value Interpreter::evaluate_filter(const Expr& expr, const ScopeRef& scope) {
  const Value value = evaluate(*expr.children[0], scope);
  const Args args = evaluate_args(*expr.args, scope);
  runtime_.line = expr.line;
  return call_filter(runtime_, expr.name, value, args);
}

Value Interpreter::evaluate_test(const Expr& expr, const ScopeRef& scope) {
  const Value value = evaluate(*expr.children[0], scope);
  const Args args = evaluate_args(*expr.args, scope);
  runtime_.line = expr.line;
  return call_test(runtime_, expr.name, value, args);
}

// A chain of filters whose innermost one has no value yet (filter and set blocks).
Value Interpreter::apply_filters(const Expr& chain, Value value, const ScopeRef& scope) {
  const DepthGuard guard(runtime_.nest, kMaxNest);
  if (chain.children[0] != nullptr) value = apply_filters(*chain.children[0], std::move(value), scope);
  const Args args = evaluate_args(*chain.args, scope);
  runtime_.line = chain.line;
  return call_filter(runtime_, chain.name, value, args);
}

}  // namespace tetrad::jinja
