// Files: reading whole small ones, mapping large ones, and writing so that nothing half-written ever keeps a final
// name.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>

#include "base/error.h"

namespace tetrad {

// Something is there that is neither a file nor a directory: /dev/null, a pipe, a terminal.
bool is_device_or_pipe(const std::filesystem::path& path);

// Where a link leads, any other path as it is: what is renamed to a link's name would replace the link (/dev/stdout is
// one). An error for a link to nothing.
Result<std::filesystem::path> behind_links(const std::filesystem::path& path);

// The whole file as bytes, or what a pipe gives until its end; an error when it is larger than max_bytes (configs,
// templates, tokenizers are small).
Result<std::string> read_file(const std::filesystem::path& path, std::uint64_t max_bytes = std::uint64_t{1} << 30);

// Writes beside `path`, syncs, renames; a device or pipe is written into, a link followed. The directory is synced too:
// after return the file survives a power cut.
Status write_file_atomically(const std::filesystem::path& path, std::string_view bytes);
Status sync_directory(const std::filesystem::path& directory);

// A read-only private mapping. Movable; unmaps at destruction. An empty file is a valid, empty mapping. Thread-safe.
class MappedFile {
 public:
  static Result<MappedFile> open(const std::filesystem::path& path);
  MappedFile() = default;
  MappedFile(MappedFile&& other) noexcept;
  MappedFile& operator=(MappedFile&& other) noexcept;
  ~MappedFile();

  std::span<const std::byte> bytes() const { return {data_, size_}; }
  const std::filesystem::path& path() const { return path_; }
  // Drops the pages that lie wholly inside `part` from this process (they stay in the page cache): mapped pages count
  // as resident memory until then. `part` must lie in bytes().
  void release(std::span<const std::byte> part) const;
  void prefetch(std::span<const std::byte> part) const;  // asks the kernel to read `part` ahead

 private:
  const std::byte* data_ = nullptr;
  std::size_t size_ = 0;
  std::filesystem::path path_;
};

// A file descriptor that closes itself; write_at and read_at retry on EINTR and short counts. Thread-safe for disjoint
// ranges.
class File {
 public:
  static Result<File> create(const std::filesystem::path& path);         // O_RDWR|O_CREAT|O_TRUNC
  static Result<File> open_existing(const std::filesystem::path& path);  // O_RDWR
  static Result<File> open_for_reading(const std::filesystem::path& path, int more_flags = 0);  // O_RDONLY
  // An unlinked file in `directory`: gone with the process, whatever happens.
  static Result<File> temporary(const std::filesystem::path& directory);
  File() = default;
  File(File&& other) noexcept;
  File& operator=(File&& other) noexcept;
  ~File();

  Status write_at(std::uint64_t offset, std::span<const std::byte> bytes);
  Status read_at(std::uint64_t offset, std::span<std::byte> bytes) const;
  Status resize(
      std::uint64_t bytes);  // reserves the blocks where the file system can, so that a full disk is found at once
  Status sync();
  int descriptor() const { return fd_; }
  const std::filesystem::path& path() const { return path_; }

 private:
  int fd_ = -1;
  std::filesystem::path path_;
};

}  // namespace tetrad
