// Turns one unit of work into bytes of the output shards: tensors that stay BF16, and experts as NVFP4. Used by
// quantize() alone.
#pragma once

#include "conversion/plan.h"
#include "conversion/result.h"

namespace tetrad {

class UnitWriter {
 public:
  UnitWriter(const Checkpoint& source, const QuantizeOptions& options, const Compute& compute,
             SafetensorsWriter& writer)
      : source_(source), options_(options), compute_(compute), writer_(writer) {}

  Status write_dense(const WorkUnit& unit);
  // Quantizes and writes the experts with these indices (into unit.experts); they are shared out over the threads.
  // Fills their places in `results`.
  Status write_experts(const WorkUnit& unit, std::span<const std::int64_t> experts, std::vector<ExpertResult>& results);
  // `activity`: one entry an expert, or empty without calibration.
  Status write_input_scales(const WorkUnit& unit, const std::vector<ExpertActivity>& activity);

 private:
  struct Scratch;
  Status write_rounded(const DenseTensor& dense);
  Status write_copy(const DenseTensor& dense);
  Result<ExpertResult> write_expert(const ExpertJob& job, bool whole_pool, Scratch& scratch);

  const Checkpoint& source_;
  const QuantizeOptions& options_;
  const Compute& compute_;
  SafetensorsWriter& writer_;
};

}  // namespace tetrad
