#include "report/page.h"

#include <gtest/gtest.h>

#include <cmath>

#include "report/figures.h"
#include "report/html_check.h"
#include "report/table.h"

namespace tetrad::report {
namespace {

TEST(HtmlCheck, FindsWhatItIsFor) {
  EXPECT_EQ(html_fault("<!DOCTYPE html><p class=\"a\">x &amp; y<wbr></p><path d=\"M0\"/>"), "");
  EXPECT_NE(html_fault("<p><b></p></b>"), "");
  EXPECT_NE(html_fault("<p>"), "");
  EXPECT_NE(html_fault("</p>"), "");
  EXPECT_NE(html_fault("<p>a & b</p>"), "");
  EXPECT_NE(html_fault("<p title=\"a\"b\">x</p>"), "");
  EXPECT_NE(html_fault("<p>1 < 2</p>"), "");
  EXPECT_NE(page_fault("<p>nan</p>"), "");
  EXPECT_NE(page_fault("<p>-inf</p>"), "");
  EXPECT_EQ(page_fault("<p>finance, information</p>"), "");
  EXPECT_NE(page_fault("<img src=\"x\"/>"), "");
}

TEST(Escape, LeavesNothingThatHtmlReads) {
  EXPECT_EQ(escape("<a href=\"x\" id='y'>&"), "&lt;a href=&quot;x&quot; id=&#39;y&#39;&gt;&amp;");
  EXPECT_EQ(escape("&amp;"), "&amp;amp;");
  EXPECT_EQ(escape("a\nb\tc"), "a b c");
  EXPECT_EQ(escape(std::string_view("a\0b\x1b\x7f", 5)), "a\uFFFDb\uFFFD\uFFFD");
  EXPECT_EQ(escape("\xff\xc3(\xe2\x82"), "\uFFFD\uFFFD(\uFFFD");
  EXPECT_EQ(escape("日本 ü 🙂"), "日本 ü 🙂");
}

TEST(Figures, AreShortAndNeverBareNan) {
  EXPECT_EQ(figure(0), "0");
  EXPECT_EQ(figure(-0.0), "0");
  EXPECT_EQ(figure(0.012345), "0.01235");
  EXPECT_EQ(figure(9.99996), "10.00");
  EXPECT_EQ(figure(123456), "123456");
  EXPECT_EQ(figure(1.2e-7, 2), "1.2 × 10⁻⁷");
  EXPECT_EQ(figure(-3.5e12, 2), "-3.5 × 10¹²");
  EXPECT_EQ(figure(std::nan("")), "not finite");
  EXPECT_EQ(figure(-HUGE_VAL), "not finite");
  EXPECT_EQ(percent(0.98765), "98.77 %");
  EXPECT_EQ(percent(std::nan("")), "not finite");
  EXPECT_EQ(grouped(0), "0");
  EXPECT_EQ(grouped(999), "999");
  EXPECT_EQ(grouped(1234567), "1\u202F234\u202F567");
  EXPECT_EQ(power_of_ten(-3), "0.001");
  EXPECT_EQ(power_of_ten(4), "10000");
  EXPECT_EQ(power_of_ten(-12), "10⁻¹²");
  EXPECT_EQ(change(5, 5.1), "+2.00 %");
  EXPECT_EQ(change(0, 1), "");
}

TEST(Figures, AlignAMeanWithItsError) {
  EXPECT_EQ(with_error(0.012345, 0.00113), "0.0123 ± 0.0011");
  EXPECT_EQ(with_error(12.345, 1.5), "12.3 ± 1.5");
  EXPECT_EQ(with_error(1234.5, 150), "1234 ± 150");  // no decimals
  EXPECT_EQ(with_error(0.0123, 0), "0.01230");       // no error known
  EXPECT_EQ(with_error(0.0123, std::nan("")), "0.01230");
  EXPECT_EQ(with_error(std::nan(""), 0.1), "not finite");
  EXPECT_EQ(with_error(1.5e-10, 2e-11), "1.500 × 10⁻¹⁰ ± 2.0 × 10⁻¹¹");
}

TEST(Page, IsWellFormedWhateverTheText) {
  const std::string hostile = "</style><script>alert(1)</script>\"'&\xff";
  Page page(hostile, hostile);
  page.cards({{hostile, hostile, hostile}, {"label", "value", ""}}, hostile);
  page.warnings({hostile, hostile});
  Table table({{hostile, Column::Kind::kPath}, {hostile, Column::Kind::kText}, {hostile}});
  table.row({hostile, hostile, hostile});
  page.section(hostile, hostile, table.html(), Width::kHalf);
  const std::string html = page.html();
  EXPECT_EQ(page_fault(html), "");
  EXPECT_EQ(html.find("alert(1)</script>"), std::string::npos);
  EXPECT_EQ(count_of(html, "<style>"), 1U);
}

TEST(Page, FoldsManyWarnings) {
  const auto html_of = [](std::size_t lines) {
    Page page("title", "");
    std::vector<std::string> warnings;
    for (std::size_t i = 0; i < lines; ++i) warnings.push_back("warning " + std::to_string(i));
    page.warnings(warnings);
    EXPECT_EQ(page_fault(page.html()), "");
    EXPECT_EQ(count_of(page.html(), "<li>"), lines);
    return page.html();
  };
  EXPECT_EQ(html_of(0).find("class=\"warnings\""), std::string::npos);
  EXPECT_EQ(html_of(6).find("<details>"), std::string::npos);
  EXPECT_NE(html_of(7).find("<summary>2 more</summary>"), std::string::npos);
}

TEST(Table, HasNoHeadWithoutHeadings) {
  Table bare({{"", Column::Kind::kText}, {"", Column::Kind::kPath}});
  bare.row({"path", "/a/b"});
  EXPECT_EQ(bare.html().find("<thead>"), std::string::npos);
  EXPECT_NE(bare.html().find("/<wbr>a/<wbr>b"), std::string::npos);
  EXPECT_NE(Table({{"heading"}}).html().find("<thead>"), std::string::npos);
}

}  // namespace
}  // namespace tetrad::report
