#include "base/files.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <utility>

namespace tetrad {
namespace fs = std::filesystem;
namespace {

Result<std::uint64_t> regular_file_size(int fd, const fs::path& path) {
  struct stat info{};
  if (::fstat(fd, &info) != 0) return io_error("cannot examine file", path.string(), errno);
  if (!S_ISREG(info.st_mode)) return invalid_input("cannot read file", path.string(), "it is not a regular file");
  return static_cast<std::uint64_t>(info.st_size);
}

// What has no size to ask for: a pipe or a terminal, as with /dev/stdin or the shell's <(command).
bool is_stream(int fd) {
  struct stat info{};
  return ::fstat(fd, &info) == 0 && (S_ISFIFO(info.st_mode) || S_ISCHR(info.st_mode));
}

Result<std::string> read_stream(int fd, const fs::path& path, std::uint64_t max_bytes) {
  constexpr std::size_t kPiece = std::size_t{1} << 16;
  std::string text;
  for (std::size_t done = 0;;) {
    text.resize(done + kPiece);
    const ssize_t n = ::read(fd, text.data() + done, kPiece);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return io_error("cannot read file", path.string(), errno);
    done += static_cast<std::size_t>(n);
    text.resize(done);
    if (done > max_bytes)
      return invalid_input("file too large", path.string(), fmt::format("at most {} bytes are read", max_bytes));
    if (n == 0) return text;
  }
}

// Into a device or pipe that is there: a file put in its place would take /dev/null from the whole machine.
Status write_into(const fs::path& path, std::string_view bytes) {
  const int fd = ::open(path.c_str(), O_WRONLY | O_CLOEXEC);
  if (fd < 0) return io_error("cannot open file", path.string(), errno);
  Status status;
  while (!bytes.empty() && status) {
    const ssize_t n = ::write(fd, bytes.data(), bytes.size());
    if (n < 0 && errno != EINTR) status = io_error("cannot write file", path.string(), errno);
    if (n > 0) bytes.remove_prefix(static_cast<std::size_t>(n));
  }
  ::close(fd);
  return status;
}

}  // namespace

bool is_device_or_pipe(const fs::path& path) {
  std::error_code ignored;
  const fs::file_status status = fs::status(path, ignored);
  return fs::exists(status) && !fs::is_regular_file(status) && !fs::is_directory(status);
}

Result<std::string> read_file(const fs::path& path, std::uint64_t max_bytes) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return io_error("cannot open file", path.string(), errno);
  if (is_stream(fd)) {
    auto streamed = read_stream(fd, path, max_bytes);
    ::close(fd);
    return streamed;
  }
  auto size = regular_file_size(fd, path);
  std::string text;
  Status status;
  if (!size) {
    status = Unexpected(size.error());
  } else if (*size > max_bytes) {
    status =
        invalid_input("file too large", path.string(), fmt::format("{} bytes, at most {} are read", *size, max_bytes));
  } else {
    text.resize(*size);
    std::size_t done = 0;
    while (done < text.size()) {
      const ssize_t n = ::read(fd, text.data() + done, text.size() - done);
      if (n < 0 && errno == EINTR) continue;
      if (n < 0) status = io_error("cannot read file", path.string(), errno);
      if (n <= 0) break;
      done += static_cast<std::size_t>(n);
    }
    text.resize(done);
  }
  ::close(fd);
  if (!status) return Unexpected(status.error());
  return text;
}

Status sync_directory(const fs::path& directory) {
  const int fd = ::open(directory.empty() ? "." : directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return io_error("cannot open directory", directory.string(), errno);
  const int failed = ::fsync(fd);
  const int why = errno;
  ::close(fd);
  if (failed != 0 && why != EINVAL) return io_error("cannot sync directory", directory.string(), why);
  return {};
}

Result<fs::path> behind_links(const fs::path& path) {
  std::error_code error;
  if (!fs::is_symlink(fs::symlink_status(path, error))) return path;
  fs::path target = fs::canonical(path, error);
  if (error) return io_error("cannot follow link", path.string(), error.value());
  return target;
}

Status write_file_atomically(const fs::path& named, std::string_view bytes) {
  if (is_device_or_pipe(named)) return write_into(named, bytes);
  const fs::path path = TETRAD_TRY(behind_links(named));
  const fs::path temporary = path.string() + fmt::format(".tmp{}", ::getpid());
  auto write = [&]() -> Status {
    auto file = TETRAD_TRY(File::create(temporary));
    TETRAD_TRY(file.write_at(0, std::as_bytes(std::span(bytes))));
    return file.sync();
  };
  Status status = write();
  if (status && ::rename(temporary.c_str(), path.c_str()) != 0)
    status = io_error("cannot rename file", path.string(), errno);
  if (!status) {
    ::unlink(temporary.c_str());
    return status;
  }
  return sync_directory(path.parent_path());
}

Result<MappedFile> MappedFile::open(const fs::path& path) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return io_error("cannot open file", path.string(), errno);
  auto size = regular_file_size(fd, path);
  MappedFile file;
  file.path_ = path;
  Status status;
  if (!size) {
    status = Unexpected(size.error());
  } else if (*size > 0) {
    void* address = ::mmap(nullptr, *size, PROT_READ, MAP_PRIVATE, fd, 0);
    if (address == MAP_FAILED) {
      status = io_error("cannot map file", path.string(), errno);
    } else {
      // An advice: where the file system can, what is read now lies in huge pages. It is then read as fast
      // as other memory; 4 KiB pages cost a fifteenth of a decoded token's time.
      ::madvise(address, *size, MADV_HUGEPAGE);
      file.data_ = static_cast<const std::byte*>(address);
      file.size_ = *size;
    }
  }
  ::close(fd);
  if (!status) return Unexpected(status.error());
  return file;
}

MappedFile::MappedFile(MappedFile&& other) noexcept
    : data_(std::exchange(other.data_, nullptr)), size_(std::exchange(other.size_, 0)), path_(std::move(other.path_)) {}

MappedFile& MappedFile::operator=(MappedFile&& other) noexcept {
  std::swap(data_, other.data_);
  std::swap(size_, other.size_);
  std::swap(path_, other.path_);
  return *this;
}

MappedFile::~MappedFile() {
  if (data_ != nullptr) ::munmap(const_cast<std::byte*>(data_), size_);
}

void MappedFile::release(std::span<const std::byte> part) const {
  const auto page = static_cast<std::uintptr_t>(::sysconf(_SC_PAGESIZE));
  const std::uintptr_t begin = (reinterpret_cast<std::uintptr_t>(part.data()) + page - 1) / page * page;
  const std::uintptr_t end = reinterpret_cast<std::uintptr_t>(part.data() + part.size()) / page * page;
  // A failure only keeps pages resident; correctness does not depend on it.
  if (end > begin) ::madvise(reinterpret_cast<void*>(begin), end - begin, MADV_DONTNEED);
}

void MappedFile::prefetch(std::span<const std::byte> part) const {
  const auto page = static_cast<std::uintptr_t>(::sysconf(_SC_PAGESIZE));
  const std::uintptr_t begin = reinterpret_cast<std::uintptr_t>(part.data()) / page * page;
  const std::uintptr_t end = reinterpret_cast<std::uintptr_t>(part.data() + part.size());
  if (end > begin) ::madvise(reinterpret_cast<void*>(begin), end - begin, MADV_WILLNEED);
}

Result<File> File::create(const fs::path& path) {
  File file;
  file.path_ = path;
  file.fd_ = ::open(path.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
  if (file.fd_ < 0) return io_error("cannot create file", path.string(), errno);
  return file;
}

Result<File> File::open_existing(const fs::path& path) {
  File file;
  file.path_ = path;
  file.fd_ = ::open(path.c_str(), O_RDWR | O_CLOEXEC);
  if (file.fd_ < 0) return io_error("cannot open file", path.string(), errno);
  return file;
}

Result<File> File::open_for_reading(const fs::path& path, int more_flags) {
  File file;
  file.path_ = path;
  file.fd_ = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | more_flags);
  if (file.fd_ < 0) return io_error("cannot open file", path.string(), errno);
  return file;
}

Result<File> File::temporary(const fs::path& directory) {
  std::string name = (directory / "tetrad-XXXXXX").string();
  File file;
  file.fd_ = ::mkostemp(name.data(), O_CLOEXEC);
  if (file.fd_ < 0) return io_error("cannot create temporary file", directory.string(), errno);
  ::unlink(name.c_str());
  file.path_ = name;
  return file;
}

File::File(File&& other) noexcept : fd_(std::exchange(other.fd_, -1)), path_(std::move(other.path_)) {}

File& File::operator=(File&& other) noexcept {
  std::swap(fd_, other.fd_);
  std::swap(path_, other.path_);
  return *this;
}

File::~File() {
  if (fd_ >= 0) ::close(fd_);
}

Status File::write_at(std::uint64_t offset, std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    const ssize_t n = ::pwrite(fd_, bytes.data(), bytes.size(), static_cast<off_t>(offset));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return io_error("cannot write file", path_.string(), errno);
    bytes = bytes.subspan(static_cast<std::size_t>(n));
    offset += static_cast<std::uint64_t>(n);
  }
  return {};
}

Status File::read_at(std::uint64_t offset, std::span<std::byte> bytes) const {
  while (!bytes.empty()) {
    const ssize_t n = ::pread(fd_, bytes.data(), bytes.size(), static_cast<off_t>(offset));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return io_error("cannot read file", path_.string(), errno);
    if (n == 0) return invalid_input("cannot read file", path_.string(), fmt::format("it ends at byte {}", offset));
    bytes = bytes.subspan(static_cast<std::size_t>(n));
    offset += static_cast<std::uint64_t>(n);
  }
  return {};
}

Status File::resize(std::uint64_t bytes) {
  if (::ftruncate(fd_, static_cast<off_t>(bytes)) != 0) return io_error("cannot resize file", path_.string(), errno);
  if (bytes == 0) return {};
  const int why = ::posix_fallocate(fd_, 0, static_cast<off_t>(bytes));
  if (why != 0 && why != EINVAL && why != EOPNOTSUPP)
    return io_error("cannot reserve space for file", path_.string(), why);
  return {};
}

Status File::sync() {
  if (::fsync(fd_) != 0) return io_error("cannot sync file", path_.string(), errno);
  return {};
}

}  // namespace tetrad
