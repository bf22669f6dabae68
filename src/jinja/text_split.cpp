#include "jinja/text_split.h"

#include <algorithm>
#include <string>

#include "base/utf8.h"
#include "jinja/text_search.h"
#include "jinja/unicode.h"

namespace tetrad::jinja {

std::vector<std::string_view> split_text(std::string_view text, std::string_view separator, Int most, bool from_right) {
  std::vector<std::string_view> parts;
  if (!from_right) {
    for (; most != 0; --most) {
      const auto at = find_text(text, separator);
      if (at == std::string_view::npos) break;
      parts.push_back(text.substr(0, at));
      text.remove_prefix(at + separator.size());
    }
    parts.push_back(text);
    return parts;
  }
  // From the right is from the left in a mirror.
  const std::string mirrored(text.rbegin(), text.rend());
  const auto found = split_text(mirrored, std::string(separator.rbegin(), separator.rend()), most, false);
  for (const std::string_view part : found) {
    const auto before = static_cast<std::size_t>(part.data() - mirrored.data());
    parts.push_back(text.substr(text.size() - before - part.size(), part.size()));
  }
  std::reverse(parts.begin(), parts.end());
  return parts;
}

namespace {

// Bytes of the front (or back) of `text` up to the next whitespace.
std::size_t word_length(std::string_view text, bool from_right) {
  std::size_t end = from_right ? text.size() : 0;
  if (from_right) {
    while (end > 0) {
      std::size_t begin = end - 1;
      while (begin > 0 && (static_cast<unsigned char>(text[begin]) & 0xC0) == 0x80) --begin;
      std::size_t i = begin;
      if (is_space(utf8_next(text, i))) break;
      end = begin;
    }
    return text.size() - end;
  }
  while (end < text.size()) {
    std::size_t i = end;
    if (is_space(utf8_next(text, i))) break;
    end = i;
  }
  return end;
}

}  // namespace

std::vector<std::string_view> split_spaces(std::string_view text, Int most, bool from_right) {
  std::vector<std::string_view> parts;
  text = strip(text, !from_right, from_right);
  for (; most != 0 && !text.empty(); --most) {
    const std::size_t length = word_length(text, from_right);
    if (from_right) {
      parts.push_back(text.substr(text.size() - length));
      text = strip(text.substr(0, text.size() - length), false, true);
    } else {
      parts.push_back(text.substr(0, length));
      text = strip(text.substr(length), true, false);
    }
  }
  if (!text.empty()) parts.push_back(text);
  if (from_right) std::reverse(parts.begin(), parts.end());
  return parts;
}

Value texts(Runtime& runtime, const std::vector<std::string_view>& parts, bool markup) {
  runtime.expect_bytes(parts.size(), sizeof(Value) + 160);
  std::vector<Value> items;
  items.reserve(parts.size());
  for (const auto part : parts) items.push_back(runtime.text(std::string(part), markup));
  return runtime.list(std::move(items));
}

}  // namespace tetrad::jinja
