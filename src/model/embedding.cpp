#include "model/embedding.h"

#include <vector>

#include "kernels/kernel_table.h"

namespace tetrad {

Result<Embedding> Embedding::create(const Checkpoint& checkpoint, const ModelConfig& config, const Compute& compute) {
  const WeightView table = TETRAD_TRY(checkpoint.weight("model.embed_tokens", config.vocab, config.hidden));
  return Embedding(checkpoint, compute, table);
}

Status Embedding::write(std::span<const std::int32_t> ids, std::int64_t row, RowStore& store) const {
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
