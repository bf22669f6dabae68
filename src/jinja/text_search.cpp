#include "jinja/text_search.h"

#include <cstring>
#include <string>

namespace tetrad::jinja {

std::size_t find_text(std::string_view text, std::string_view wanted, std::size_t from) {
  if (from > text.size()) return std::string_view::npos;
  if (wanted.size() <= 1) return text.find(wanted, from);
  const void* found = memmem(text.data() + from, text.size() - from, wanted.data(), wanted.size());
  return found == nullptr ? std::string_view::npos
                          : static_cast<std::size_t>(static_cast<const char*>(found) - text.data());
}

std::size_t rfind_text(std::string_view text, std::string_view wanted) {
  constexpr std::size_t kShort = 32;
  if (wanted.size() <= kShort || text.size() <= wanted.size()) return text.rfind(wanted);
  const std::string mirrored_text(text.rbegin(), text.rend()), mirrored_wanted(wanted.rbegin(), wanted.rend());
  const std::size_t found = find_text(mirrored_text, mirrored_wanted);
  return found == std::string_view::npos ? found : text.size() - found - wanted.size();
}

}  // namespace tetrad::jinja
