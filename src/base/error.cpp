#include "base/error.h"

#include <fmt/format.h>

#include <cstring>

#include "base/utf8.h"

namespace tetrad {

std::string printable(std::string_view text, std::size_t max_bytes) {
  std::string out;
  for (std::size_t i = 0; i < text.size();) {
    if (out.size() >= max_bytes) return out + "...";
    const std::size_t length = utf8_sequence_length(text.substr(i));
    const auto byte = static_cast<unsigned char>(text[i]);
    if (length == 0 || byte < 0x20 || byte == 0x7f) {
      out += byte == '\n' ? std::string("\\n") : fmt::format("\\x{:02x}", byte);
      i += 1;
    } else {
      out += text.substr(i, length);
      i += length;
    }
  }
  return out;
}

Unexpected make_error(ErrorCode code, const std::string& what, const std::string& where, const std::string& why,
                      std::string hint) {
  std::string message = printable(what);
  if (!where.empty()) message += ": " + printable(where);
  if (!why.empty()) message += ": " + printable(why);
  return Unexpected(Error{code, std::move(message), std::move(hint)});
}

Unexpected invalid_input(const std::string& what, const std::string& where, const std::string& why, std::string hint) {
  return make_error(ErrorCode::kInvalidInput, what, where, why, std::move(hint));
}

Unexpected io_error(const std::string& what, const std::string& where, int error_number) {
  return make_error(ErrorCode::kIo, what, where, std::strerror(error_number));
}

}  // namespace tetrad
