// The folder `DST.partial/` in which a checkpoint grows until it takes its final name: `checkpoint/`, the journal, the
// hidden states, and a lock that dies with the process. Two processes never work on the same destination.
#pragma once

#include <filesystem>

#include "base/files.h"

namespace tetrad {

class Workplace {
 public:
  // Errors: DST is there and `overwrite` is not set; unfinished work is there and neither `resume` nor `overwrite` is
  // set; another process holds the lock. Without `resume` what an earlier run left is deleted. `resumable`: whether the
  // caller has a --resume that a hint may name.
  static Result<Workplace> open(const std::filesystem::path& destination, bool resume, bool overwrite,
                                bool resumable = true);
  // An error when publishing would delete the source: the destination is its directory, or one above it.
  static Status check_apart(const std::filesystem::path& source, const std::filesystem::path& destination);
  // Deletes what an earlier run left beside a finished destination.
  static Status discard(const std::filesystem::path& destination);

  const std::filesystem::path& directory() const { return directory_; }
  std::filesystem::path checkpoint() const { return directory_ / "checkpoint"; }
  // Gives the checkpoint its final name (what stood there before goes away only then) and deletes the rest.
  Status publish();
  Status abandon();  // deletes the work; the destination stays as it is

 private:
  std::filesystem::path destination_, directory_;
  File lock_;
};

}  // namespace tetrad
