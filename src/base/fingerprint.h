// A 128-bit fingerprint of bytes, to notice that something changed by accident (not by an adversary). Two rounds of a
// 64-bit multiply-mix over 8-byte words.
#pragma once

#include <array>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

#include "base/rng.h"

namespace tetrad {

class Fingerprint {
 public:
  void add(std::string_view bytes) {
    add_word(bytes.size());
    for (std::size_t i = 0; i < bytes.size(); i += 8) {
      std::uint64_t word = 0;
      std::memcpy(&word, bytes.data() + i, bytes.size() - i < 8 ? bytes.size() - i : 8);
      add_word(word);
    }
  }
  void add_word(std::uint64_t word) {
    a_ = mix64(a_ ^ word) + 0x9E3779B97F4A7C15u;
    b_ = mix64(b_ + word * 0xD6E8FEB86659FD93u) ^ a_;
  }
  std::string hex() const {
    static constexpr char kDigits[] = "0123456789abcdef";
    std::string text;
    for (const std::uint64_t word : {mix64(a_), mix64(b_)})
      for (int shift = 60; shift >= 0; shift -= 4) text += kDigits[(word >> shift) & 15];
    return text;
  }

 private:
  std::uint64_t a_ = 0x243F6A8885A308D3u, b_ = 0x13198A2E03707344u;
};

}  // namespace tetrad
