#include "tokenizer/byte_level.h"

#include <array>
#include <cstddef>

#include "base/utf8.h"

namespace tetrad::byte_level {
namespace {

constexpr bool is_printable(unsigned b) { return (b >= 0x21 && b <= 0x7E) || (b >= 0xA1 && b <= 0xAC) || b >= 0xAE; }

// Printable bytes stand for themselves; the n-th other one is U+0100 + n.
constexpr std::array<char32_t, 256> kCharacters = [] {
  std::array<char32_t, 256> table{};
  char32_t next = 0x100;
  for (unsigned b = 0; b < 256; ++b) table[b] = is_printable(b) ? char32_t{b} : next++;
  return table;
}();

constexpr std::array<int, 0x144> kBytes = [] {
  std::array<int, 0x144> table{};
  table.fill(-1);
  for (unsigned b = 0; b < 256; ++b) table[kCharacters[b]] = static_cast<int>(b);
  return table;
}();

}  // namespace

char32_t character_of(unsigned char byte) { return kCharacters[byte]; }

std::optional<unsigned char> byte_of(char32_t character) {
  if (character >= kBytes.size() || kBytes[character] < 0) return std::nullopt;
  return static_cast<unsigned char>(kBytes[character]);
}

std::string encode(std::string_view bytes) {
  std::string out;
  out.reserve(bytes.size() + bytes.size() / 4);
  for (const char b : bytes) utf8_append(out, kCharacters[static_cast<unsigned char>(b)]);
  return out;
}

std::optional<std::string> decode(std::string_view token) {
  std::string out;
  for (std::size_t i = 0; i < token.size();) {
    const auto byte = byte_of(utf8_next(token, i));
    if (!byte) return std::nullopt;
    out += static_cast<char>(*byte);
  }
  return out;
}

}  // namespace tetrad::byte_level
