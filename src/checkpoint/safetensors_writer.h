// Streaming writer for a sharded safetensors checkpoint whose tensors' names, types and shapes are known before the
// first byte is written: headers are laid out first, then tensor bytes may come in any order and from any thread.
// Shards are as Hugging Face names them: `model.safetensors` alone, or `model-00001-of-0000N.safetensors` with
// `model.safetensors.index.json`.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "base/error.h"
#include "tensor/tensor_view.h"

namespace tetrad {

struct TensorSpec {
  std::string name;
  DType dtype = DType::kF32;
  Shape shape;

  std::uint64_t bytes() const;
};

// Which tensor lies in which shard, at which offset. A pure function of its arguments (so a resumed run lays out the
// same bytes).
class ShardLayout {
 public:
  // Inside a shard wide types come first (so that every tensor is aligned for its type), else the order of `tensors`.
  // Shards are filled in the order of `tensors` and hold at most `shard_bytes` of data each (a larger tensor gets a
  // shard of its own).
  static Result<ShardLayout> plan(std::vector<TensorSpec> tensors, std::uint64_t shard_bytes);

  struct Place {
    std::size_t shard;
    std::uint64_t offset;  // of the first byte, from the start of the shard's file
    std::uint64_t bytes;
  };
  const std::vector<TensorSpec>& tensors() const;
  Place place(std::size_t tensor) const;
  std::size_t find(const std::string& name) const;  // index into tensors(); npos when unknown
  static constexpr std::size_t npos = static_cast<std::size_t>(-1);
  std::size_t shards() const;
  std::string shard_name(std::size_t shard) const;
  std::uint64_t shard_file_bytes(std::size_t shard) const;
  std::string header(
      std::size_t shard) const;       // length prefix and JSON, padded with spaces to 8 bytes; metadata {"format":"pt"}
  std::string index_json() const;     // "" when there is one shard
  std::uint64_t total_bytes() const;  // of all tensors

 private:
  struct Impl;
  std::shared_ptr<const Impl> impl_;
};

// Writes the files of a layout into a directory. write() is thread-safe for different parts.
class SafetensorsWriter {
 public:
  // Creates all shards at full size with their headers; with `keep_existing` (a resumed run) every shard must be there
  // already with the right size and header and is kept as it is; an error says which one is not. The directory must
  // exist.
  static Result<SafetensorsWriter> open(const std::filesystem::path& directory, ShardLayout layout, bool keep_existing);
  SafetensorsWriter(SafetensorsWriter&&) noexcept;
  SafetensorsWriter& operator=(SafetensorsWriter&&) noexcept;
  ~SafetensorsWriter();

  const ShardLayout& layout() const;
  // Bytes [offset, offset + bytes.size()) of tensor `tensor`; must lie inside it.
  Status write(std::size_t tensor, std::uint64_t offset, std::span<const std::byte> bytes);
  Status sync();    // all shards to disk
  Status finish();  // sync, then the index file. The directory's final name is the caller's business

 private:
  SafetensorsWriter();
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace tetrad
