#include "base/float_buffer.h"

#include <sys/mman.h>

#include <new>

namespace tetrad {
namespace {

constexpr std::size_t kCacheLine = 64, kHugePage = std::size_t{2} << 20;

// Whole huge pages. From the kernel, not from malloc: what is given back is gone, where malloc would keep holes of the
// size of a layer's buffers (25 MB more after 8 layers of calibration).
void* map_huge(std::size_t bytes) {
  const std::size_t room = bytes + kHugePage;
  void* memory = ::mmap(nullptr, room, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) throw std::bad_alloc();
  auto* begin = static_cast<std::byte*>(memory);
  const std::size_t before = (kHugePage - reinterpret_cast<std::uintptr_t>(begin) % kHugePage) % kHugePage;
  if (before > 0) ::munmap(begin, before);
  if (room - before > bytes) ::munmap(begin + before + bytes, room - before - bytes);
  ::madvise(begin + before, bytes, MADV_HUGEPAGE);  // an advice: pages stay small without it
  return begin + before;
}

#if defined(__SANITIZE_ADDRESS__)
constexpr bool kMaps = false;  // so that a step beyond the end is seen
#elif defined(__has_feature)
constexpr bool kMaps = !__has_feature(address_sanitizer);
#else
constexpr bool kMaps = true;
#endif

}  // namespace

void FloatBuffer::Free::operator()(float* p) const {
  if (mapped > 0)
    ::munmap(p, mapped);
  else
    ::operator delete[](p, std::align_val_t{kCacheLine});
}

float* FloatBuffer::grow(std::int64_t floats) {
  if (size_ >= floats) return data_.get();
  data_.reset();  // before there is a second one
  size_ = 0;
  std::size_t bytes = static_cast<std::size_t>(floats) * sizeof(float);
  const bool maps = kMaps && bytes >= kHugePage;
  if (maps) bytes = (bytes + kHugePage - 1) / kHugePage * kHugePage;
  void* memory = maps ? map_huge(bytes) : ::operator new[](bytes, std::align_val_t{kCacheLine});
  data_ = std::unique_ptr<float, Free>(static_cast<float*>(memory), Free{maps ? bytes : 0});
  size_ = static_cast<std::int64_t>(bytes / sizeof(float));
  return data_.get();
}

}  // namespace tetrad
