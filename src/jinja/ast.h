// The syntax tree of a template: built by the parser, walked by the interpreter, immutable and shared between renders.
// One node type for expressions and one for statements, with the fields each kind uses listed at the kind: the
// interpreter's two switches are the only readers.
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "jinja/value.h"

namespace tetrad::jinja {

struct Expr;
using ExprPtr = std::unique_ptr<Expr>;

constexpr std::size_t kMaxNamedArguments = 1000;  // of one call or one macro: they are searched one by one

struct CallArgs {
  std::vector<ExprPtr> positional;
  std::vector<std::pair<std::string, ExprPtr>> keyword;
  ExprPtr star, double_star;  // *x and **x, or null
};

enum class ExprKind {
  kConst,         // constant
  kName,          // name
  kNamespaceRef,  // name.attribute as a target of set: name, text
  kTuple,         // children
  kList,          // children
  kDict,          // children: key, value, key, value ...
  kAttribute,     // children[0].name
  kItem,          // children[0][children[1]]
  kSlice,         // children[0][children[1] : children[2] : children[3]], the latter three may be null
  kCall,          // children[0](args)
  kFilter,        // children[0] | name(args); children[0] is null in filter blocks
  kTest,          // children[0] is name(args)
  kNot,
  kNegative,
  kPositive,  // children[0]
  kAnd,
  kOr,           // children[0], children[1]
  kCompare,      // children[0] operators[0] children[1] operators[1] children[2] ...
  kBinary,       // children[0] name children[1]
  kConcat,       // children
  kConditional,  // children[1] if children[0] else children[2] (may be null)
};

enum class CompareOp { kEq, kNe, kLt, kLe, kGt, kGe, kIn, kNotIn };
enum class BinaryOp { kAdd, kSub, kMul, kDiv, kFloorDiv, kMod, kPow };

struct Expr {
  ExprKind kind;
  int line;
  int depth = 1;  // 1 + that of the deepest child
  std::string name, text;
  Value constant;
  BinaryOp op = BinaryOp::kAdd;
  std::vector<CompareOp> operators;
  std::vector<ExprPtr> children;
  std::unique_ptr<CallArgs> args;

  Expr(ExprKind what, int at_line) : kind(what), line(at_line) {}
};

struct Stmt;
using Block = std::vector<std::unique_ptr<Stmt>>;

struct Signature {
  std::vector<std::string> names;
  std::vector<ExprPtr> defaults;  // of the last names
};

enum class StmtKind {
  kText,         // text
  kOutput,       // exprs
  kIf,           // exprs: tests, bodies: one more when there is an else
  kFor,          // targets[0], exprs[0] iterable, exprs[1] filter (may be null), bodies[0], bodies[1] else; recursive
  kSet,          // targets[0], exprs[0]
  kSetBlock,     // targets[0], exprs[0] filter (may be null), bodies[0]
  kMacro,        // name, signature, bodies[0]
  kCallBlock,    // signature, exprs[0] the call, bodies[0]
  kFilterBlock,  // exprs[0] filter, bodies[0]
  kWith,         // targets, exprs, bodies[0]
  kScope,        // bodies[0]: generation
  kBlock,        // bodies[0]: block without inheritance
  kBreak,
  kContinue,
};

struct Stmt {
  StmtKind kind;
  int line;
  std::string name, text;
  std::vector<ExprPtr> exprs, targets;
  std::vector<Block> bodies;
  Signature signature;
  bool recursive = false;
  bool uses_varargs = false, uses_kwargs = false, uses_caller = false;  // of macros: which special names the body reads

  Stmt(StmtKind what, int at_line) : kind(what), line(at_line) {}
};

}  // namespace tetrad::jinja
