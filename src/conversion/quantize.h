// From a source checkpoint to an NVFP4 one, layer by layer. Used by `tetrad quantize`.
//
// Everything is written below `DST.partial/` (the checkpoint in `checkpoint/`, the journal and the hidden states beside
// it) and renamed to DST when whole; after any interruption `resume` continues behind the last finished layer and ends
// with the same bytes. Memory: LayerStream's, plus a few experts' output buffers a thread; it does not grow with the
// number of layers.
#pragma once

#include "conversion/options.h"
#include "conversion/plan.h"
#include "conversion/result.h"

namespace tetrad {

// `plan_only`: makes the plan, prints it to `plan_text`, touches nothing.
struct QuantizeHooks {
  std::string* plan_text = nullptr;
  bool plan_only = false;
};
Result<QuantizeResult> quantize(const QuantizeOptions& options, const Compute& compute, const QuantizeHooks& hooks);

}  // namespace tetrad
