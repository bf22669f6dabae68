// TETRAD_CHECK(condition): aborts with file, line and text when a promise that only a bug can break is broken. Never
// for input.
#pragma once

namespace tetrad {
[[noreturn]] void check_failed(const char* file, int line, const char* condition);
}

#define TETRAD_CHECK(condition) \
  ((condition) ? static_cast<void>(0) : ::tetrad::check_failed(__FILE__, __LINE__, #condition))
