// The journal of an unfinished quantization: one JSON line for each finished unit of work, appended after the unit's
// bytes are on disk. A line cut off by a crash is ignored. The first line binds the journal to the plan's fingerprint.
// The workplace's lock keeps other processes away.
#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "base/files.h"
#include "conversion/result.h"

namespace tetrad {

struct JournalEntry {
  std::size_t unit = 0;
  LayerResult layer;       // layer = -1 for what lies outside the layers
  std::string state_file;  // hidden states after this layer, "" without calibration
};

class Journal {
 public:
  // Starts an empty journal, or with `resume` reads the one that is there. An error when it belongs to another plan.
  static Result<Journal> open(const std::filesystem::path& path, const std::string& fingerprint, bool resume);

  const std::vector<JournalEntry>& entries() const { return entries_; }
  Status append(const JournalEntry& entry);

 private:
  File file_;
  std::uint64_t end_ = 0;
  std::vector<JournalEntry> entries_;
};

}  // namespace tetrad
