// Token ids to rows. The table stays mapped; the pages a run of lookups touched are dropped again, so that a large
// table never becomes resident.
#pragma once

#include <span>

#include "arch/model_config.h"
#include "checkpoint/checkpoint.h"
#include "kernels/compute.h"
#include "model/row_store.h"

namespace tetrad {

class Embedding {
 public:
  static Result<Embedding> create(const Checkpoint& checkpoint, const ModelConfig& config, const Compute& compute);
  // Rows [row, row + ids.size()) of `store`. The ids must be in the vocabulary.
  Status write(std::span<const std::int32_t> ids, std::int64_t row, RowStore& store) const;

 private:
  Embedding(const Checkpoint& checkpoint, const Compute& compute, const WeightView& table)
      : checkpoint_(checkpoint), compute_(compute), table_(table) {}
  Checkpoint checkpoint_;
  Compute compute_;
  WeightView table_;
};

}  // namespace tetrad
