// For tests of pages: whether HTML is well-formed enough that a browser builds the tree that was meant. Stricter than
// HTML itself: every tag but the void ones is closed, attributes are quoted, & begins an entity.
#pragma once

#include <algorithm>
#include <array>
#include <cctype>
#include <string>
#include <string_view>
#include <vector>

namespace tetrad::report {

namespace html_check_details {

inline std::string near(std::string_view html, std::size_t at) { return std::string(html.substr(at, 80)); }

// The end of the tag that begins at `at` (behind its '>'), npos for a bad one.
inline std::size_t tag_end(std::string_view html, std::size_t at) {
  char quote = 0;
  for (std::size_t i = at + 1; i < html.size(); ++i) {
    const char c = html[i];
    if (quote != 0) {
      if (c == '<') return std::string_view::npos;
      if (c == quote) quote = 0;
    } else if (c == '"' || c == '\'') {
      if (html[i - 1] != '=') return std::string_view::npos;
      quote = c;
    } else if (c == '<') {
      return std::string_view::npos;
    } else if (c == '>') {
      return i + 1;
    }
  }
  return std::string_view::npos;
}

inline bool entity(std::string_view text) {
  constexpr std::array<std::string_view, 5> kKnown = {"&amp;", "&lt;", "&gt;", "&quot;", "&#39;"};
  return std::any_of(kKnown.begin(), kKnown.end(), [&](std::string_view e) { return text.starts_with(e); });
}

}  // namespace html_check_details

// Empty when `html` is well-formed, else what is wrong.
inline std::string html_fault(std::string_view html) {
  using namespace html_check_details;
  std::vector<std::string> open;
  for (std::size_t i = 0; i < html.size();) {
    if (html[i] == '&' && (open.empty() || open.back() != "style") && !entity(html.substr(i)))
      return "bare & at " + near(html, i);
    if (html[i] != '<') {
      ++i;
      continue;
    }
    const std::size_t end = tag_end(html, i);
    if (end == std::string_view::npos) return "bad tag at " + near(html, i);
    const bool closing = html[i + 1] == '/';
    std::size_t name_end = i + (closing ? 2 : 1);
    while (std::isalnum(static_cast<unsigned char>(html[name_end])) != 0) ++name_end;
    const std::string name(html.substr(i + (closing ? 2 : 1), name_end - i - (closing ? 2 : 1)));
    if (closing) {
      if (open.empty() || open.back() != name) return "unexpected </" + name + "> at " + near(html, i);
      open.pop_back();
    } else if (html[i + 1] != '!' && html[end - 2] != '/' && name != "meta" && name != "wbr") {
      if (name.empty()) return "bad tag at " + near(html, i);
      open.push_back(name);
    }
    i = end;
  }
  return open.empty() ? "" : "<" + open.back() + "> is not closed";
}

// Whether `word` stands in `html` as a word of its own: finds "nan" but not in "finance".
inline bool has_word(std::string_view html, std::string_view word) {
  const auto letter = [&](std::size_t i) {
    return i < html.size() && std::isalnum(static_cast<unsigned char>(html[i])) != 0;
  };
  for (std::size_t at = html.find(word); at != std::string_view::npos; at = html.find(word, at + 1))
    if ((at == 0 || !letter(at - 1)) && !letter(at + word.size())) return true;
  return false;
}

inline std::size_t count_of(std::string_view html, std::string_view part) {
  std::size_t count = 0;
  for (std::size_t at = html.find(part); at != std::string_view::npos; at = html.find(part, at + part.size())) ++count;
  return count;
}

// A page that stands alone, well-formed, with no number that isn't one. Empty when so, else what is wrong.
inline std::string page_fault(std::string_view html) {
  for (const std::string_view word : {"nan", "inf"})
    if (has_word(html, word)) return "a bare " + std::string(word);
  for (const std::string_view part : {"<script", "src=", "href=", "http:", "https:", "url(", "@import"})
    if (html.find(part) != std::string_view::npos) return "not self-contained: " + std::string(part);
  return html_fault(html);
}

}  // namespace tetrad::report
