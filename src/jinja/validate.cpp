#include "jinja/validate.h"

#include "jinja/builtins.h"

namespace tetrad::jinja {
namespace {

void check(const Expr* expr, bool soft);
void check_block(const Block& block, bool soft);

void check_args(const CallArgs& args, bool soft) {
  for (const auto& arg : args.positional) check(arg.get(), soft);
  for (const auto& [name, arg] : args.keyword) check(arg.get(), soft);
  check(args.star.get(), soft);
  check(args.double_star.get(), soft);
}

void check(const Expr* expr, bool soft) {
  if (expr == nullptr) return;
  soft = soft || expr->kind == ExprKind::kConditional;
  if (expr->kind == ExprKind::kFilter && !soft && !is_filter(expr->name))
    throw Fault{"No filter named '" + expr->name + "'", expr->line};
  if (expr->kind == ExprKind::kTest && !soft && !is_test(expr->name))
    throw Fault{"No test named '" + expr->name + "'", expr->line};
  for (const auto& child : expr->children) check(child.get(), soft);
  if (expr->args != nullptr) check_args(*expr->args, soft);
}

void check_statement(const Stmt& statement, bool soft) {
  // Only `if` softens, and only what stands in the same frame: the bodies of loops and macros are frames of their own.
  const bool inside_if = statement.kind == StmtKind::kIf;
  const bool same_frame = inside_if || statement.kind == StmtKind::kOutput || statement.kind == StmtKind::kSet;
  const bool head_soft = soft || inside_if;
  for (const auto& expr : statement.exprs) check(expr.get(), head_soft);
  for (const auto& expr : statement.signature.defaults) check(expr.get(), false);
  for (const Block& body : statement.bodies) check_block(body, same_frame && head_soft);
}

void check_block(const Block& block, bool soft) {
  for (const auto& statement : block) check_statement(*statement, soft);
}

}  // namespace

void validate(const Block& block) { check_block(block, false); }

}  // namespace tetrad::jinja
