#include "tokenizer/regex_syntax.h"

#include <fmt/format.h>

#include <array>
#include <optional>
#include <utility>
#include <vector>

#include "base/utf8.h"

namespace tetrad {
namespace {

constexpr std::size_t kMaxNesting = 64;  // groups, and classes within classes

// Outside of brackets Oniguruma counts superscripts and fractions of Latin-1 as word characters too.
constexpr std::string_view kWord = R"(\p{Alphabetic}\p{M}\p{Nd}\p{Pc}\x{b2}\x{b3}\x{b9}\x{bc}-\x{be})";
constexpr std::string_view kWordInClass = R"(\p{Alphabetic}\p{M}\p{Nd}\p{Pc})";

constexpr std::array<std::pair<std::string_view, std::string_view>, 39> kProperties = {{
    {"letter", R"(\p{L})"},
    {"uppercaseletter", R"(\p{Lu})"},
    {"lowercaseletter", R"(\p{Ll})"},
    {"titlecaseletter", R"(\p{Lt})"},
    {"modifierletter", R"(\p{Lm})"},
    {"otherletter", R"(\p{Lo})"},
    {"mark", R"(\p{M})"},
    {"nonspacingmark", R"(\p{Mn})"},
    {"spacingmark", R"(\p{Mc})"},
    {"enclosingmark", R"(\p{Me})"},
    {"number", R"(\p{N})"},
    {"decimalnumber", R"(\p{Nd})"},
    {"letternumber", R"(\p{Nl})"},
    {"othernumber", R"(\p{No})"},
    {"punctuation", R"(\p{P})"},
    {"symbol", R"(\p{S})"},
    {"mathsymbol", R"(\p{Sm})"},
    {"currencysymbol", R"(\p{Sc})"},
    {"modifiersymbol", R"(\p{Sk})"},
    {"othersymbol", R"(\p{So})"},
    {"separator", R"(\p{Z})"},
    {"spaceseparator", R"(\p{Zs})"},
    {"lineseparator", R"(\p{Zl})"},
    {"paragraphseparator", R"(\p{Zp})"},
    {"other", R"(\p{C})"},
    {"control", R"(\p{Cc})"},
    {"format", R"(\p{Cf})"},
    {"unassigned", R"(\p{Cn})"},
    {"privateuse", R"(\p{Co})"},
    {"alpha", R"(\p{Alphabetic})"},
    {"alphabetic", R"(\p{Alphabetic})"},
    {"upper", R"(\p{Uppercase})"},
    {"uppercase", R"(\p{Uppercase})"},
    {"lower", R"(\p{Lowercase})"},
    {"lowercase", R"(\p{Lowercase})"},
    {"digit", R"(\p{Nd})"},
    {"space", R"(\s)"},
    {"alnum", R"(\p{Alphabetic}\p{Nd})"},
    {"word", kWordInClass},
}};

constexpr std::string_view kCategories =
    " L Lu Ll Lt Lm Lo M Mn Mc Me N Nd Nl No P Pc Pd Ps Pe Pi Pf Po S Sm Sc Sk So Z Zs Zl Zp C Cc Cf Cn Co ";

bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }
bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_hex(char c) { return is_digit(c) || ((c | 0x20) >= 'a' && (c | 0x20) <= 'f'); }

// A set of characters as PCRE2 writes it between brackets.
struct Set {
  std::string items;
  bool negated = false;
  std::string bracketed() const { return fmt::format("[{}{}]", negated ? "^" : "", items); }
};

class Translator {
 public:
  Translator(std::string_view pattern, const std::string& where) : pattern_(pattern), where_(where) {}

  Result<std::string> run() {
    while (!done()) TETRAD_TRY(step());
    if (!groups_.empty()) return fail("a group is not closed");
    return std::move(out_);
  }

 private:
  bool done() const { return at_ >= pattern_.size(); }
  char peek(std::size_t ahead = 0) const { return at_ + ahead < pattern_.size() ? pattern_[at_ + ahead] : '\0'; }
  bool starts(std::string_view text) const { return pattern_.substr(at_).starts_with(text); }

  Unexpected fail(const std::string& why) const {
    return make_error(ErrorCode::kUnsupported, "regular expression outside of what tetrad reads", where_,
                      fmt::format("{} at byte {} of {}", why, at_, printable(pattern_, 120)));
  }

  void atom(std::string_view text) {
    atom_ = out_.size();
    out_ += text;
  }

  Status step() {
    const char c = peek();
    if (c == '\\') return escape();
    if (c == '[') return char_class();
    if (c == '(') return open_group();
    if (c == ')') return close_group();
    if (c == '*' || c == '+' || c == '?') return quantifier(std::string(1, c), false);
    if (c == '{') return interval();
    if (c == '|') {
      out_ += pattern_[at_++];
      atom_.reset();
      return {};
    }
    if (caseless_ && folds_to_several())
      return fail("letters whose case folding joins or splits them, in a caseless part");
    const std::size_t start = at_;
    utf8_next(pattern_, at_);
    atom(pattern_.substr(start, at_ - start));
    return {};
  }

  // Oniguruma lets `(?i:ss)` match a sharp s, `(?i:fi)` a ligature and so on; PCRE2 folds letter by letter.
  bool folds_to_several() const {
    if (static_cast<unsigned char>(peek()) >= 0x80) return true;
    const std::string pair{static_cast<char>(peek() | 0x20), static_cast<char>(peek(1) | 0x20)};
    return pair == "ss" || pair == "ff" || pair == "fi" || pair == "fl" || pair == "st";
  }

  Status open_group() {
    if (groups_.size() >= kMaxNesting) return fail("groups nested too deeply");
    for (const std::string_view plain : {"(?:", "(?=", "(?!", "(?<=", "(?<!", "(?>"})
      if (starts(plain)) return push_group(plain, plain.size());
    if (!starts("(?")) return push_group("(?:", 1);  // nothing refers to captures
    std::string options;
    std::size_t n = 2;
    for (; peek(n) == 'i' || peek(n) == 'm' || peek(n) == '-'; ++n) options += peek(n) == 'm' ? 's' : peek(n);
    if (options.empty() || options.ends_with('-')) return fail("an unknown kind of group");
    const bool turns_on = options.find('i') < options.find('-'),
               turns_off = !turns_on && options.find('i') != std::string::npos;
    const bool caseless = turns_on || (caseless_ && !turns_off);
    if (peek(n) == ':') {
      TETRAD_TRY(push_group(fmt::format("(?{}:", options), n + 1));
      caseless_ = caseless;
      return {};
    }
    // In the middle of a pattern Ruby's `(?i)` encloses the alternatives that follow, Perl's does not.
    if (peek(n) != ')' || at_ != 0) return fail("an option outside of the pattern's begin");
    out_ += fmt::format("(?{})", options);
    at_ += n + 1;
    caseless_ = caseless;
    return {};
  }

  Status push_group(std::string_view text, std::size_t consumed) {
    groups_.push_back({out_.size(), caseless_});
    out_ += text;
    at_ += consumed;
    atom_.reset();
    return {};
  }

  Status close_group() {
    if (groups_.empty()) return fail("an unmatched parenthesis");
    atom_ = groups_.back().begin;
    caseless_ = groups_.back().caseless_before;
    groups_.pop_back();
    out_ += pattern_[at_++];
    return {};
  }

  Status interval() {
    std::size_t n = 1;
    std::string low, high;
    while (is_digit(peek(n))) low += peek(n++);
    const bool range = peek(n) == ',';
    if (range) ++n;
    while (range && is_digit(peek(n))) high += peek(n++);
    if (peek(n) != '}' || (low.empty() && high.empty())) {  // not an interval: a plain brace
      ++at_;
      atom("\\{");
      return {};
    }
    if (low.size() > 5 || high.size() > 5) return fail("a repeat count that is too large");
    at_ += n;
    std::string text = fmt::format("{{{}{}{}}}", low.empty() ? "0" : low, range ? "," : "", high);
    return quantifier(std::move(text), true, range);
  }

  // at_ stands on the last byte of the quantifier.
  Status quantifier(std::string text, bool is_interval, bool is_range = true) {
    if (!atom_) return fail("nothing to repeat");
    ++at_;
    const char suffix = peek();
    const bool wraps = is_interval && (suffix == '+' || (suffix == '?' && !is_range));
    if (wraps) {
      out_.insert(*atom_, "(?:");
      out_ += fmt::format("{}){}", text, suffix);
      ++at_;
    } else {
      out_ += text;
      if (suffix == '?' || suffix == '+') out_ += pattern_[at_++];
    }
    atom_.reset();  // a further quantifier would mean something else to PCRE2
    if (peek() == '*' || peek() == '+' || peek() == '?') return fail("a quantifier after a quantifier");
    return {};
  }

  Status escape() {
    const char c = peek(1);
    if (c == 'b' || c == 'B') {
      at_ += 2;
      const std::string w = fmt::format("[{}]", kWord);
      atom(c == 'b' ? fmt::format("(?:(?<={0})(?!{0})|(?<!{0})(?={0}))", w)
                    : fmt::format("(?:(?<={0})(?={0})|(?<!{0})(?!{0}))", w));
      return {};
    }
    if (c == 'A' || c == 'z' || c == 'Z' || c == 'R' || c == 'N') {
      atom(pattern_.substr(at_, 2));
      at_ += 2;
      return {};
    }
    const Set set = TETRAD_TRY(escaped_set(false));
    atom(set.bracketed());
    return {};
  }

  // An escape that stands for characters, inside or outside of brackets.
  Result<Set> escaped_set(bool in_class) {
    const char c = peek(1);
    switch (c) {
      case 'd':
      case 'D':
        return simple(R"(\p{Nd})", c == 'D');
      case 's':
      case 'S':
        return simple(R"(\s)", c == 'S');
      case 'w':
      case 'W':
        return simple(in_class ? kWordInClass : kWord, c == 'W');
      case 'h':
      case 'H':
        return simple("0-9a-fA-F", c == 'H');
      case 'v':
        return simple(R"(\x{0b})", false);
      case 'n':
      case 'r':
      case 't':
      case 'f':
      case 'a':
      case 'e':
        return simple(pattern_.substr(at_, 2), false);
      case 'p':
      case 'P':
        return property();
      case 'x':
      case 'u':
        return code_point();
      default:
        break;
    }
    if (is_letter(c) || is_digit(c) || c == '\0')
      return fail(fmt::format("the escape \\{}", is_letter(c) || is_digit(c) ? std::string(1, c) : ""));
    ++at_;
    const std::size_t start = at_;
    utf8_next(pattern_, at_);
    const std::string_view text = pattern_.substr(start, at_ - start);
    return Set{fmt::format("{}{}", text.size() == 1 ? "\\" : "", text), false};
  }

  Result<Set> simple(std::string_view items, bool negated) {
    at_ += 2;
    return Set{std::string(items), negated};
  }

  Result<Set> code_point() {
    std::string digits;
    if (peek(1) == 'x' && peek(2) == '{') {
      std::size_t n = 3;
      while (is_hex(peek(n))) digits += peek(n++);
      if (peek(n) != '}' || digits.empty() || digits.size() > 6) return fail("a malformed \\x{...}");
      at_ += n + 1;
      return Set{fmt::format("\\x{{{}}}", digits), false};
    }
    const std::size_t want = peek(1) == 'u' ? 4 : 2;
    for (std::size_t n = 0; n < want && is_hex(peek(2 + n)); ++n) digits += peek(2 + n);
    if (digits.size() != want) return fail("a malformed code point");
    if (want == 2 && digits[0] > '7')
      return fail("a single byte above \\x7f");  // Oniguruma would join bytes to a character
    at_ += 2 + want;
    return Set{fmt::format("\\x{{{}}}", digits), false};
  }

  Result<Set> property() {
    const bool outer = peek(1) == 'P';
    const std::size_t close = pattern_.find('}', at_);
    if (peek(2) != '{' || close == std::string_view::npos || close - at_ > 64) return fail("a malformed property");
    std::string_view name = pattern_.substr(at_ + 3, close - at_ - 3);
    const bool inner = name.starts_with('^');
    if (inner) name.remove_prefix(1);
    if (name.empty()) return fail("a property without a name");
    std::string folded;
    for (const char c : name) {
      if (!is_letter(c) && c != '_' && c != ' ' && c != '-')
        return fail(fmt::format("the property {}", printable(name, 40)));
      if (is_letter(c)) folded += static_cast<char>(c | 0x20);
    }
    at_ = close + 1;
    const bool negated = outer != inner;
    if (kCategories.find(fmt::format(" {} ", name)) != std::string_view::npos)
      return Set{fmt::format("\\p{{{}}}", name), negated};
    for (const auto& [known, items] : kProperties)
      if (known == folded) return Set{std::string(items), negated};
    return Set{fmt::format("\\p{{sc:{}}}", name),
               negated};  // a script, or PCRE2 will say that it knows none of this name
  }

  Status char_class() {
    const std::string text = TETRAD_TRY(class_text(0));
    atom(text);
    return {};
  }

  // From '[' to its ']': something that matches one character.
  Result<std::string> class_text(std::size_t depth) {
    if (depth >= kMaxNesting) return fail("classes nested too deeply");
    ++at_;
    const bool negated = peek() == '^';
    if (negated) ++at_;
    std::vector<std::string> parts;  // of an intersection
    do {
      parts.push_back(TETRAD_TRY(class_part(depth, negated && parts.empty())));
    } while (starts("&&") && (at_ += 2) > 0);
    if (peek() != ']') return fail("a class is not closed");
    ++at_;
    if (parts.size() == 1) return parts[0];
    if (negated) parts[0].erase(1, 1);  // class_part wrote [^...]; the negation is of the whole
    std::string all = parts.back();
    for (std::size_t i = 0; i + 1 < parts.size(); ++i) all = fmt::format("(?={}){}", parts[i], all);
    return negated ? fmt::format("(?:(?!{})[\\s\\S])", all) : fmt::format("(?:{})", all);
  }

  // Items up to `]` or `&&`, as a bracketed class; or a single nested class as it is.
  Result<std::string> class_part(std::size_t depth, bool negated) {
    std::string items, nested;
    std::size_t count = 0;
    for (; !done() && peek() != ']' && !starts("&&"); ++count) {
      if (starts("[:")) {
        items += TETRAD_TRY(posix_class());
      } else if (peek() == '[') {
        nested = TETRAD_TRY(class_text(depth + 1));
        const bool plain = nested.starts_with("[") && !nested.starts_with("[^");
        if (plain) {
          items += nested.substr(1, nested.size() - 2);
          nested.clear();
        } else if (count != 0 || (peek() != ']' && !starts("&&")) || negated) {
          return fail("a negated class within a class");
        } else {
          return nested;
        }
      } else if (peek() == '\\') {
        if (peek(1) == 'b') return fail("\\b within a class");
        const Set set = TETRAD_TRY(escaped_set(true));
        if (set.negated) {
          const std::string flipped = TETRAD_TRY(negated_item(set.items));
          items += flipped;
        } else {
          items += set.items;
        }
      } else {
        if (caseless_ && static_cast<unsigned char>(peek()) >= 0x80)
          return fail("a letter beyond ASCII in a caseless class");
        const std::size_t start = at_;
        utf8_next(pattern_, at_);
        items += pattern_.substr(start, at_ - start);
      }
    }
    if (count == 0) return fail("an empty class");
    return fmt::format("[{}{}]", negated ? "^" : "", items);
  }

  Result<std::string> negated_item(const std::string& items) const {
    if (items == R"(\s)") return std::string(R"(\S)");
    if (items.starts_with(R"(\p{)") && items.find('}') == items.size() - 1)
      return fmt::format("\\P{}", items.substr(2));
    return fail("a negated escape within a class");
  }

  Result<std::string> posix_class() {
    const std::size_t close = pattern_.find(":]", at_ + 2);
    if (close == std::string_view::npos || close - at_ > 20) return fail("a malformed POSIX class");
    const std::string_view name = pattern_.substr(at_ + 2, close - at_ - 2);
    for (const std::string_view known : {"alpha", "upper", "lower", "digit", "space", "alnum", "word"}) {
      if (known != name) continue;
      at_ = close + 2;
      for (const auto& [property, items] : kProperties)
        if (property == known) return std::string(items);
    }
    return fail("a POSIX class");
  }

  std::string_view pattern_;
  const std::string& where_;
  std::size_t at_ = 0;
  std::string out_;
  std::optional<std::size_t> atom_;  // where in out_ the thing begins that a quantifier would repeat
  struct Group {
    std::size_t begin;  // in out_
    bool caseless_before;
  };
  std::vector<Group> groups_;
  bool caseless_ = false;
};

}  // namespace

Result<std::string> oniguruma_to_pcre2(std::string_view pattern, const std::string& where) {
  return Translator(pattern, where).run();
}

}  // namespace tetrad
