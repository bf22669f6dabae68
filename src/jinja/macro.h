// A macro, or the `caller` of a call block.
#pragma once

#include <optional>
#include <string>

#include "jinja/ast.h"
#include "jinja/interpreter.h"
#include "jinja/objects.h"

namespace tetrad::jinja {

class Macro : public Object {
 public:
  Macro(Interpreter& interpreter, const Stmt& statement, ScopeRef scope)
      : Object(ObjectKind::kMacro), interpreter_(interpreter), statement_(statement), scope_(std::move(scope)) {}

  std::string type_name() const override { return "Macro"; }
  std::string description() override { return is_caller() ? "<Macro anonymous>" : "<Macro '" + statement_.name + "'>"; }
  bool callable() const override { return true; }
  Value call(Runtime& runtime, const Args& args) override;
  std::optional<Value> attribute(Runtime& runtime, std::string_view name) override;
  void unlink() override { scope_.reset(); }

 private:
  bool is_caller() const { return statement_.kind == StmtKind::kCallBlock; }
  void bind_special(Runtime& runtime, Args& rest, Scope& scope) const;

  Interpreter& interpreter_;
  const Stmt& statement_;
  ScopeRef scope_;  // where it was defined
};

}  // namespace tetrad::jinja
