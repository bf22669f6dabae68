// A model that keeps its keys and values: feed tokens, get the hidden state of each. For `generate`; later the server's
// engine. Weights stay mapped; nothing is copied at load but what `dense` asks for, unless expert_cache_bytes says that
// the model is larger than memory (expert_cache.h). Results equal LayerStream's byte for byte whatever the chunking.
#pragma once

#include <memory>
#include <span>

#include "model/layer_stream.h"

namespace tetrad {

class ExpertCache;  // model/expert_cache.h

class CausalModel {
 public:
  static Result<CausalModel> open(const Checkpoint& checkpoint, const ModelConfig& config, const Compute& compute,
                                  const ForwardOptions& options, std::uint64_t expert_cache_bytes = 0);
  CausalModel(CausalModel&&) noexcept;
  ~CausalModel();

  // One sequence's state: keys and values of all layers, F32. Grows as tokens come. Not thread-safe.
  class Context {
   public:
    Context();
    Context(Context&&) noexcept;
    ~Context();
    std::int64_t length() const;

   private:
    friend class CausalModel;
    struct Impl;
    std::unique_ptr<Impl> impl_;
  };
  // Appends `ids` to the context and writes the logits of the last one. logits: [vocab]. Ids outside the vocabulary or
  // a context beyond max_position: an error.
  Status forward(Context& context, std::span<const std::int32_t> ids, std::span<float> logits) const;
  ExpertCache* expert_cache() const;  // nullptr without

 private:
  CausalModel();
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace tetrad
