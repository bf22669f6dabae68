// Token ids to rows. The table stays mapped; the pages a run of lookups touched are dropped again, so that a large
// table never becomes resident. Or rows are read one by one: then a shard that was cut off is an error, not a SIGBUS.
#pragma once

#include <optional>
#include <span>

#include "arch/model_config.h"
#include "base/files.h"
#include "checkpoint/checkpoint.h"
#include "kernels/compute.h"
#include "model/row_store.h"

namespace tetrad {

class Embedding {
 public:
  // read_rows: instead of mapping, where the table is stored in a plain format.
  static Result<Embedding> create(const Checkpoint& checkpoint, const ModelConfig& config, const Compute& compute,
                                  bool read_rows = false);
  // Rows [row, row + ids.size()) of `store`. The ids must be in the vocabulary.
  Status write(std::span<const std::int32_t> ids, std::int64_t row, RowStore& store) const;

 private:
  Embedding(const Checkpoint& checkpoint, const Compute& compute, const WeightView& table)
      : checkpoint_(checkpoint), compute_(compute), table_(table) {}
  Status write_read(std::span<const std::int32_t> ids, std::int64_t row, RowStore& store) const;
  Checkpoint checkpoint_;
  Compute compute_;
  WeightView table_;
  std::optional<File> file_;  // with read_rows
  std::uint64_t offset_ = 0;  // of the table in it
};

}  // namespace tetrad
