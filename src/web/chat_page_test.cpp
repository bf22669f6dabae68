#include "web/chat_page.h"

#include <gtest/gtest.h>

namespace tetrad {
namespace {

std::size_t count(std::string_view text, std::string_view part) {
  std::size_t found = 0;
  for (std::size_t at = text.find(part); at != std::string_view::npos; at = text.find(part, at + part.size())) ++found;
  return found;
}

TEST(ChatPage, IsOneWholeDocument) {
  const std::string_view page = chat_page();
  EXPECT_TRUE(page.starts_with("<!doctype html>"));
  EXPECT_TRUE(page.ends_with("</html>\n"));
  EXPECT_EQ(count(page, "<script>"), 1U);
  EXPECT_EQ(count(page, "</script>"), 1U);
  EXPECT_EQ(count(page, "</style>"), 1U);
  EXPECT_EQ(page.find('\0'), std::string_view::npos);
  EXPECT_EQ(page.find("/* scripts */"), std::string_view::npos);
}

// What a model writes reaches the page as text nodes only, and nothing is loaded from elsewhere.
TEST(ChatPage, HasNoWayToParseMarkupOrToLoad) {
  for (const std::string_view word :
       {"innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "new Function", "DOMParser",
        "srcdoc", "setHTML", "src=\"", "@import", "url(", "<link rel=\"stylesheet"})
    EXPECT_EQ(chat_page().find(word), std::string_view::npos) << word;
}

}  // namespace
}  // namespace tetrad
