#include "base/check.h"

#include <cstdio>
#include <cstdlib>

namespace tetrad {

void check_failed(const char* file, int line, const char* condition) {
  std::fprintf(stderr, "tetrad: bug: %s:%d: %s does not hold\n", file, line, condition);
  std::abort();
}

}  // namespace tetrad
