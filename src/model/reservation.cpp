#include "model/reservation.h"

#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

namespace tetrad {
namespace {

constexpr std::size_t kPopulateBytes =
    std::size_t{2} << 20;  // a huge page, between looks at stop_; other threads' mmap and munmap wait meanwhile
constexpr int kLeastPriority = 19;

}  // namespace

Result<std::unique_ptr<Reservation>> Reservation::create(std::size_t bytes, const char* what) {
  void* data = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (data == MAP_FAILED) return io_error("cannot reserve memory", what, errno);
  std::unique_ptr<Reservation> memory(new Reservation);
  memory->data_ = static_cast<std::byte*>(data);
  memory->bytes_ = bytes;
  ::madvise(data, bytes, MADV_HUGEPAGE);
  memory->thread_ = std::thread([raw = memory.get()] { raw->populate(); });
  return memory;
}

// Writes nothing: pages that are in use already stay as they are. Kernels before 5.14 don't know the advice; there
// pages become resident when they are used.
void Reservation::populate() {
#ifdef MADV_POPULATE_WRITE
  // For this thread only, on Linux. Who asks while it is at work should not wait for it: 19 GB on two cores took the
  // first half minute of requests a fifth of their speed. Failing, it is as fast as the others.
  static_cast<void>(::setpriority(PRIO_PROCESS, static_cast<id_t>(::gettid()), kLeastPriority));
  for (std::size_t at = 0; at < bytes_ && !stop_; at += kPopulateBytes)
    if (::madvise(data_ + at, std::min(kPopulateBytes, bytes_ - at), MADV_POPULATE_WRITE) != 0) return;
#endif
}

Reservation::~Reservation() {
  stop_ = true;
  if (thread_.joinable()) thread_.join();
  if (data_ != nullptr) ::munmap(data_, bytes_);
}

}  // namespace tetrad
