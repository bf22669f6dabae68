// What every op needs to run: which kernels (chosen once, by name) and which threads. Passed by reference, never
// global.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/thread_pool.h"

namespace tetrad {

struct KernelTable;  // kernels/kernel_table.h

// Whether a target computes as all others do, byte for byte: all but "amx", whose matrix products round elsewhere.
bool shares_arithmetic(const std::string& simd);

// The SIMD targets compiled in that this CPU can run, best first: "amx", "avx512", "avx2", "scalar".
std::vector<std::string> available_simd_targets();

class Compute {
 public:
  // `simd` empty: TETRAD_SIMD from the environment, else the best target. An unknown or unavailable name is a usage
  // error that lists the choices. "ref" names the oracle in double precision, which is never chosen by itself.
  // pinned: threads stay on cores of their own (base/thread_pool.h).
  static Result<Compute> create(std::size_t threads, std::string simd = {}, bool pinned = false);

  const KernelTable& kernels() const { return *kernels_; }
  ThreadPool& pool() const { return *pool_; }
  const std::string& simd() const { return simd_; }
  bool has_int8_inputs() const;  // of NVFP4 weights; "amx" always takes 16 bits, with which it is as fast

 private:
  const KernelTable* kernels_ = nullptr;
  std::shared_ptr<ThreadPool> pool_;
  std::string simd_;
};

}  // namespace tetrad
