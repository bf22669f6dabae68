#include "base/direct_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <memory>

#include "base/check.h"

namespace tetrad {
namespace {

// Some file systems take the flag and refuse the first read.
bool reads_directly(int fd) {
  struct Free {
    void operator()(void* p) const { std::free(p); }
  };
  const std::unique_ptr<void, Free> block(std::aligned_alloc(DirectFile::kBlock, DirectFile::kBlock));
  return block != nullptr && ::pread(fd, block.get(), DirectFile::kBlock, 0) >= 0;
}

}  // namespace

Result<DirectFile> DirectFile::open(const std::filesystem::path& path) {
  DirectFile file;
  if (auto direct = File::open_for_reading(path, O_DIRECT); direct && reads_directly(direct->descriptor())) {
    file.file_ = std::move(*direct);
    file.direct_ = true;
  } else {
    file.file_ = TETRAD_TRY(File::open_for_reading(path));
  }
  struct stat info{};
  if (::fstat(file.file_.descriptor(), &info) != 0) return io_error("cannot examine file", path.string(), errno);
  file.size_ = static_cast<std::uint64_t>(info.st_size);
  return file;
}

Status DirectFile::read(std::uint64_t offset, std::span<std::byte> out, std::size_t need) const {
  TETRAD_CHECK(offset % kBlock == 0 && out.size() % kBlock == 0 && need <= out.size() &&
               reinterpret_cast<std::uintptr_t>(out.data()) % kBlock == 0);
  std::size_t done = 0;
  while (done < need) {
    // After a short count go on at a whole block, as O_DIRECT wants it.
    done = done / kBlock * kBlock;
    const ssize_t n =
        ::pread(file_.descriptor(), out.data() + done, out.size() - done, static_cast<off_t>(offset + done));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return io_error("cannot read file", path().string(), errno);
    const std::size_t end = done + static_cast<std::size_t>(n);
    if (end < need && static_cast<std::size_t>(n) < kBlock) {
      struct stat info{};
      ::fstat(file_.descriptor(), &info);
      return invalid_input("cannot read file", path().string(),
                           fmt::format("it ends at byte {}, {} was in use", info.st_size, offset + need));
    }
    done = end;
  }
  if (!direct_)
    ::posix_fadvise(file_.descriptor(), static_cast<off_t>(offset), static_cast<off_t>(out.size()),
                    POSIX_FADV_DONTNEED);
  return {};
}

}  // namespace tetrad
