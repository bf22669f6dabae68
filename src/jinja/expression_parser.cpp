#include "jinja/expression_parser.h"

#include <algorithm>
#include <optional>

#include "jinja/runtime.h"

namespace tetrad::jinja {
namespace {

constexpr int kMaxExprDepth = 200;  // CPython refuses about the same for the code Jinja2 generates

ExprPtr make(ExprKind kind, int line) { return std::make_unique<Expr>(kind, line); }

void add(Expr& parent, ExprPtr child) {
  if (child != nullptr) {
    parent.depth = std::max(parent.depth, child->depth + 1);
    if (parent.depth > kMaxExprDepth) throw Fault{"expressions are nested deeper than 200 levels", parent.line};
  }
  parent.children.push_back(std::move(child));
}

ExprPtr combine(ExprKind kind, int line, ExprPtr first, ExprPtr second = nullptr) {
  ExprPtr node = make(kind, line);
  add(*node, std::move(first));
  if (second != nullptr) add(*node, std::move(second));
  return node;
}

ExprPtr binary(BinaryOp op, int line, ExprPtr left, ExprPtr right) {
  ExprPtr node = combine(ExprKind::kBinary, line, std::move(left), std::move(right));
  node->op = op;
  return node;
}

void set_args(Expr& node, std::unique_ptr<CallArgs> args) {
  auto deepen = [&](const ExprPtr& child) {
    if (child != nullptr) node.depth = std::max(node.depth, child->depth + 1);
  };
  for (const auto& child : args->positional) deepen(child);
  for (const auto& [name, child] : args->keyword) deepen(child);
  deepen(args->star);
  deepen(args->double_star);
  if (node.depth > kMaxExprDepth) throw Fault{"expressions are nested deeper than 200 levels", node.line};
  node.args = std::move(args);
}

Value constant_text(std::string text) {
  return Value(StrRef(std::make_shared<const Str>(std::move(text), false, nullptr)));
}

ExprPtr constant(Value value, int line) {
  ExprPtr node = make(ExprKind::kConst, line);
  node->constant = std::move(value);
  return node;
}

bool is_assignable_name(std::string_view name) {
  return name != "true" && name != "false" && name != "none" && name != "True" && name != "False" && name != "None";
}

}  // namespace

ExprPtr ExpressionParser::conditional() {
  const DepthGuard guard(depth_, kMaxExprDepth);
  int line = stream_.line();
  ExprPtr value = logical_or();
  while (stream_.skip_name("if")) {
    ExprPtr test = logical_or();
    ExprPtr otherwise = stream_.skip_name("else") ? conditional() : nullptr;
    ExprPtr node = combine(ExprKind::kConditional, line, std::move(test), std::move(value));
    add(*node, std::move(otherwise));
    value = std::move(node);
    line = stream_.line();
  }
  return value;
}

ExprPtr ExpressionParser::logical_or() {
  ExprPtr left = logical_and();
  while (stream_.is_name("or")) {
    const int line = stream_.take().line;
    left = combine(ExprKind::kOr, line, std::move(left), logical_and());
  }
  return left;
}

ExprPtr ExpressionParser::logical_and() {
  ExprPtr left = logical_not();
  while (stream_.is_name("and")) {
    const int line = stream_.take().line;
    left = combine(ExprKind::kAnd, line, std::move(left), logical_not());
  }
  return left;
}

ExprPtr ExpressionParser::logical_not() {
  if (!stream_.is_name("not")) return comparison();
  const DepthGuard guard(depth_, kMaxExprDepth);
  const int line = stream_.take().line;
  return combine(ExprKind::kNot, line, logical_not());
}

namespace {

// The comparison operator at the front of the stream, taken from it.
std::optional<CompareOp> take_comparison(TokenStream& stream) {
  static constexpr std::pair<std::string_view, CompareOp> kOperators[] = {
      {"==", CompareOp::kEq}, {"!=", CompareOp::kNe}, {"<", CompareOp::kLt},
      {"<=", CompareOp::kLe}, {">", CompareOp::kGt},  {">=", CompareOp::kGe}};
  for (const auto& [text, op] : kOperators)
    if (stream.skip_operator(text)) return op;
  if (stream.skip_name("in")) return CompareOp::kIn;
  const Token& next = stream.look();
  if (stream.is_name("not") && next.kind == TokenKind::kName && next.text == "in") {
    stream.take();
    stream.take();
    return CompareOp::kNotIn;
  }
  return std::nullopt;
}

}  // namespace

ExprPtr ExpressionParser::comparison() {
  const int line = stream_.line();
  ExprPtr first = sum();
  auto op = take_comparison(stream_);
  if (!op) return first;
  ExprPtr node = combine(ExprKind::kCompare, line, std::move(first));
  for (; op; op = take_comparison(stream_)) {
    node->operators.push_back(*op);
    add(*node, sum());
  }
  return node;
}

ExprPtr ExpressionParser::sum() {
  ExprPtr left = concatenation();
  while (stream_.is_operator("+") || stream_.is_operator("-")) {
    const Token token = stream_.take();
    left = binary(token.text == "+" ? BinaryOp::kAdd : BinaryOp::kSub, token.line, std::move(left), concatenation());
  }
  return left;
}

ExprPtr ExpressionParser::concatenation() {
  const int line = stream_.line();
  ExprPtr first = product();
  if (!stream_.is_operator("~")) return first;
  ExprPtr node = combine(ExprKind::kConcat, line, std::move(first));
  while (stream_.skip_operator("~")) add(*node, product());
  return node;
}

ExprPtr ExpressionParser::product() {
  ExprPtr left = power();
  for (;;) {
    std::optional<BinaryOp> op;
    if (stream_.is_operator("*"))
      op = BinaryOp::kMul;
    else if (stream_.is_operator("/"))
      op = BinaryOp::kDiv;
    else if (stream_.is_operator("//"))
      op = BinaryOp::kFloorDiv;
    else if (stream_.is_operator("%"))
      op = BinaryOp::kMod;
    if (!op) return left;
    const int line = stream_.take().line;
    left = binary(*op, line, std::move(left), power());
  }
}

ExprPtr ExpressionParser::power() {
  ExprPtr left = unary();
  while (stream_.is_operator("**")) {
    const int line = stream_.take().line;
    left = binary(BinaryOp::kPow, line, std::move(left), unary());
  }
  return left;
}

ExprPtr ExpressionParser::unary(bool with_filter) {
  const DepthGuard guard(depth_, kMaxExprDepth);
  ExprPtr node;
  if (stream_.is_operator("-") || stream_.is_operator("+")) {
    const Token token = stream_.take();
    node = combine(token.text == "-" ? ExprKind::kNegative : ExprKind::kPositive, token.line, unary(false));
  } else {
    node = primary();
  }
  node = postfix(std::move(node));
  return with_filter ? filters(std::move(node)) : std::move(node);
}

ExprPtr ExpressionParser::primary() {
  if (stream_.is(TokenKind::kName)) {
    const Token token = stream_.take();
    if (token.text == "true" || token.text == "True") return constant(Value(true), token.line);
    if (token.text == "false" || token.text == "False") return constant(Value(false), token.line);
    if (token.text == "none" || token.text == "None") return constant(Value(None{}), token.line);
    ExprPtr node = make(ExprKind::kName, token.line);
    node->name = token.text;
    return node;
  }
  return literal();
}

ExprPtr ExpressionParser::literal() {
  const int line = stream_.line();
  if (stream_.is(TokenKind::kString)) {
    std::string text;
    while (stream_.is(TokenKind::kString)) text += stream_.take().text;
    return constant(constant_text(std::move(text)), line);
  }
  if (stream_.is(TokenKind::kInteger)) return constant(Value(stream_.take().integer), line);
  if (stream_.is(TokenKind::kFloat)) return constant(Value(stream_.take().real), line);
  if (stream_.skip_operator("(")) {
    ExprPtr node = tuple(true, true);
    stream_.expect_operator(")");
    return node;
  }
  if (stream_.is_operator("[")) return list();
  if (stream_.is_operator("{")) return dict();
  stream_.fail_here("unexpected '" + describe(stream_.current()) + "'");
}

ExprPtr ExpressionParser::list() {
  ExprPtr node = make(ExprKind::kList, stream_.take().line);
  while (!stream_.is_operator("]")) {
    if (!node->children.empty()) stream_.expect_operator(",");
    if (stream_.is_operator("]")) break;
    add(*node, expression());
  }
  stream_.expect_operator("]");
  return node;
}

ExprPtr ExpressionParser::dict() {
  ExprPtr node = make(ExprKind::kDict, stream_.take().line);
  while (!stream_.is_operator("}")) {
    if (!node->children.empty()) stream_.expect_operator(",");
    if (stream_.is_operator("}")) break;
    add(*node, expression());
    stream_.expect_operator(":");
    add(*node, expression());
  }
  stream_.expect_operator("}");
  return node;
}

bool ExpressionParser::tuple_end() const {
  // Not the names `in` and `recursive`: Jinja2 3.1 means to stop there, but its comparison never holds.
  return stream_.is(TokenKind::kVariableEnd) || stream_.is(TokenKind::kBlockEnd) || stream_.is_operator(")");
}

ExprPtr ExpressionParser::tuple(bool with_conditional, bool explicit_parentheses) {
  ExprPtr node = make(ExprKind::kTuple, stream_.line());
  bool is_tuple = false;
  for (;;) {
    if (!node->children.empty()) stream_.expect_operator(",");
    if (tuple_end()) break;
    add(*node, with_conditional ? conditional() : logical_or());
    if (!stream_.is_operator(",")) break;
    is_tuple = true;
  }
  if (!is_tuple && !node->children.empty()) return std::move(node->children[0]);
  if (!is_tuple && !explicit_parentheses)
    stream_.fail_here("Expected an expression, got '" + describe(stream_.current()) + "'");
  return node;
}

std::string ExpressionParser::target_name() {
  const int line = stream_.line();
  std::string name = stream_.expect_identifier();
  if (!is_assignable_name(name)) throw Fault{"can't assign to '" + name + "'", line};
  return name;
}

ExprPtr ExpressionParser::target(bool with_namespace) {
  const DepthGuard guard(depth_, kMaxExprDepth);
  auto one = [&]() -> ExprPtr {
    const int line = stream_.line();
    if (stream_.skip_operator("(")) {
      ExprPtr inner = target(false);
      stream_.expect_operator(")");
      return inner;
    }
    ExprPtr node = make(ExprKind::kName, line);
    node->name = target_name();
    if (with_namespace && stream_.skip_operator(".")) {
      node->kind = ExprKind::kNamespaceRef;
      node->text = stream_.expect_identifier();
    }
    return node;
  };
  ExprPtr node = make(ExprKind::kTuple, stream_.line());
  bool is_tuple = false;
  for (;;) {
    if (!node->children.empty()) stream_.expect_operator(",");
    if (tuple_end()) break;
    add(*node, one());
    if (!stream_.is_operator(",")) break;
    is_tuple = true;
  }
  if (!is_tuple && !node->children.empty()) return std::move(node->children[0]);
  if (node->children.empty()) stream_.fail_here("Expected an expression, got '" + describe(stream_.current()) + "'");
  return node;
}

ExprPtr ExpressionParser::postfix(ExprPtr value) {
  for (;;) {
    if (stream_.is_operator(".") || stream_.is_operator("["))
      value = subscript(std::move(value));
    else if (stream_.is_operator("("))
      value = call(std::move(value));
    else
      return value;
  }
}

ExprPtr ExpressionParser::filters(ExprPtr value) {
  for (;;) {
    if (stream_.is_operator("|"))
      value = filter_chain(std::move(value), false);
    else if (stream_.is_name("is"))
      value = test(std::move(value));
    else if (stream_.is_operator("("))
      value = call(std::move(value));
    else
      return value;
  }
}

ExprPtr ExpressionParser::subscript(ExprPtr value) {
  const Token token = stream_.take();
  if (token.text == "[") return subscript_item(std::move(value));
  if (stream_.is(TokenKind::kName)) {
    ExprPtr node = combine(ExprKind::kAttribute, token.line, std::move(value));
    node->name = stream_.take().text;
    return node;
  }
  if (!stream_.is(TokenKind::kInteger)) stream_.fail_here("expected name or number");
  const Token index = stream_.take();
  return combine(ExprKind::kItem, token.line, std::move(value), constant(Value(index.integer), index.line));
}

ExprPtr ExpressionParser::subscript_item(ExprPtr value) {
  const int line = stream_.line();
  if (stream_.is_operator("]")) {
    stream_.take();
    return combine(ExprKind::kItem, line, std::move(value), make(ExprKind::kTuple, line));
  }
  ExprPtr parts[3];
  if (!stream_.is_operator(":")) {
    ExprPtr first = expression();
    if (stream_.is_operator(",")) {
      ExprPtr index = combine(ExprKind::kTuple, line, std::move(first));
      while (stream_.skip_operator(",")) add(*index, expression());
      stream_.expect_operator("]");
      return combine(ExprKind::kItem, line, std::move(value), std::move(index));
    }
    if (!stream_.is_operator(":")) {
      stream_.expect_operator("]");
      return combine(ExprKind::kItem, line, std::move(value), std::move(first));
    }
    parts[0] = std::move(first);
  }
  for (int i = 1; i < 3 && stream_.skip_operator(":"); ++i)
    if (!stream_.is_operator(":") && !stream_.is_operator("]")) parts[i] = expression();
  stream_.expect_operator("]");
  ExprPtr node = combine(ExprKind::kSlice, line, std::move(value));
  for (ExprPtr& part : parts) add(*node, std::move(part));
  return node;
}

ExprPtr ExpressionParser::call(ExprPtr value) {
  ExprPtr node = combine(ExprKind::kCall, stream_.line(), std::move(value));
  set_args(*node, arguments());
  return node;
}

std::unique_ptr<CallArgs> ExpressionParser::arguments() {
  const int line = stream_.line();
  auto args = std::make_unique<CallArgs>();
  stream_.expect_operator("(");
  bool first = true;
  while (!stream_.is_operator(")")) {
    if (!first) {
      stream_.expect_operator(",");
      if (stream_.is_operator(")")) break;
    }
    argument(*args, line);
    first = false;
  }
  stream_.expect_operator(")");
  return args;
}

void ExpressionParser::argument(CallArgs& args, int line) {
  auto ensure = [&](bool good) {
    if (!good) throw Fault{"invalid syntax for function call expression", line};
  };
  const Token& next = stream_.look();
  if (stream_.is_operator("*")) {
    ensure(args.star == nullptr && args.double_star == nullptr);
    stream_.take();
    args.star = expression();
  } else if (stream_.is_operator("**")) {
    ensure(args.double_star == nullptr);
    stream_.take();
    args.double_star = expression();
  } else if (stream_.is(TokenKind::kName) && next.kind == TokenKind::kOperator && next.text == "=") {
    ensure(args.double_star == nullptr);
    std::string name = stream_.take().text;
    stream_.take();
    if (args.keyword.size() >= kMaxNamedArguments) throw Fault{"more than 1000 keyword arguments", line};
    for (const auto& [other, value] : args.keyword)
      if (other == name) throw Fault{"keyword argument repeated: " + name, line};
    args.keyword.emplace_back(std::move(name), expression());
  } else {
    ensure(args.star == nullptr && args.double_star == nullptr && args.keyword.empty());
    args.positional.push_back(expression());
  }
}

ExprPtr ExpressionParser::filter_chain(ExprPtr value, bool start_inline) {
  while (start_inline || stream_.is_operator("|")) {
    if (!start_inline) stream_.take();
    start_inline = false;
    ExprPtr node = combine(ExprKind::kFilter, stream_.line(), std::move(value));
    node->name = stream_.expect_identifier();
    while (stream_.skip_operator(".")) node->name += "." + stream_.expect_identifier();
    set_args(*node, stream_.is_operator("(") ? arguments() : std::make_unique<CallArgs>());
    value = std::move(node);
  }
  return value;
}

ExprPtr ExpressionParser::test(ExprPtr value) {
  const int line = stream_.take().line;
  const bool negated = stream_.skip_name("not");
  ExprPtr node = combine(ExprKind::kTest, line, std::move(value));
  node->name = stream_.expect_identifier();
  while (stream_.skip_operator(".")) node->name += "." + stream_.expect_identifier();
  auto args = std::make_unique<CallArgs>();
  const bool operand = stream_.is(TokenKind::kName) || stream_.is(TokenKind::kString) ||
                       stream_.is(TokenKind::kInteger) || stream_.is(TokenKind::kFloat) || stream_.is_operator("[") ||
                       stream_.is_operator("{");
  if (stream_.is_operator("(")) {
    args = arguments();
  } else if (operand && !stream_.is_name_in({"else", "or", "and"})) {
    if (stream_.is_name("is")) stream_.fail_here("You cannot chain multiple tests with is");
    args->positional.push_back(postfix(primary()));
  }
  set_args(*node, std::move(args));
  return negated ? combine(ExprKind::kNot, line, std::move(node)) : std::move(node);
}

}  // namespace tetrad::jinja
