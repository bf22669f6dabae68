// Memory for numbers that an operation writes before it reads them: grows, is never cleared, and comes in huge pages
// where it is large and the kernel has some. With 4 KiB pages and a vector for each layer, a prompt of 512 tokens spent
// a fifth of its time on page faults, zeros and TLB misses (2 cores of a Zen 3: 54 -> 67 tokens/s).
// Not thread-safe.
#pragma once

#include <cstdint>
#include <memory>

namespace tetrad {

class FloatBuffer {
 public:
  // Room for so many floats at least, aligned to 64 bytes. What was in it is lost when it grows; memory it does not
  // get throws std::bad_alloc.
  float* grow(std::int64_t floats);
  float* data() const { return data_.get(); }

 private:
  struct Free {
    std::size_t mapped;  // bytes; 0: of operator new
    void operator()(float* p) const;
  };
  std::unique_ptr<float, Free> data_{nullptr, Free{0}};
  std::int64_t size_ = 0;
};

}  // namespace tetrad
