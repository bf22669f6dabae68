// Errors a user can cause are values; bugs abort (check.h). Everything that reads files, requests or model output
// returns Result<T>. Printed as one line: `tetrad: error: WHAT: WHERE: WHY`, then `hint: ...` where a next step is
// known.
#pragma once

#include <string>
#include <tl/expected.hpp>
#include <utility>

namespace tetrad {

enum class ErrorCode {
  kInvalidInput,  // a file, a request or a model output is not what it must be
  kIo,            // the operating system said no
  kOutOfMemory,   // the work does not fit the memory limit
  kUnsupported,   // valid, but outside of what tetrad does
  kUsage,         // wrong flags; the command line exits with 2
  kInterrupted,   // SIGINT or SIGTERM; the command line exits with 130
};

struct Error {
  ErrorCode code = ErrorCode::kInvalidInput;
  std::string message;  // "WHAT: WHERE: WHY", one line, no trailing full stop
  std::string hint;     // the next step to try; may be empty

  Error with_hint(std::string text) && {
    hint = std::move(text);
    return std::move(*this);
  }
};

template <class T>
using Result = tl::expected<T, Error>;
using Status = Result<void>;
using Unexpected = tl::unexpected<Error>;

// make_error(code, what, where, why): the one way to build an error. Control characters of untrusted text are escaped
// and each part is cut at 300 bytes, so that the message stays one readable line.
Unexpected make_error(ErrorCode code, const std::string& what, const std::string& where, const std::string& why,
                      std::string hint = {});
Unexpected invalid_input(const std::string& what, const std::string& where, const std::string& why,
                         std::string hint = {});
// Like make_error(kIo, ...) with strerror(error_number) as the reason.
Unexpected io_error(const std::string& what, const std::string& where, int error_number);

// Text from outside made fit for one line: control characters and invalid UTF-8 as \xNN, cut at max_bytes with "...".
std::string printable(std::string_view text, std::size_t max_bytes = 300);

}  // namespace tetrad

// TETRAD_TRY(expression): the value of a Result, or return its error from the enclosing function.
//   auto file = TETRAD_TRY(MappedFile::open(path));      TETRAD_TRY(writer.finish());
#define TETRAD_TRY(...)                                                  \
  __extension__({                                                        \
    auto&& tetrad_try_result = (__VA_ARGS__);                            \
    if (!tetrad_try_result.has_value()) [[unlikely]]                     \
      return ::tetrad::Unexpected(std::move(tetrad_try_result).error()); \
    ::tetrad::detail::take(std::move(tetrad_try_result));                \
  })

namespace tetrad::detail {
template <class T>
T take(Result<T>&& result) {
  if constexpr (!std::is_void_v<T>) return std::move(*result);
}
}  // namespace tetrad::detail
