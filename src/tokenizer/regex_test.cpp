#include "tokenizer/regex.h"

#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "base/log.h"
#include "tokenizer/regex_syntax.h"

namespace tetrad {
namespace {

using nlohmann::json;

TEST(Regex, MatchesAsOnigurumaDoes) {
  std::ifstream file(std::string(TETRAD_SOURCE_DIR) + "/tests/data/tokenizer/regex.json");
  const json data = json::parse(file);
  RegexScratch scratch;
  std::vector<Span> spans;
  for (const json& item : data["cases"]) {
    const std::string pattern = item["pattern"];
    const auto regex = Regex::compile(pattern, "test");
    ASSERT_TRUE(regex.has_value()) << regex.error().message;
    for (std::size_t i = 0; i < data["subjects"].size(); ++i) {
      const std::string text = data["subjects"][i];
      regex->find_all(text, scratch, spans);
      json found = json::array();
      std::size_t covered = 0;
      for (const Span& s : spans) {
        EXPECT_EQ(s.begin, covered);
        covered = s.end;
        if (s.is_match && s.begin != s.end) found.push_back({s.begin, s.end});
      }
      EXPECT_EQ(covered, text.size());
      EXPECT_EQ(found, item["matches"][i]) << pattern << " on " << text;
    }
  }
}

TEST(Regex, RefusesWhatItCannotTranslate) {
  for (const std::string pattern : {"(",
                                    ")",
                                    "[",
                                    "[]",
                                    "a**",
                                    "*a",
                                    "(?x:a)",
                                    "(?s:a)",
                                    "(?<n>a)",
                                    "(?(1)a)",
                                    "\\1",
                                    "\\k<n>",
                                    "\\g<0>",
                                    "\\K",
                                    "\\X",
                                    "\\Ga",
                                    "\\q",
                                    "\\",
                                    "\\p",
                                    "\\pL",
                                    "\\p{",
                                    "\\p{NoSuchScript}",
                                    "\\p{x=y}",
                                    "\\x{110000}",
                                    "\\x{d800}",
                                    "\\xE4",
                                    "\\u12",
                                    "[z-a]",
                                    "[[:punct:]]",
                                    "[a\\b]",
                                    "[a[^b]]",
                                    "[^[^a]b]",
                                    "a{100000}",
                                    "a(?i)b",
                                    "(?i:ss)",
                                    "(?i:\xC3\x9F)",
                                    "(?i:[\xC3\x9F])",
                                    "(?<=a+)b",
                                    "((a{900}){900}){900}"}) {
    const auto regex = Regex::compile(pattern, "decoder Replace");
    ASSERT_FALSE(regex.has_value()) << pattern;
    EXPECT_NE(regex.error().message.find("decoder Replace"), std::string::npos) << regex.error().message;
    EXPECT_EQ(regex.error().message.find('\n'), std::string::npos);
  }
  EXPECT_FALSE(Regex::compile(std::string(100'000, 'a'), "test").has_value());
  EXPECT_FALSE(Regex::compile(std::string(5'000, '('), "test").has_value());
  EXPECT_FALSE(Regex::compile(std::string(5'000, '['), "test").has_value());
  EXPECT_FALSE(Regex::literal("", "test").has_value());
}

// A pattern that would take 2^40 steps ends, and still covers the text.
TEST(Regex, CatastrophicPatternsGiveUp) {
  const auto regex = Regex::compile("(?:a|a)+[xy]", "test").value();
  RegexScratch scratch;
  std::vector<Span> spans;
  const std::string text(40, 'a');
  testing::internal::CaptureStderr();
  regex.find_all(text, scratch, spans);
  EXPECT_NE(testing::internal::GetCapturedStderr().find("gave up"), std::string::npos);
  ASSERT_EQ(spans.size(), 1U);
  EXPECT_EQ(spans[0].end, text.size());
}

// Needs a frame for every repetition: far more than the 32 KiB with which PCRE2's JIT starts.
TEST(Regex, DeepPatternsOnLongText) {
  const auto regex = Regex::compile("(?:ab|a)+", "test").value();
  RegexScratch scratch;
  std::vector<Span> spans;
  std::string text;
  while (text.size() < 200'000) text += "aba";
  regex.find_all(text, scratch, spans);
  ASSERT_EQ(spans.size(), 1U);
  EXPECT_TRUE(spans[0].is_match);
  EXPECT_EQ(spans[0].end, text.size());
}

}  // namespace
}  // namespace tetrad
