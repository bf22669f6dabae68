// Against Jinja2: tests/data/jinja/snippets.json holds what Jinja2 3.1.6 makes of each snippet in transformers'
// environment (tools/make_jinja_goldens.py). A snippet that fails there must fail here too, in one line.
#include "jinja/template.h"

#include <gmock/gmock.h>

#include <cstdlib>
#include <nlohmann/json.hpp>
#include <thread>

#include "base/files.h"

namespace tetrad::jinja {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

constexpr std::time_t kFixedSecond = 1'700'000'000;  // 2023-11-14 22:13:20 UTC

Json data(const std::string& name) { return *read_json_file(TETRAD_SOURCE_DIR "/tests/data/jinja/" + name); }

Result<std::string> render(const std::string& source, const Json& variables, const RenderLimits& limits = {}) {
  const auto parsed = Template::parse(source, "test.jinja");
  if (!parsed) return tl::make_unexpected(parsed.error());
  return parsed->render(variables, limits);
}

TEST(Template, RendersEachSnippetAsJinja2) {
  setenv("TZ", "UTC", 1);
  tzset();
  RenderLimits limits;
  limits.clock = [] { return kFixedSecond; };
  const Json variables = data("variables.json");
  const Json snippets = data("snippets.json");
  ASSERT_GE(snippets.size(), 1000U);
  for (const Json& snippet : snippets) {
    const auto source = snippet["source"].get<std::string>();
    const auto result = render(source, variables, limits);
    if (snippet.contains("error")) {
      EXPECT_FALSE(result.has_value()) << source << "\ngives " << result.value_or("");
      if (!result) {
        EXPECT_THAT(result.error().message, Not(HasSubstr("\n"))) << source;
      }
    } else {
      ASSERT_TRUE(result.has_value()) << source << "\nfails: " << result.error().message;
      EXPECT_EQ(*result, snippet["output"].get<std::string>()) << source;
    }
  }
}

TEST(Template, ErrorsNameTheTemplateAndTheLine) {
  const auto bad = Template::parse("a\n{% if %}", "x/chat_template.jinja");
  ASSERT_FALSE(bad.has_value());
  EXPECT_THAT(bad.error().message, HasSubstr("x/chat_template.jinja:2: "));
  const auto failed = render("\n\n{{ raise_exception('no\nway') }}", Json::object());
  ASSERT_FALSE(failed.has_value());
  EXPECT_EQ(failed.error().code, ErrorCode::kInvalidInput);
  EXPECT_THAT(failed.error().message, HasSubstr("test.jinja:3: no"));
  EXPECT_THAT(failed.error().message, Not(HasSubstr("\n")));
}

TEST(Template, WhatIsLeftOutOfJinja2SaysSo) {
  for (const std::string source :
       {"{% include 'x' %}", "{% import 'x' as x %}", "{% extends 'x' %}", "{{ 'x' | pprint }}", "{{ self }}",
        "{{ 2 ** 200 }}", "{{ 'x'.encode() }}", "{{ 7 .bit_length() }}"}) {
    const auto result = render(source, Json::object());
    ASSERT_FALSE(result.has_value()) << source;
    EXPECT_THAT(result.error().message, HasSubstr("not supported")) << source;
  }
}

TEST(Template, RefusesVariablesThatAreNoObject) {
  EXPECT_FALSE(render("x", Json::array()).has_value());
  EXPECT_FALSE(Template::parse("\xff", "x").has_value());
}

TEST(Template, OneTemplateRendersInManyThreads) {
  const auto parsed =
      Template::parse("{% macro f(n) %}{{ n }}{% if n %}{{ f(n - 1) }}{% endif %}{% endmacro %}{{ f(n) }}", "t");
  ASSERT_TRUE(parsed.has_value());
  std::vector<std::string> results(8);
  std::vector<std::thread> threads;
  for (std::size_t i = 0; i < results.size(); ++i)
    threads.emplace_back([&, i] { results[i] = parsed->render(Json{{"n", i}}).value_or("failed"); });
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(results[0], "0");
  EXPECT_EQ(results[7], "76543210");
}

}  // namespace
}  // namespace tetrad::jinja
