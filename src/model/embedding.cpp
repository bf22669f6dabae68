#include "model/embedding.h"

#include <vector>

#include "kernels/kernel_table.h"

namespace tetrad {

Result<Embedding> Embedding::create(const Checkpoint& checkpoint, const ModelConfig& config, const Compute& compute,
                                    bool read_rows) {
  const WeightView table = TETRAD_TRY(checkpoint.weight("model.embed_tokens", config.vocab, config.hidden));
  Embedding embedding(checkpoint, compute, table);
  const auto place = checkpoint.place(table.data);
  if (read_rows && place && table.scales.empty()) {
    embedding.file_ = TETRAD_TRY(File::open_for_reading(checkpoint.shards()[place->shard]));
    embedding.offset_ = place->offset;
  }
  return embedding;
}

Status Embedding::write_read(std::span<const std::int32_t> ids, std::int64_t row, RowStore& store) const {
  std::vector<std::byte> stored(table_.data.size() / static_cast<std::size_t>(table_.rows));
  WeightView one = table_;
  one.rows = 1;
  one.data = stored;
  std::vector<float> values(static_cast<std::size_t>(table_.cols));
  for (std::size_t i = 0; i < ids.size(); ++i) {
    TETRAD_TRY(file_->read_at(offset_ + static_cast<std::uint64_t>(ids[i]) * stored.size(), stored));
    compute_.kernels().decode_rows(raw_weight(one), 0, 1, values.data(), table_.cols);
    TETRAD_TRY(store.write(row + static_cast<std::int64_t>(i), 1, values.data()));
  }
  return {};
}

Status Embedding::write(std::span<const std::int32_t> ids, std::int64_t row, RowStore& store) const {
  if (file_) return write_read(ids, row, store);
  constexpr std::size_t kReleaseEvery = 1024;  // a lookup maps up to 64 KiB (the kernel's fault-around)
  const RawWeight table = raw_weight(table_);
  std::vector<float> values(static_cast<std::size_t>(table.cols));
  for (std::size_t i = 0; i < ids.size(); ++i) {
    compute_.kernels().decode_rows(table, ids[i], 1, values.data(), table.cols);
    TETRAD_TRY(store.write(row + static_cast<std::int64_t>(i), 1, values.data()));
    if ((i + 1) % kReleaseEvery == 0) checkpoint_.release(table_);
  }
  if (ids.size() >= kReleaseEvery / 16) checkpoint_.release(table_);
  return {};
}

}  // namespace tetrad
