#include "tokenizer/unicode.h"

#include <gtest/gtest.h>

#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <string>

#include "base/utf8.h"

namespace tetrad::unicode {
namespace {

using nlohmann::json;

std::size_t count(bool (*predicate)(char32_t)) {
  std::size_t n = 0;
  for (char32_t c = 0; c < 0x110000; ++c) n += (c < 0xD800 || c > 0xDFFF) && predicate(c);
  return n;
}

TEST(Unicode, FormsAndLowerCaseAreThoseOfTheReference) {
  std::ifstream file(std::string(TETRAD_SOURCE_DIR) + "/tests/data/tokenizer/unicode.json");
  const std::map<std::string, Form> forms{
      {"NFC", Form::kNfc}, {"NFD", Form::kNfd}, {"NFKC", Form::kNfkc}, {"NFKD", Form::kNfkd}};
  for (const json& item : json::parse(file)) {
    const std::string text = item[0];
    for (const auto& [name, form] : forms)
      EXPECT_EQ(normalize(text, form), item[1][name].get<std::string>()) << name << " of " << text;
    EXPECT_EQ(to_lower(text), item[1]["Lowercase"].get<std::string>()) << text;
  }
}

// Counted by asking the reference about every code point.
TEST(Unicode, ClassesHaveAsManyMembersAsInTheReference) {
  EXPECT_EQ(count(is_numeric), 1924U);
  EXPECT_EQ(count(is_punctuation), 726U);
  EXPECT_EQ(count(is_white_space), 25U);
}

TEST(Unicode, SubstitutesKeepTheLength) {
  char32_t last = 0;
  for (const Substitute& s : class_substitutes()) {
    EXPECT_GT(s.first, last);
    EXPECT_LE(s.first, s.last);
    last = s.last;
    std::string a, b, c;
    utf8_append(a, s.first);
    utf8_append(b, s.last);
    utf8_append(c, s.replacement);
    EXPECT_EQ(a.size(), c.size());
    EXPECT_EQ(b.size(), c.size());
  }
  std::string buffer;
  EXPECT_EQ(with_reference_classes("plain \xE4\xB8\xAD", buffer), "plain \xE4\xB8\xAD");
  EXPECT_TRUE(buffer.empty());
  EXPECT_EQ(with_reference_classes("x\xE1\xA0\x8Ey", buffer), "x\xE2\x81\xA0y");  // U+180E is no space any more
}

// Ordering the marks must not be quadratic: this would take minutes.
TEST(Unicode, LongRunsOfMarks) {
  std::string text = "a";
  for (int i = 0; i < 200'000; ++i) text += "\xCC\x81\xCC\xA3";  // class 230, then 220
  const std::string ordered = normalize(text, Form::kNfd);
  EXPECT_EQ(ordered.size(), text.size());
  EXPECT_EQ(ordered.substr(0, 5), "a\xCC\xA3\xCC\xA3");
}

}  // namespace
}  // namespace tetrad::unicode
