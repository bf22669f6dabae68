// The model for many sequences at once: keys and values of all of them in one pool of slots, a slot a token. Used by
// the server's engine. A row's results are the bytes that CausalModel and LayerStream give for it (with an F32 pool),
// whatever else is in the batch, however a sequence is cut into parts, and wherever its slots lie.
#pragma once

#include <functional>
#include <memory>
#include <span>

#include "model/layer_stream.h"

namespace tetrad {

class ExpertCache;  // model/expert_cache.h
class OpProfile;    // model/op_profile.h

// Tokens that continue one sequence.
struct BatchPart {
  std::span<const std::int32_t> ids;
  std::int64_t position = 0;            // of the first of them
  std::span<const std::int32_t> slots;  // of positions 0 .. position + ids.size() - 1; those of `ids` are written
  std::int64_t logit_rows = 0;          // logits are wanted of the last so many of `ids`
};

class PagedModel {
 public:
  // Pool of `slots` tokens; its memory is reserved here and made resident in the background. expert_cache_bytes: for a
  // model larger than memory, see expert_cache.h; 0: weights stay mapped.
  static Result<PagedModel> open(const Checkpoint& checkpoint, const ModelConfig& config, const Compute& compute,
                                 const ForwardOptions& options, std::int64_t slots, bool bf16_cache,
                                 std::uint64_t expert_cache_bytes = 0);
  static std::uint64_t bytes_per_slot(const ModelConfig& config, bool bf16_cache);
  PagedModel(PagedModel&&) noexcept;
  ~PagedModel();

  // Called for each wanted row in order: part number, row in the part's ids, logits [vocab], which the callee may
  // change.
  using LogitVisitor = std::function<Status(std::size_t part, std::int64_t row, std::span<float> logits)>;
  // One pass over the weights for all parts. The ids must be in the vocabulary. Not thread-safe.
  Status forward(std::span<const BatchPart> parts, const LogitVisitor& visit);
  void set_profile(OpProfile* profile);     // what the next passes add their times to; nullptr: nothing
  std::uint64_t expert_bytes_read() const;  // by all passes so far: each expert that a pass used, once
  ExpertCache* expert_cache();              // nullptr without

 private:
  PagedModel();
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace tetrad
