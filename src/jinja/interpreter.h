// Walks the syntax tree and writes the text: one per render.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "jinja/ast.h"
#include "jinja/runtime.h"

namespace tetrad::jinja {

// The variables of one block: loops, macros, `with` and captured blocks have their own, `if` has not.
// Names are looked up from the innermost scope outwards when they are used.
class Scope {
 public:
  explicit Scope(std::shared_ptr<Scope> parent) : parent_(std::move(parent)) {}
  const Value* find(std::string_view name) const;
  void set(const std::string& name, Value value);
  void clear() {
    variables_.clear();
    index_.clear();
  }

 private:
  const Value* find_here(std::string_view name) const;

  std::shared_ptr<Scope> parent_;
  std::vector<std::pair<std::string, Value>> variables_;
  std::map<std::string, std::size_t, std::less<>> index_;  // empty while there are few variables
};
using ScopeRef = std::shared_ptr<Scope>;

enum class Flow { kNormal, kBreak, kContinue };

class Interpreter {
 public:
  Interpreter(Runtime& runtime, const Dict& variables);

  std::string run(const Block& block);

  // The body of a macro or of a call block, with its arguments bound by the caller.
  std::string run_body(const Block& body, const ScopeRef& scope);
  Value evaluate(const Expr& expr, const ScopeRef& scope);
  Runtime& runtime() { return runtime_; }

 private:
  friend class LoopRun;  // the walk of a `for`

  Flow run_block(const Block& block, const ScopeRef& scope);
  Flow run_statement(const Stmt& statement, const ScopeRef& scope);
  Flow run_if(const Stmt& statement, const ScopeRef& scope);
  Flow run_for(const Stmt& statement, const ScopeRef& scope);
  Flow run_set_block(const Stmt& statement, const ScopeRef& scope);
  Flow run_filter_block(const Stmt& statement, const ScopeRef& scope);
  Flow run_with(const Stmt& statement, const ScopeRef& scope);
  void run_call_block(const Stmt& statement, const ScopeRef& scope);
  void output(const Stmt& statement, const ScopeRef& scope);
  void write(std::string_view text);
  void assign(const Expr& target, Value value, const ScopeRef& scope);
  Value make_macro(const Stmt& statement, const ScopeRef& scope);
  Value apply_filters(const Expr& chain, Value value, const ScopeRef& scope);

  Value load(const std::string& name, const Scope& scope);
  Value evaluate_container(const Expr& expr, const ScopeRef& scope);
  Value evaluate_logic(const Expr& expr, const ScopeRef& scope);
  Value evaluate_compare(const Expr& expr, const ScopeRef& scope);
  Value evaluate_concat(const Expr& expr, const ScopeRef& scope);
  Value evaluate_slice(const Expr& expr, const ScopeRef& scope);
  Value evaluate_call(const Expr& expr, const ScopeRef& scope, const Value* caller);
  Value evaluate_filter(const Expr& expr, const ScopeRef& scope);
  Value evaluate_test(const Expr& expr, const ScopeRef& scope);
  Args evaluate_args(const CallArgs& written, const ScopeRef& scope);

  Runtime& runtime_;
  const Dict& variables_;
  ScopeRef top_;
  std::string* out_ = nullptr;   // of the innermost captured block
  std::size_t outer_bytes_ = 0;  // in the buffers around it
};

}  // namespace tetrad::jinja
