#include "kernels/kernel_table.h"
namespace tetrad {
#define S(t)                           \
  namespace t {                        \
  void fill_linear(KernelTable&) {}    \
  void fill_rows(KernelTable&) {}      \
  void fill_attention(KernelTable&) {} \
  }
S(avx512) S(avx2) S(scalar)
}  // namespace tetrad
