// A file that is read past the page cache (O_DIRECT), where the file system can: what is read once and kept in own
// memory must not fill the page cache a second time. Elsewhere it is read through the cache, and dropped from it.
// Thread-safe.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>

#include "base/files.h"

namespace tetrad {

class DirectFile {
 public:
  static constexpr std::size_t kBlock =
      4096;  // offsets, addresses and sizes are multiples: all disks' blocks divide it

  static Result<DirectFile> open(const std::filesystem::path& path);
  // Reads from `offset` into `out`, of which the first `need` bytes must come: the rest may lie behind the file's end.
  Status read(std::uint64_t offset, std::span<std::byte> out, std::size_t need) const;
  bool direct() const { return direct_; }
  std::uint64_t size() const { return size_; }  // when it was opened
  const std::filesystem::path& path() const { return file_.path(); }

 private:
  File file_;
  bool direct_ = false;
  std::uint64_t size_ = 0;
};

}  // namespace tetrad
