#include "checkpoint/single_tensor_file.h"

#include <unistd.h>

#include <cerrno>

#include "base/check.h"
#include "base/files.h"

namespace tetrad {
namespace fs = std::filesystem;

Status write_single_tensor_file(const fs::path& named, const TensorSpec& tensor, bool overwrite,
                                const std::function<Status(const TensorSink&)>& produce) {
  std::error_code ignored;
  if (!overwrite && fs::exists(fs::symlink_status(named, ignored)))
    return invalid_input("the output exists", named.string(), "it is never overwritten by itself",
                         "choose another name or add --overwrite");
  const fs::path path = TETRAD_TRY(behind_links(named));
  if (is_device_or_pipe(path))
    return invalid_input("cannot write tensors", path.string(), "it is a device or a pipe, not a file");
  const ShardLayout layout = TETRAD_TRY(ShardLayout::plan({tensor}, tensor.bytes()));
  const fs::path temporary = path.string() + ".tmp" + std::to_string(::getpid());
  const auto write = [&]() -> Status {
    auto file = TETRAD_TRY(File::create(temporary));
    const std::string header = layout.header(0);
    TETRAD_TRY(file.write_at(0, std::as_bytes(std::span(header))));
    std::uint64_t offset = layout.place(0).offset;
    const TensorSink sink = [&](std::span<const std::byte> bytes) -> Status {
      TETRAD_TRY(file.write_at(offset, bytes));
      offset += bytes.size();
      return {};
    };
    TETRAD_TRY(produce(sink));
    TETRAD_CHECK(offset == layout.shard_file_bytes(0));
    return file.sync();
  };
  Status status = write();
  if (status && ::rename(temporary.c_str(), path.c_str()) != 0)
    status = io_error("cannot rename file", path.string(), errno);
  if (!status) {
    ::unlink(temporary.c_str());
    return status;
  }
  return sync_directory(fs::absolute(path).parent_path());
}

}  // namespace tetrad
