#include "jinja/parser.h"

#include <algorithm>
#include <initializer_list>
#include <string>
#include <unordered_set>

#include "jinja/expression_parser.h"
#include "jinja/runtime.h"
#include "jinja/token_stream.h"
#include "jinja/validate.h"

namespace tetrad::jinja {
namespace {

constexpr int kMaxStatementDepth = 200;
using Ends = std::initializer_list<std::string_view>;

bool names_loop(const Expr& target) {
  if (target.kind == ExprKind::kName) return target.name == "loop";
  return std::any_of(target.children.begin(), target.children.end(), [](const ExprPtr& e) { return names_loop(*e); });
}

class Parser {
 public:
  explicit Parser(std::string_view source) : stream_(tokenize(source)), expressions_(stream_) {}

  Block run() {
    Block block = statements({});
    if (!stream_.is(TokenKind::kEnd)) stream_.fail_here("unexpected '" + describe(stream_.current()) + "'");
    return block;
  }

 private:
  using StmtPtr = std::unique_ptr<Stmt>;

  // Statements up to a block tag named in `ends`, whose name is then current. With no ends: up to the end of the
  // template.
  Block statements(Ends ends) {
    const DepthGuard guard(depth_, kMaxStatementDepth);
    Block block;
    while (!stream_.is(TokenKind::kEnd)) {
      if (stream_.is(TokenKind::kData)) {
        auto text = std::make_unique<Stmt>(StmtKind::kText, stream_.line());
        text->text = stream_.take().text;
        block.push_back(std::move(text));
      } else if (stream_.is(TokenKind::kVariableBegin)) {
        auto output = std::make_unique<Stmt>(StmtKind::kOutput, stream_.take().line);
        output->exprs.push_back(expressions_.tuple());
        stream_.expect(TokenKind::kVariableEnd);
        block.push_back(std::move(output));
      } else {
        stream_.expect(TokenKind::kBlockBegin);
        if (ends.size() > 0 && stream_.is_name_in(ends)) return block;
        if (StmtPtr made = statement(ends)) block.push_back(std::move(made));
        stream_.expect(TokenKind::kBlockEnd);
      }
    }
    if (ends.size() > 0) {
      std::string wanted;
      for (const auto end : ends) wanted += (wanted.empty() ? "'" : " or '") + std::string(end) + "'";
      stream_.fail_here("Unexpected end of template. Jinja was looking for the following tags: " + wanted);
    }
    return block;
  }

  Block body(Ends ends) {
    stream_.skip_operator(":");
    stream_.expect(TokenKind::kBlockEnd);
    return statements(ends);
  }
  // A body with one end tag, which is taken.
  Block closed_body(std::string_view end) {
    Block block = body({end});
    stream_.take();
    return block;
  }
  // The body of something that is called: `break` does not reach the loops around it.
  Block called_body(std::string_view end) {
    const int loops = std::exchange(loops_, 0);
    Block block = closed_body(end);
    loops_ = loops;
    return block;
  }

  StmtPtr statement(Ends ends) {
    if (!stream_.is(TokenKind::kName)) stream_.fail_here("tag name expected");
    const std::string tag = stream_.current().text;
    const int line = stream_.line();
    if (tag == "if") return if_statement(line);
    if (tag == "for") return for_statement(line);
    if (tag == "set") return set_statement(line);
    if (tag == "macro") return macro(line);
    if (tag == "call") return call_block(line);
    if (tag == "filter") return filter_block(line);
    if (tag == "with") return with(line);
    if (tag == "print") return print(line);
    if (tag == "generation") return generation(line);
    if (tag == "block") return named_block(line);
    if (tag == "break" || tag == "continue") {
      if (loops_ == 0) stream_.fail_here("'" + tag + "' outside of a loop");
      stream_.take();
      return std::make_unique<Stmt>(tag == "break" ? StmtKind::kBreak : StmtKind::kContinue, line);
    }
    if (tag == "include" || tag == "import" || tag == "from" || tag == "extends" || tag == "autoescape")
      throw Fault{"the tag '" + tag + "' is not supported", line, ErrorCode::kUnsupported};
    std::string wanted;
    for (const auto end : ends) wanted += (wanted.empty() ? "; looking for '" : " or '") + std::string(end) + "'";
    stream_.fail_here("Encountered unknown tag '" + tag + "'" + wanted);
  }

  StmtPtr if_statement(int line) {
    auto node = std::make_unique<Stmt>(StmtKind::kIf, line);
    for (;;) {
      stream_.take();  // if or elif
      node->exprs.push_back(expressions_.tuple(false));
      node->bodies.push_back(body({"elif", "else", "endif"}));
      if (stream_.is_name("elif")) continue;
      if (stream_.take().text == "else") node->bodies.push_back(closed_body("endif"));
      return node;
    }
  }

  StmtPtr for_statement(int line) {
    auto node = std::make_unique<Stmt>(StmtKind::kFor, line);
    stream_.take();
    node->targets.push_back(expressions_.target());
    if (names_loop(*node->targets[0])) throw Fault{"Can't assign to special loop variable in for-loop target", line};
    stream_.expect_name("in");
    node->exprs.push_back(expressions_.tuple(false));
    node->exprs.push_back(stream_.skip_name("if") ? expressions_.expression() : nullptr);
    node->recursive = stream_.skip_name("recursive");
    // The body of a recursive loop is a function in Jinja2, but the loop itself is in it.
    ++loops_;
    node->bodies.push_back(body({"endfor", "else"}));
    --loops_;
    if (stream_.take().text == "else") node->bodies.push_back(closed_body("endfor"));
    return node;
  }

  StmtPtr set_statement(int line) {
    stream_.take();
    auto node = std::make_unique<Stmt>(StmtKind::kSet, line);
    node->targets.push_back(expressions_.target(true));
    if (stream_.skip_operator("=")) {
      node->exprs.push_back(expressions_.tuple());
      return node;
    }
    node->kind = StmtKind::kSetBlock;
    node->exprs.push_back(expressions_.filter_chain(nullptr, false));
    node->bodies.push_back(closed_body("endset"));
    return node;
  }

  Signature signature() {
    Signature result;
    std::unordered_set<std::string> seen;
    stream_.expect_operator("(");
    while (!stream_.is_operator(")")) {
      if (!result.names.empty()) stream_.expect_operator(",");
      std::string name = expressions_.target_name();
      if (seen.size() >= kMaxNamedArguments) stream_.fail_here("more than 1000 arguments");
      if (!seen.insert(name).second) stream_.fail_here("duplicate argument '" + name + "'");
      result.names.push_back(std::move(name));
      if (stream_.skip_operator("="))
        result.defaults.push_back(expressions_.expression());
      else if (!result.defaults.empty())
        stream_.fail_here("non-default argument follows default argument");
    }
    stream_.expect_operator(")");
    return result;
  }

  void called(Stmt& node, std::string_view end) {
    const std::size_t begin = stream_.position();
    node.bodies.push_back(called_body(end));
    node.uses_varargs = stream_.reads("varargs", begin, stream_.position());
    node.uses_kwargs = stream_.reads("kwargs", begin, stream_.position());
    node.uses_caller = stream_.reads("caller", begin, stream_.position());
  }

  StmtPtr macro(int line) {
    stream_.take();
    auto node = std::make_unique<Stmt>(StmtKind::kMacro, line);
    node->name = expressions_.target_name();
    node->signature = signature();
    called(*node, "endmacro");
    return node;
  }

  StmtPtr call_block(int line) {
    stream_.take();
    auto node = std::make_unique<Stmt>(StmtKind::kCallBlock, line);
    node->name = "caller";
    if (stream_.is_operator("(")) node->signature = signature();
    node->exprs.push_back(expressions_.expression());
    if (node->exprs[0]->kind != ExprKind::kCall) throw Fault{"expected call", line};
    called(*node, "endcall");
    return node;
  }

  StmtPtr filter_block(int line) {
    stream_.take();
    auto node = std::make_unique<Stmt>(StmtKind::kFilterBlock, line);
    node->exprs.push_back(expressions_.filter_chain(nullptr, true));
    node->bodies.push_back(closed_body("endfilter"));
    return node;
  }

  StmtPtr with(int line) {
    stream_.take();
    auto node = std::make_unique<Stmt>(StmtKind::kWith, line);
    while (!stream_.is(TokenKind::kBlockEnd) && !stream_.is(TokenKind::kEnd)) {
      if (!node->targets.empty()) stream_.expect_operator(",");
      auto target = std::make_unique<Expr>(ExprKind::kName, stream_.line());
      target->name = expressions_.target_name();
      node->targets.push_back(std::move(target));
      stream_.expect_operator("=");
      node->exprs.push_back(expressions_.expression());
    }
    node->bodies.push_back(closed_body("endwith"));
    return node;
  }

  StmtPtr print(int line) {
    stream_.take();
    auto node = std::make_unique<Stmt>(StmtKind::kOutput, line);
    while (!stream_.is(TokenKind::kBlockEnd) && !stream_.is(TokenKind::kEnd)) {
      if (!node->exprs.empty()) stream_.expect_operator(",");
      node->exprs.push_back(expressions_.expression());
    }
    return node;
  }

  StmtPtr generation(int line) {
    stream_.take();
    auto node = std::make_unique<Stmt>(StmtKind::kScope, line);
    node->bodies.push_back(called_body("endgeneration"));
    return node;
  }

  StmtPtr named_block(int line) {
    stream_.take();
    auto node = std::make_unique<Stmt>(StmtKind::kBlock, line);
    node->name = stream_.expect_identifier();
    if (!block_names_.insert(node->name).second) throw Fault{"block '" + node->name + "' defined twice", line};
    if (stream_.is_name("scoped") || stream_.is_name("required"))
      throw Fault{"blocks with '" + stream_.current().text + "' are not supported", line, ErrorCode::kUnsupported};
    node->bodies.push_back(called_body("endblock"));
    stream_.skip_name(node->name);
    return node;
  }

  TokenStream stream_;
  ExpressionParser expressions_;
  std::unordered_set<std::string> block_names_;
  int depth_ = 0;
  int loops_ = 0;  // around the current statement, inside the innermost function
};

}  // namespace

Block parse_template(std::string_view source) {
  Block block = Parser(source).run();
  validate(block);
  return block;
}

}  // namespace tetrad::jinja
