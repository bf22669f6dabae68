// GPT-2's alphabet: each of the 256 bytes as one printable character, so that any bytes are text to a BPE model.
// Source: openai/gpt-2 encoder.py, bytes_to_unicode.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace tetrad::byte_level {

char32_t character_of(unsigned char byte);
std::optional<unsigned char> byte_of(char32_t character);

std::string encode(std::string_view bytes);
// The bytes that `token` stands for, or nothing when one of its characters is not in the alphabet.
std::optional<std::string> decode(std::string_view token);

}  // namespace tetrad::byte_level
