// Rows of F32 values, all of one width: in memory, in an unlinked temporary file, or on top of memory somebody else
// owns. Reading and writing different rows at once is safe. Used for the residual stream and for the sum of the
// experts.
#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <vector>

#include "base/files.h"

namespace tetrad {

class RowStore {
 public:
  static RowStore in_memory(std::int64_t rows, std::int64_t width);
  static Result<RowStore> in_file(const std::filesystem::path& directory, std::int64_t rows, std::int64_t width);
  static RowStore on(std::span<float> memory, std::int64_t width);

  std::int64_t rows() const { return rows_; }
  std::int64_t width() const { return width_; }
  bool spilled() const { return data_ == nullptr && rows_ > 0; }
  // The rows themselves when they are in memory, else nullptr.
  float* row(std::int64_t i) const { return data_ == nullptr ? nullptr : data_ + i * width_; }
  Status read(std::int64_t begin, std::int64_t count, float* out) const;
  Status write(std::int64_t begin, std::int64_t count, const float* in);
  Status fill_zero();

 private:
  std::int64_t rows_ = 0, width_ = 0;
  std::vector<float> memory_;
  float* data_ = nullptr;
  File file_;
};

}  // namespace tetrad
