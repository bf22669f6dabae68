// Templates made to hang, to fill the memory or to overflow the stack: each ends in an error of one line.
#include <gmock/gmock.h>

#include <chrono>
#include <nlohmann/json.hpp>

#include "jinja/template.h"

namespace tetrad::jinja {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

std::string times(std::string_view text, int count) {
  std::string out;
  for (int i = 0; i < count; ++i) out += text;
  return out;
}

// The text of the error, or "no error: " and the output's beginning.
std::string error_of(const std::string& source) {
  RenderLimits limits;
  limits.steps = 300'000;
  limits.output_bytes = 1 << 20;
  limits.value_bytes = 8 << 20;
  const auto parsed = Template::parse(source, "t");
  const auto result = parsed ? parsed->render(Json::object(), limits) : tl::make_unexpected(parsed.error());
  if (result) return "no error: " + result->substr(0, 100);
  EXPECT_THAT(result.error().message, Not(HasSubstr("\n")));
  EXPECT_LT(result.error().message.size(), 1000U);
  return result.error().message;
}

struct Hostile {
  std::string source, reason;
};

void expect_errors(const std::vector<Hostile>& cases) {
  for (const auto& [source, reason] : cases) EXPECT_THAT(error_of(source), HasSubstr(reason)) << source.substr(0, 200);
}

TEST(Limits, OfSteps) {
  const std::string doubled =
      "{% set ns = namespace(a=[1], b=[1]) %}"
      "{% for i in range(100) %}{% set ns.a = [ns.a, ns.a] %}{% set ns.b = [ns.b, ns.b] %}{% endfor %}";
  expect_errors({
      {"{% for a in range(100000) %}{% for b in range(100000) %}{% endfor %}{% endfor %}", "300000 steps"},
      {"{% macro f(n) %}{% if n %}{{ f(n - 1) }}{{ f(n - 1) }}{% endif %}{% endmacro %}{{ f(100) }}", "300000 steps"},
      {doubled + "{{ ns.a == ns.b }}", "300000 steps"},
      {doubled + "{{ ns.a < ns.b }}", "300000 steps"},
      {doubled + "{{ ns.a in [ns.b] }}", "300000 steps"},
      {doubled + "{{ ns.a }}", "300000 steps"},
      {doubled + "{{ ns.a | tojson }}", "longer than"},
      {"{% set ns = namespace(a=(1,)) %}{% for i in range(100) %}{% set ns.a = (ns.a, ns.a) %}{% endfor %}{{ {ns.a: 1} "
       "}}",
       "300000 steps"},
      {"{% set x = 'a' * 1000000 %}{% set y = 'a' * 1000000 ~ '' %}{% for i in range(100) %}{{ x == y }}{% endfor %}",
       "300000 steps"},
      {"{% set x = 'a' * 1000000 %}{% for i in range(1000) %}{{ x.startswith('b') }}{% endfor %}", "300000 steps"},
  });
}

TEST(Limits, OfMemory) {
  expect_errors({
      {"{% set ns = namespace(s='aaaaaaaaaa') %}{% for i in range(99) %}{% set ns.s = ns.s ~ ns.s %}{% endfor %}",
       "8 MiB"},
      {"{% set ns = namespace(s='aaaaaaaaaa') %}{% for i in range(99) %}{% set ns.s = ns.s + ns.s %}{% endfor %}",
       "8 MiB"},
      {"{% set ns = namespace(s=[1]) %}{% for i in range(99) %}{% set ns.s = ns.s + ns.s %}{% endfor %}", "8 MiB"},
      {"{{ 'a' * 10 ** 12 }}", "8 MiB"},
      {"{{ [1] * 10 ** 12 }}", "8 MiB"},
      {"{{ ('a' * 10000).replace('a', 'a' * 10000) }}", "8 MiB"},
      {"{{ ('a' * 10000).replace('', 'a' * 10000) }}", "8 MiB"},
      {"{{ ('a' * 10000).join('a' * 10000) }}", "8 MiB"},
      {"{{ ('%1000s' * 100000) % (('a',) * 100000) }}", "8 MiB"},
      {"{{ '{:>100000000}'.format(1) }}", "8 MiB"},
      {"{{ 'a' | center(10 ** 12) }}{{ 'a'.ljust(10 ** 13) }}", "8 MiB"},
      {"{{ 'a'.zfill(10 ** 20) }}", "8 MiB"},
      {"{{ ('a\n' * 10000) | indent(10 ** 5) }}", "8 MiB"},
      {"{{ [1] | batch(10 ** 12, 0) | list }}", "8 MiB"},
      {"{{ [1] | slice(10 ** 12) | list }}", "8 MiB"},
      {"{% for i in range(100000) %}{% macro f() %}{% endmacro %}{% endfor %}", "too many namespaces and macros"},
  });
}

TEST(Limits, OfTheOutput) {
  expect_errors({
      {"{% for a in range(1000) %}{{ 'a' * 10000 }}{% endfor %}", "the output is longer than 1048576 bytes"},
      {"{% macro f() %}{% for a in range(1000) %}{{ 'a' * 10000 }}{% endfor %}{% endmacro %}{{ f() }}",
       "the output is longer"},
      {"{% set x %}{% for a in range(1000) %}{{ 'a' * 10000 }}{% endfor %}{% endset %}", "the output is longer"},
  });
}

TEST(Limits, OfDepth) {
  const std::string nest = "{% set ns = namespace(c=[]) %}{% for i in range(1000) %}";
  expect_errors({
      {"{% macro f(n) %}{{ f(n + 1) }}{% endmacro %}{{ f(0) }}", "nested deeper"},
      {"{% macro f() %}{% call f() %}{{ caller() }}{% endcall %}{% endmacro %}{{ f() }}", "nested deeper"},
      {"{% for x in [1] recursive %}{{ loop([1]) }}{% endfor %}", "nested deeper"},
      {"{% macro f() %}{% for x in [1] recursive %}{{ [[[[[[[[ f() ]]]]]]]] }}{% endfor %}{% endmacro %}{{ f() }}",
       "nested deeper"},
      {nest + "{% set ns.c = [ns.c] %}{% endfor %}", "nested deeper"},
      {nest + "{% set ns.c = {1: ns.c} %}{% endfor %}", "nested deeper"},
      {nest + "{% set ns.c = [ns.c.copy] %}{% endfor %}", "nested deeper"},
      {nest + "{% set ns.c = [1] if i == 0 else ns.c | map('abs') %}{% endfor %}{{ ns.c | list }}", "nested deeper"},
      {"{% set ns = namespace() %}{% set ns.a = [ns, ns] %}{{ ns }}",
       "no error: <Namespace {'a': [<Namespace {...}>, <Namespace {...}>]}>"},
  });
  EXPECT_THAT(error_of(nest + "{% set ns.c = namespace(c=ns.c) %}{% endfor %}"), HasSubstr("no error"));
}

TEST(Limits, OfTheSource) {
  for (const char* open : {"(", "[", "{1:", "not ", "-", "1+", "1 and ", "1**", "1 if 0 else ", "f("})
    EXPECT_THAT(error_of("{{ " + times(open, 100'000) + "1 }}"), HasSubstr("bad template")) << open;
  for (const char* more : {"|abs", ".a", "[0]", "()", " is odd"})
    EXPECT_THAT(error_of("{{ 1" + times(more, 100'000) + " }}"), Not(HasSubstr("no error"))) << more;
  for (const char* block :
       {"{% if 1 %}", "{% for a in [1] %}", "{% macro f() %}", "{% filter upper %}", "{% raw %}", "{#", "{{", "{%-"})
    EXPECT_THAT(error_of(times(block, 100'000)), HasSubstr("bad template")) << block;
  EXPECT_THAT(error_of("{% for " + times("(", 100'000)), HasSubstr("bad template"));
  EXPECT_THAT(error_of("{{ '" + times("\\", 100'001) + "' }}"), HasSubstr("bad template"));
}

TEST(Limits, OfNumbers) {
  expect_errors({
      {"{{ 10 ** 10 ** 10 }}", "127 bits"},
      {"{{ 2 ** 126 + 2 ** 126 }}", "127 bits"},
      {"{{ 0 - 2 ** 126 - 2 ** 126 }}", "127 bits"},
      {"{{ (-2) ** 127 }}", "127 bits"},
      {"{{ (1 - 2 ** 126 - 2 ** 126) | abs }}{{ -(1 - 2 ** 126 - 2 ** 126) }}",
       "no error: 170141183460469231731687303715884105727"},
      {"{{ (2 ** 126 + (2 ** 126 - 1)) % (0 - 2 ** 126) }}", "no error: -1"},
      {"{{ 9007199254740993 == 9007199254740992.0 }}{{ 9007199254740992 == 9007199254740992.0 }}",
       "no error: FalseTrue"},
      {"{{ 99999999999999999999999999999999999999999999 }}", "127 bits"},
      {"{{ 1e300 | int }}", "127 bits"},
      {"{{ '9' * 60 | int }}", "no error"},
      {"{{ ('9' * 60) | int }}", "127 bits"},
      {"{{ range(10 ** 12) }}", "Range too big"},
      {"{{ range(10 ** 35) }}", "too large"},
      {"{{ 'abc'[10 ** 36::10 ** 36] }}{{ [1][2 ** 126:-(2 ** 126):-(2 ** 126)] }}{{ range(5)[::10 ** 36] }}",
       "no error"},
      {"{{ [1].index(1, -(2 ** 126), 2 ** 126) }}{{ 'b'.find('b', -(2 ** 126), 2 ** 126) }}", "no error: 00"},
      {"{{ 1.5 | round(10 ** 9) }}{{ 5 | round(-10 ** 37) }}", "no error"},
      {"{{ '%.1000000000f' % 1.5 }}", "width too big"},
      {"{{ '{:.1000000000f}'.format(1.5) }}", "not supported"},
      {"{% set m = 1 - 2 ** 126 - 2 ** 126 %}{{ m % -1 }}{{ '%d %x' % (m, m) }}{{ '{:,}{:+d}{:#b}'.format(m, m, m) "
       "}}{{ m is even }}"
       "{{ m | tojson }}{{ m * 1.0 }}{{ m / -1 }}{{ m < 1.0 }}{{ {m: 1}[m] }}{{ 'a'.center(m) }}{{ 'abc'[m:m:m] }}{{ "
       "'a,b'.split(',', m) }}",
       "no error"},
      {"{% set m = 2 ** 126 + (2 ** 126 - 1) %}{{ 'a' | truncate(m, leeway=m) }}{{ 'aa'.replace('a', 'b', m) }}{{ "
       "[1][m:] }}{{ [1] | batch(m) | list }}",
       "no error: abb[][[1]]"},
      {"{{ (1 - 2 ** 126 - 2 ** 126) | round(-3) }}", "127 bits"},
      {"{{ (1 - 2 ** 126 - 2 ** 126) * -2 }}", "127 bits"},
      {"{{ range(1 - 2 ** 126 - 2 ** 126) }}", "too large"},
  });
}

TEST(Limits, SlowSearchesAreLinear) {
  const std::string texts = "{% set h = 'a' * 2000000 %}{% set n = 'a' * 1000000 %}";
  for (const char* use :
       {"(n ~ 'b') in h", "h.find(n ~ 'b')", "h.rfind('b' ~ n)", "h.count(n ~ 'b')", "h.split(n ~ 'b') | length",
        "h.rsplit('b' ~ n) | length", "h.partition(n ~ 'b') | length", "h.rpartition('b' ~ n) | length",
        "h.replace(n ~ 'b', '') | length", "h.strip('b' * 1000000) | length"})
    EXPECT_THAT(error_of(texts + "{{ " + use + " }}"), HasSubstr("no error")) << use;
}

TEST(Limits, OfTime) {
  RenderLimits limits;
  limits.wall_clock = std::chrono::milliseconds(20);
  limits.steps = std::uint64_t{1} << 60;
  const auto parsed =
      Template::parse("{% for a in range(100000) %}{% for b in range(100000) %}{% endfor %}{% endfor %}", "t");
  ASSERT_TRUE(parsed.has_value());
  const auto result = parsed->render(Json::object(), limits);
  ASSERT_FALSE(result.has_value());
  EXPECT_THAT(result.error().message, HasSubstr("20 ms"));
}

// A loop's filter that asks the loop itself for its length, through a namespace.
TEST(Limits, ALoopCannotWaitForItself) {
  expect_errors(
      {{"{% set ns = namespace(n=0) %}{% for a in [1, 2, 3] if ns.n == 0 or ns.l.length %}"
        "{% set ns.l = loop %}{% set ns.n = 1 %}{% endfor %}",
        "generator already executing"}});
}

}  // namespace
}  // namespace tetrad::jinja
