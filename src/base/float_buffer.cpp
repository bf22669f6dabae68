#include "base/float_buffer.h"

#include <sys/mman.h>

#include <new>

namespace tetrad {
namespace {

constexpr std::size_t kCacheLine = 64, kHugePage = std::size_t{2} << 20;

}  // namespace

void FloatBuffer::Free::operator()(float* p) const { ::operator delete[](p, std::align_val_t{alignment}); }

float* FloatBuffer::grow(std::int64_t floats) {
  if (size_ >= floats) return data_.get();
  data_.reset();  // before there is a second one
  size_ = 0;
  const std::size_t bytes = static_cast<std::size_t>(floats) * sizeof(float);
  const std::size_t alignment = bytes < kHugePage ? kCacheLine : kHugePage;
  const std::size_t rounded = (bytes + alignment - 1) / alignment * alignment;
  void* memory = ::operator new[](rounded, std::align_val_t{alignment});
  if (alignment == kHugePage) ::madvise(memory, rounded, MADV_HUGEPAGE);  // an advice: pages stay small without it
  data_ = std::unique_ptr<float, Free>(static_cast<float*>(memory), Free{alignment});
  size_ = static_cast<std::int64_t>(rounded / sizeof(float));
  return data_.get();
}

}  // namespace tetrad
