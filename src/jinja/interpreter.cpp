#include "jinja/interpreter.h"

#include "jinja/builtins.h"
#include "jinja/loop.h"
#include "jinja/macro.h"
#include "jinja/objects.h"
#include "jinja/operators.h"
#include "jinja/print.h"

namespace tetrad::jinja {
namespace {

// Sends the output to a buffer of its own while it lives; the bytes of the buffers around it still count.
class Capture {
 public:
  Capture(std::string*& out, std::size_t& outer_bytes) : out_(out), outer_bytes_(outer_bytes), before_(out) {
    if (before_ != nullptr) outer_bytes_ += added_ = before_->size();
    out_ = &text;
  }
  Capture(const Capture&) = delete;
  Capture& operator=(const Capture&) = delete;
  ~Capture() {
    out_ = before_;
    outer_bytes_ -= added_;
  }
  std::string text;

 private:
  std::string*& out_;
  std::size_t& outer_bytes_;
  std::string* before_;
  std::size_t added_ = 0;
};

}  // namespace

const Value* Scope::find(std::string_view name) const {
  for (const Scope* scope = this; scope != nullptr; scope = scope->parent_.get())
    if (const Value* found = scope->find_here(name)) return found;
  return nullptr;
}

const Value* Scope::find_here(std::string_view name) const {
  if (index_.empty()) {
    for (const auto& [known, value] : variables_)
      if (known == name) return &value;
    return nullptr;
  }
  const auto found = index_.find(name);
  return found == index_.end() ? nullptr : &variables_[found->second].second;
}

void Scope::set(const std::string& name, Value value) {
  constexpr std::size_t kFew = 16;
  if (const Value* current = find_here(name)) {
    const_cast<Value&>(*current) = std::move(value);
    return;
  }
  variables_.emplace_back(name, std::move(value));
  if (variables_.size() <= kFew) return;
  for (std::size_t i = index_.size(); i < variables_.size(); ++i) index_.emplace(variables_[i].first, i);
}

Interpreter::Interpreter(Runtime& runtime, const Dict& variables)
    : runtime_(runtime), variables_(variables), top_(std::make_shared<Scope>(nullptr)) {}

std::string Interpreter::run(const Block& block) {
  Capture capture(out_, outer_bytes_);
  run_block(block, top_);
  return std::move(capture.text);
}

std::string Interpreter::run_body(const Block& body, const ScopeRef& scope) {
  const DepthGuard guard(runtime_.nest, kMaxNest);
  Capture capture(out_, outer_bytes_);
  run_block(body, scope);
  return std::move(capture.text);
}

void Interpreter::write(std::string_view text) {
  runtime_.step(text.size() / 64);
  if (out_->size() + text.size() + outer_bytes_ > runtime_.limits().output_bytes)
    fail("the output is longer than " + std::to_string(runtime_.limits().output_bytes) + " bytes");
  *out_ += text;
}

Flow Interpreter::run_block(const Block& block, const ScopeRef& scope) {
  const DepthGuard guard(runtime_.nest, kMaxNest);
  for (const auto& statement : block)
    if (const Flow flow = run_statement(*statement, scope); flow != Flow::kNormal) return flow;
  return Flow::kNormal;
}

Flow Interpreter::run_statement(const Stmt& statement, const ScopeRef& scope) {
  runtime_.step();
  runtime_.line = statement.line;
  switch (statement.kind) {
    case StmtKind::kText:
      write(statement.text);
      break;
    case StmtKind::kOutput:
      output(statement, scope);
      break;
    case StmtKind::kIf:
      return run_if(statement, scope);
    case StmtKind::kFor:
      return run_for(statement, scope);
    case StmtKind::kSet:
      assign(*statement.targets[0], evaluate(*statement.exprs[0], scope), scope);
      break;
    case StmtKind::kSetBlock:
      return run_set_block(statement, scope);
    case StmtKind::kMacro:
      scope->set(statement.name, make_macro(statement, scope));
      break;
    case StmtKind::kCallBlock:
      run_call_block(statement, scope);
      break;
    case StmtKind::kFilterBlock:
      return run_filter_block(statement, scope);
    case StmtKind::kWith:
      return run_with(statement, scope);
    case StmtKind::kScope:
      return run_block(statement.bodies[0], std::make_shared<Scope>(scope));
    // A block sees the template's variables, not those of the loops around it.
    case StmtKind::kBlock:
      return run_block(statement.bodies[0], std::make_shared<Scope>(top_));
    case StmtKind::kBreak:
      return Flow::kBreak;
    case StmtKind::kContinue:
      return Flow::kContinue;
  }
  return Flow::kNormal;
}

void Interpreter::output(const Stmt& statement, const ScopeRef& scope) {
  for (const ExprPtr& expr : statement.exprs) {
    const Value value = evaluate(*expr, scope);
    if (value.is_string())
      write(value.text());
    else
      write(str(value));
  }
}

Flow Interpreter::run_if(const Stmt& statement, const ScopeRef& scope) {
  for (std::size_t i = 0; i < statement.exprs.size(); ++i)
    if (truth(evaluate(*statement.exprs[i], scope))) return run_block(statement.bodies[i], scope);
  return statement.bodies.size() > statement.exprs.size() ? run_block(statement.bodies.back(), scope) : Flow::kNormal;
}

void Interpreter::assign(const Expr& target, Value value, const ScopeRef& scope) {
  if (target.kind == ExprKind::kName) return scope->set(target.name, std::move(value));
  if (target.kind == ExprKind::kNamespaceRef) {
    const Value owner = load(target.name, *scope);
    if (!owner.is_object() || owner.object().kind() != ObjectKind::kNamespace)
      fail("cannot assign attribute on non-namespace object");
    return static_cast<Namespace&>(owner.object()).set(runtime_.text(target.text), std::move(value));
  }
  if (!is_iterable(value)) fail("cannot unpack non-iterable " + type_name(value) + " object");
  const Next next = iterate(runtime_, value);
  std::vector<Value> items;
  while (items.size() <= target.children.size()) {
    auto item = next();
    if (!item) break;
    items.push_back(std::move(*item));
  }
  if (items.size() > target.children.size())
    fail("too many values to unpack (expected " + std::to_string(target.children.size()) + ")");
  if (items.size() < target.children.size())
    fail("not enough values to unpack (expected " + std::to_string(target.children.size()) + ", got " +
         std::to_string(items.size()) + ")");
  for (std::size_t i = 0; i < items.size(); ++i) assign(*target.children[i], std::move(items[i]), scope);
}

Value Interpreter::make_macro(const Stmt& statement, const ScopeRef& scope) {
  auto macro = std::make_shared<Macro>(*this, statement, scope);
  runtime_.pin(macro);
  return Value(ObjectRef(std::move(macro)));
}

// One run of a `for`: also what loop(...) of a recursive one calls again.
class LoopRun {
 public:
  LoopRun(Interpreter& interpreter, const Stmt& statement, ScopeRef scope)
      : interpreter_(interpreter), statement_(statement), scope_(std::move(scope)) {}

  Flow run(const Value& iterable, int depth0) {
    Interpreter& interpreter = interpreter_;
    const auto loop = make_loop(iterable, depth0);
    bool run_else = true;
    Flow flow = Flow::kNormal;
    while (loop->advance()) {
      const auto scope = std::make_shared<Scope>(scope_);
      scope->set("loop", Value(ObjectRef(loop)));
      interpreter.assign(*statement_.targets[0], loop->current(), scope);
      flow = interpreter.run_block(statement_.bodies[0], scope);
      if (flow == Flow::kBreak) break;
      if (flow == Flow::kNormal) run_else = false;  // as Jinja2: set at the body's end, so `continue` skips it
    }
    loop->unlink();
    if (!run_else || statement_.bodies.size() < 2) return Flow::kNormal;
    return interpreter.run_block(statement_.bodies[1], std::make_shared<Scope>(scope_));
  }

 private:
  std::shared_ptr<Loop> make_loop(const Value& iterable, int depth0) {
    Runtime& runtime = interpreter_.runtime();
    Loop::Recurse recurse;
    if (statement_.recursive) {
      recurse = [run = *this](const Value& inner, int depth) mutable {
        Runtime& shared = run.interpreter_.runtime();
        const DepthGuard guard(shared.depth, shared.limits().depth);
        Capture capture(run.interpreter_.out_, run.interpreter_.outer_bytes_);
        run.run(inner, depth);
        return shared.text(std::move(capture.text));
      };
    }
    Next next = iterate(runtime, iterable);
    if (statement_.exprs[1] == nullptr) {
      const bool sized = !iterable.is_undefined();
      return std::make_shared<Loop>(std::move(next), sized ? length_of(iterable) : std::nullopt, depth0,
                                    std::move(recurse));
    }
    Next filtered = [this, next = std::move(next)]() -> std::optional<Value> {
      while (auto item = next()) {
        const auto scope = std::make_shared<Scope>(scope_);
        interpreter_.assign(*statement_.targets[0], *item, scope);
        if (truth(interpreter_.evaluate(*statement_.exprs[1], scope))) return item;
      }
      return std::nullopt;
    };
    return std::make_shared<Loop>(std::move(filtered), std::nullopt, depth0, std::move(recurse));
  }

  Interpreter& interpreter_;
  const Stmt& statement_;
  ScopeRef scope_;
};

Flow Interpreter::run_for(const Stmt& statement, const ScopeRef& scope) {
  return LoopRun(*this, statement, scope).run(evaluate(*statement.exprs[0], scope), 0);
}

Flow Interpreter::run_set_block(const Stmt& statement, const ScopeRef& scope) {
  Value value;
  {
    Capture capture(out_, outer_bytes_);
    const Flow flow = run_block(statement.bodies[0], std::make_shared<Scope>(scope));
    if (flow != Flow::kNormal) return flow;
    value = runtime_.text(std::move(capture.text));
  }
  if (statement.exprs[0] != nullptr) value = apply_filters(*statement.exprs[0], std::move(value), scope);
  assign(*statement.targets[0], std::move(value), scope);
  return Flow::kNormal;
}

Flow Interpreter::run_filter_block(const Stmt& statement, const ScopeRef& scope) {
  Value value;
  const auto inner = std::make_shared<Scope>(scope);
  {
    Capture capture(out_, outer_bytes_);
    const Flow flow = run_block(statement.bodies[0], inner);
    if (flow != Flow::kNormal) return flow;
    value = runtime_.text(std::move(capture.text));
  }
  write(str(apply_filters(*statement.exprs[0], std::move(value), inner)));
  return Flow::kNormal;
}

Flow Interpreter::run_with(const Stmt& statement, const ScopeRef& scope) {
  const auto inner = std::make_shared<Scope>(scope);
  for (std::size_t i = 0; i < statement.targets.size(); ++i)
    inner->set(statement.targets[i]->name, evaluate(*statement.exprs[i], scope));
  return run_block(statement.bodies[0], inner);
}

void Interpreter::run_call_block(const Stmt& statement, const ScopeRef& scope) {
  const Value caller = make_macro(statement, scope);
  write(str(evaluate_call(*statement.exprs[0], scope, &caller)));
}

}  // namespace tetrad::jinja
