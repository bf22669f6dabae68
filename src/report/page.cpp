#include "report/page.h"

#include <fmt/format.h>

#include "base/utf8.h"
#include "report/style.h"

namespace tetrad::report {
namespace {

constexpr std::size_t kShownWarnings = 5;  // the others are folded away

}  // namespace

std::string escape(std::string_view text) {
  std::string out;
  for (const char c : utf8_lossy(text)) {
    switch (c) {
      case '&':
        out += "&amp;";
        break;
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '"':
        out += "&quot;";
        break;
      case '\'':
        out += "&#39;";
        break;
      default:
        if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f)
          out += c == '\n' || c == '\t' ? " " : "\uFFFD";
        else
          out += c;
    }
  }
  return out;
}

std::string folded(std::string_view summary, std::string_view body) {
  return fmt::format("<details><summary>{}</summary>{}</details>\n", escape(summary), body);
}

Page::Page(std::string_view title, std::string_view subtitle) : title_(escape(title)) {
  content_ = fmt::format("<h1>{}</h1>\n<p class=\"subtitle\">{}</p>\n", title_, escape(subtitle));
}

void Page::cards(const std::vector<Card>& cards, std::string_view heading) {
  if (!heading.empty()) content_ += fmt::format("<h2 class=\"group\">{}</h2>\n", escape(heading));
  content_ += "<div class=\"cards\">\n";
  for (const Card& card : cards) {
    content_ += fmt::format("<div class=\"card\"><span>{}</span><b>{}</b>", escape(card.label), escape(card.value));
    if (!card.note.empty()) content_ += fmt::format("<em>{}</em>", escape(card.note));
    content_ += "</div>\n";
  }
  content_ += "</div>\n";
}

void Page::warnings(const std::vector<std::string>& lines) {
  if (lines.empty()) return;
  std::string list, more;
  for (std::size_t i = 0; i < lines.size(); ++i) {
    // A fold that hides one line alone would save nothing.
    const bool shown = i < kShownWarnings || lines.size() == kShownWarnings + 1;
    (shown ? list : more) += "<li>" + escape(lines[i]) + "</li>\n";
  }
  if (!more.empty()) more = folded(fmt::format("{} more", lines.size() - kShownWarnings), "<ul>\n" + more + "</ul>");
  content_ += fmt::format("<div class=\"warnings\"><h2>Warnings</h2><ul>\n{}</ul>{}</div>\n", list, more);
}

void Page::section(std::string_view heading, std::string_view explanation, std::string_view body, Width width) {
  sections_ += fmt::format("<figure class=\"{}\"><h2>{}</h2>\n{}", width == Width::kFull ? "full" : "half",
                           escape(heading), body);
  if (!explanation.empty()) sections_ += fmt::format("<figcaption>{}</figcaption>", escape(explanation));
  sections_ += "</figure>\n";
}

std::string Page::html() const {
  return fmt::format(
      "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">"
      "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none';style-src 'unsafe-inline'\">"
      "<meta name=\"viewport\" "
      "content=\"width=device-width,initial-scale=1\">\n<title>{}</title>\n<style>{}</style></head>\n"
      "<body><main>\n{}<div class=\"sections\">\n{}</div>\n</main></body></html>\n",
      title_, kStyle, content_, sections_);
}

}  // namespace tetrad::report
