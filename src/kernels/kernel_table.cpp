#include "kernels/kernel_table.h"

#include <cpuid.h>

#include <cstdlib>

#include "kernels/compute.h"
#include "kernels/ref/reference.h"

namespace tetrad {

// Each file of kernels fills in its part of a target's table.
#define TETRAD_DECLARE_TARGET(target)      \
  namespace target {                       \
  void fill_linear(KernelTable& table);    \
  void fill_nvfp4(KernelTable& table);     \
  void fill_tiles(KernelTable& table);     \
  void fill_rows(KernelTable& table);      \
  void fill_attention(KernelTable& table); \
  }
TETRAD_DECLARE_TARGET(avx512)
TETRAD_DECLARE_TARGET(avx2)
TETRAD_DECLARE_TARGET(scalar)
namespace avx512_vbmi {
void fill_fp8_rows(KernelTable& table);
}
namespace amx {
bool permitted();
void fill_matrix(KernelTable& table);
void fill_attention(KernelTable& table);
}  // namespace amx

namespace {

bool has_avx2() {
  return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("f16c");
}
bool has_avx512() {
  return has_avx2() && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
         __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq") &&
         __builtin_cpu_supports("avx512vnni");
}

// What GCC 12 can't be asked for by name.
bool has_amx_bits() {
  constexpr unsigned kBf16 = 1U << 22, kFp16 = 1U << 23, kTiles = 1U << 24, kAll = kBf16 | kFp16 | kTiles;
  unsigned eax = 0, ebx = 0, ecx = 0, edx = 0;
  return __get_cpuid_count(7, 0, &eax, &ebx, &ecx, &edx) != 0 && (edx & kAll) == kAll;
}
bool has_amx() {
  static const bool kHas = has_avx512() && __builtin_cpu_supports("avx512bf16") &&
                           __builtin_cpu_supports("avx512vbmi") && has_amx_bits() && amx::permitted();
  return kHas;
}

}  // namespace

std::vector<std::string> available_simd_targets() {
  std::vector<std::string> names;
  if (has_amx()) names.emplace_back("amx");
  if (has_avx512()) names.emplace_back("avx512");
  if (has_avx2()) names.emplace_back("avx2");
  names.emplace_back("scalar");
  return names;
}

// Only ever called for a target that this CPU runs: the functions that fill a table are compiled for the target too,
// and an AVX-512 one stores its pointers with AVX-512.
#define TETRAD_TABLE_OF(target)            \
  [] {                                     \
    static const KernelTable kTable = [] { \
      KernelTable table;                   \
      table.simd = #target;                \
      target::fill_linear(table);          \
      target::fill_nvfp4(table);           \
      target::fill_tiles(table);           \
      target::fill_rows(table);            \
      target::fill_attention(table);       \
      return table;                        \
    }();                                   \
    return &kTable;                        \
  }()

namespace {

// The same bytes with VBMI and without.
KernelTable with_vbmi(KernelTable table) {
  if (__builtin_cpu_supports("avx512vbmi")) avx512_vbmi::fill_fp8_rows(table);
  return table;
}
const KernelTable* avx512_table() {
  static const KernelTable kBest = with_vbmi(*TETRAD_TABLE_OF(avx512));
  return &kBest;
}

const KernelTable* amx_table() {
  static const KernelTable kTable = [] {
    KernelTable table = *kernel_table("avx512");
    table.simd = "amx";
    amx::fill_matrix(table);
    amx::fill_attention(table);
    return table;
  }();
  return &kTable;
}

}  // namespace

const KernelTable* kernel_table(const std::string& simd) {
  if (simd == "amx" && has_amx()) return amx_table();
  if (simd == "avx512" && has_avx512()) return avx512_table();
  if (simd == "avx2" && has_avx2()) return TETRAD_TABLE_OF(avx2);
  if (simd == "scalar") return TETRAD_TABLE_OF(scalar);
  if (simd == "ref") return &ref::kernel_table();
  return nullptr;
}

bool shares_arithmetic(const std::string& simd) { return simd != "amx"; }

bool Compute::has_int8_inputs() const { return kernels_->matrix.multiply == nullptr; }

RawWeight raw_weight(const WeightView& weight) {
  RawWeight raw;
  raw.format = weight.format;
  raw.rows = weight.rows;
  raw.cols = weight.cols;
  raw.data = weight.data.data();
  raw.scales = weight.scales.data();
  raw.block_rows = weight.block_rows;
  raw.block_cols = weight.block_cols;
  raw.tensor_scale = weight.tensor_scale;
  if (weight.format == WeightFormat::kFp8Block)
    raw.scale_cols = (weight.cols + weight.block_cols - 1) / weight.block_cols;
  if (weight.format == WeightFormat::kNvfp4) raw.scale_cols = weight.cols / 16;
  return raw;
}

Result<Compute> Compute::create(std::size_t threads, std::string simd, bool pinned) {
  std::string source = "--simd";
  if (simd.empty()) {
    if (const char* named = std::getenv("TETRAD_SIMD"); named != nullptr && *named != '\0') {
      simd = named;
      source = "TETRAD_SIMD";
    }
  }
  const std::vector<std::string> available = available_simd_targets();
  if (simd.empty()) simd = available.front();
  Compute compute;
  compute.kernels_ = kernel_table(simd);
  if (compute.kernels_ == nullptr) {
    std::string choices;
    for (const std::string& name : available) choices += (choices.empty() ? "" : ", ") + name;
    return make_error(ErrorCode::kUsage, "can't choose SIMD kernels", source,
                      "no \"" + simd + "\" on this CPU; choices: " + choices);
  }
  compute.simd_ = std::move(simd);
  compute.pool_ = std::make_shared<ThreadPool>(threads, pinned);
  return compute;
}

}  // namespace tetrad
