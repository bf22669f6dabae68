#include "model/row_store.h"

#include <algorithm>
#include <cstring>

namespace tetrad {
namespace {

std::uint64_t byte_count(std::int64_t rows, std::int64_t width) {
  return static_cast<std::uint64_t>(rows) * static_cast<std::uint64_t>(width) * sizeof(float);
}

}  // namespace

RowStore RowStore::in_memory(std::int64_t rows, std::int64_t width) {
  RowStore store;
  store.rows_ = rows;
  store.width_ = width;
  store.memory_.resize(static_cast<std::size_t>(rows * width));
  store.data_ = store.memory_.data();
  return store;
}

Result<RowStore> RowStore::in_file(const std::filesystem::path& directory, std::int64_t rows, std::int64_t width) {
  RowStore store;
  store.rows_ = rows;
  store.width_ = width;
  store.file_ = TETRAD_TRY(File::temporary(directory));
  TETRAD_TRY(store.file_.resize(byte_count(rows, width)));
  return store;
}

RowStore RowStore::on(std::span<float> memory, std::int64_t width) {
  RowStore store;
  store.rows_ = static_cast<std::int64_t>(memory.size()) / width;
  store.width_ = width;
  store.data_ = memory.data();
  return store;
}

Status RowStore::read(std::int64_t begin, std::int64_t count, float* out) const {
  const std::size_t bytes = byte_count(count, width_);
  if (data_ == nullptr) return file_.read_at(byte_count(begin, width_), {reinterpret_cast<std::byte*>(out), bytes});
  if (bytes > 0) std::memcpy(out, row(begin), bytes);
  return {};
}

Status RowStore::write(std::int64_t begin, std::int64_t count, const float* in) {
  const std::size_t bytes = byte_count(count, width_);
  if (data_ == nullptr)
    return file_.write_at(byte_count(begin, width_), {reinterpret_cast<const std::byte*>(in), bytes});
  if (bytes > 0) std::memcpy(row(begin), in, bytes);
  return {};
}

Status RowStore::fill_zero() {
  if (data_ != nullptr) {
    std::fill(data_, data_ + rows_ * width_, 0.0F);
    return {};
  }
  // Writing is cheaper than punching a hole and allocating the blocks again, and can't run out of space.
  const std::int64_t step = std::max<std::int64_t>((std::int64_t{1} << 18) / width_, 1);
  const std::vector<float> zeros(static_cast<std::size_t>(step * width_));
  for (std::int64_t begin = 0; begin < rows_; begin += step)
    TETRAD_TRY(write(begin, std::min(step, rows_ - begin), zeros.data()));
  return {};
}

}  // namespace tetrad
