#include "base/utf8.h"

#include <gmock/gmock.h>

namespace tetrad {
namespace {

TEST(Utf8, EveryCodePointRoundTrips) {
  for (char32_t c = 0; c <= 0x10FFFF; ++c) {
    if (c >= 0xD800 && c <= 0xDFFF) continue;
    std::string text;
    utf8_append(text, c);
    ASSERT_EQ(utf8_sequence_length(text), text.size()) << static_cast<unsigned>(c);
    std::size_t offset = 0;
    ASSERT_EQ(utf8_next(text, offset), c);
    ASSERT_EQ(offset, text.size());
  }
}

TEST(Utf8, RefusesIllFormedText) {
  for (const char* text :
       {"\x80", "\xc0\x80", "\xc1\xbf", "\xe0\x80\x80", "\xed\xa0\x80", "\xed\xbf\xbf", "\xf0\x80\x80\x80",
        "\xf4\x90\x80\x80", "\xf5\x80\x80\x80", "\xff", "\xe2\x82", "a\xf0\x9f\x98"})
    EXPECT_FALSE(is_valid_utf8(text)) << text;
  EXPECT_TRUE(is_valid_utf8("aä€😀"));
  EXPECT_TRUE(is_valid_utf8(""));
}

// The examples of Unicode's table 3-8 and its neighbours: one U+FFFD for each maximal subpart.
TEST(Utf8, ReplacesAsUnicodeSays) {
  EXPECT_EQ(utf8_lossy("\xc0\xaf\xe0\x80\xbf\xf0\x81\x82\x41"), "��������A");
  EXPECT_EQ(utf8_lossy("\xed\xa0\x80\xed\xbf\xbf\xed\xaf\x41"), "��������A");
  EXPECT_EQ(utf8_lossy("\xf4\x91\x92\x93\xff\x41\x80\xbf\x42"), "�����A��B");
  EXPECT_EQ(utf8_lossy("\xe1\x80\xe2\xf0\x91\x92\xf1\xbf\x41"), "����A");
  EXPECT_EQ(utf8_lossy("ok"), "ok");
  EXPECT_EQ(utf8_lossy("\xf0\x9f\x98"), "�");
}

TEST(Utf8, CountsCodePoints) { EXPECT_EQ(utf8_count("aä€😀"), 4U); }

}  // namespace
}  // namespace tetrad
