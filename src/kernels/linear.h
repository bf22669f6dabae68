// Linear layers over the thread pool, whatever form the weight is stored in. Used by model/ for projections, experts
// and the output head. Results don't depend on threads, batch size or how jobs are put together (kernel_table.h says
// why).
#pragma once

#include <span>
#include <vector>

#include "base/float_buffer.h"
#include "kernels/compute.h"
#include "kernels/kernel_table.h"
#include "tensor/weight_view.h"

namespace tetrad {

// Memory that ops need while they run: one growing buffer a worker. Reused from call to call; not for two ops at once.
class Workspace {
 public:
  explicit Workspace(const Compute& compute) : buffers_(compute.pool().size()) {}
  float* get(std::size_t worker, std::int64_t floats) { return buffers_[worker].grow(floats); }
  // One for all workers.
  std::byte* shared(std::int64_t bytes) { return reinterpret_cast<std::byte*>(shared_.grow((bytes + 3) / 4)); }

 private:
  std::vector<FloatBuffer> buffers_;
  FloatBuffer shared_;
};

// y[m, weight.rows] = x[m, weight.cols] * weight^T. Strides in floats.
struct LinearJob {
  const WeightView* weight = nullptr;
  const float* x = nullptr;
  std::int64_t m = 0, x_stride = 0;
  float* y = nullptr;
  std::int64_t y_stride = 0;
};

struct LinearOptions {
  bool bf16 = false;  // results rounded to BF16
  bool int8 = false;  // inputs of NVFP4 weights in 8-bit integers, not 16 (nvfp4_simd.h says what that costs)
};

// All jobs in one parallel phase, cut into tiles of weight rows, behind one that packs the inputs of NVFP4 weights.
void linear(const Compute& compute, Workspace& workspace, std::span<const LinearJob> jobs,
            const LinearOptions& options);

}  // namespace tetrad
