// A model directory's tensors behind one name -> view map, whatever the sharding. Reads what the index names (or,
// without an index, every
// *.safetensors file); an index entry without a tensor, a tensor in two files, or a shard that is missing is an error
// that names it. Immutable and thread-safe. Views live as long as the Checkpoint.
#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/json.h"
#include "tensor/tensor_view.h"
#include "tensor/weight_view.h"

namespace tetrad {

class Checkpoint {
 public:
  static Result<Checkpoint> open(const std::filesystem::path& directory);
  // For looking at damaged checkpoints: opens what can be opened and appends the faults of index and shards to `faults`
  // instead of stopping at the first. Fails only without a directory, a readable config.json or any tensor.
  static Result<Checkpoint> open_damaged(const std::filesystem::path& directory, std::vector<Error>& faults);

  const std::filesystem::path& directory() const;
  const Json& config() const;  // config.json, an object
  // All tensors, in the order of shards and offsets.
  struct Entry {
    std::string name;
    TensorView view;
    std::size_t shard;
  };
  const std::vector<Entry>& entries() const;
  const std::vector<std::filesystem::path>& shards() const;
  // Tensor names of model.safetensors.index.json, sorted; empty when there is no index.
  const std::vector<std::string>& indexed_names() const;
  const TensorView* find(const std::string& name) const;     // nullptr when there is none
  Result<TensorView> tensor(const std::string& name) const;  // an error that names directory and tensor
  Result<TensorView> tensor(const std::string& name, const Shape& shape) const;  // also checks the shape

  // The weight of module `module` ("model.layers.0.self_attn.q_proj"), in whichever of these forms it is stored:
  //   .weight F32/F16/BF16 · .weight F8_E4M3 + .weight_scale_inv (or scale) F32/BF16 blocks · .weight U8 +
  //   .weight_scale + .weight_scale_2 [+ .input_scale] (ModelOpt NVFP4) · .weight_packed + .weight_scale +
  //   .weight_global_scale [+ .input_global_scale] (compressed-tensors nvfp4-pack-quantized; its global scales are
  //   reciprocals of ModelOpt's). Shapes of weight and scales are checked against rows x cols.
  Result<WeightView> weight(const std::string& module, std::int64_t rows, std::int64_t cols) const;

  // Drops a part's pages from resident memory / asks for them to be read ahead. `bytes` must be (part of) a tensor of
  // this checkpoint; others are ignored. Pages at the edges go too, although they may hold the end of a neighbour:
  // whoever still reads that gets it back from the page cache.
  void release(std::span<const std::byte> bytes) const;
  void release(const WeightView& weight) const;
  void prefetch(const WeightView& weight) const;

  // Where a tensor's bytes lie on disk; nothing for bytes from elsewhere (scales that were widened to F32).
  struct Place {
    std::size_t shard = 0;
    std::uint64_t offset = 0;
  };
  std::optional<Place> place(std::span<const std::byte> bytes) const;

  struct Impl;  // checkpoint_impl.h, private to this folder

 private:
  std::shared_ptr<const Impl> impl_;
};

}  // namespace tetrad
