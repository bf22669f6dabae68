// The engine: many requests at once over one model. A thread of its own runs step after step: cancel, admit, plan a
// batch of prefill chunks and single tokens, run the model, sample, hand out. Used by api/, which knows text and JSON.
//
// A request's tokens are a pure function of the request and the model: not of the batch it ran in, of chunk sizes, of
// what the prefix cache held, of preemption or threads.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "arch/model_config.h"
#include "base/error.h"
#include "checkpoint/checkpoint.h"
#include "engine/request.h"
#include "kernels/compute.h"
#include "model/layer_stream.h"

namespace tetrad {

enum class CacheType : std::uint8_t { kF32, kBF16 };  // of stored keys and values

// What one step did, for traces and logs.
struct StepReport {
  std::chrono::steady_clock::time_point begin, end;
  std::int64_t sequences = 0, queued = 0, used_tokens = 0;
  std::int64_t prompt_tokens = 0, drafts = 0, accepted = 0, generated = 0;  // of this step
};

struct EngineOptions {
  CacheType cache_type = CacheType::kF32;
  std::int64_t max_total_tokens = 0;  // of the key/value pool; 0: from memory_bytes
  std::uint64_t memory_bytes = 0;     // for the pool when max_total_tokens is 0
  std::int64_t context_length = 0;    // 0: the model's
  std::int64_t max_running_requests = 256;
  std::int64_t max_queued_requests = 0;     // 0: no limit
  std::int64_t chunked_prefill_size = 512;  // tokens of prompts in one step
  bool prefix_cache = true;
  bool ngram_speculation = false;  // drafts copied from earlier in the sequence; never changes a result
  std::int64_t max_draft_tokens = 8;
  std::uint64_t expert_cache_bytes = 0;  // for a model larger than memory; 0: weights stay mapped
  std::vector<std::int32_t> end_tokens;  // of generation_config.json or config.json
  ForwardOptions forward;
  std::function<void(const StepReport&)> on_step;  // on the engine's thread: return at once; may be empty
};

struct EngineStats {
  std::int64_t running = 0, queued = 0;
  std::int64_t pool_tokens = 0, used_tokens = 0, cached_tokens = 0;  // cached: kept for later requests, free to take
  std::uint64_t requests = 0, finished = 0, aborted = 0, preemptions = 0;
  std::uint64_t prompt_tokens = 0, prompt_tokens_cached = 0, generation_tokens = 0, steps = 0;
  std::uint64_t draft_tokens = 0, accepted_tokens = 0;
  // With an expert cache (capacity 0: without): experts that a step found there or had to read.
  std::uint64_t expert_hits = 0, expert_misses = 0, expert_bytes_read = 0;
  std::uint64_t expert_resident_bytes = 0, expert_capacity_bytes = 0;
};

using RequestId = std::uint64_t;

class Engine {
 public:
  // Plans memory and starts the thread. Fails when the pool can't hold one request of the smallest size.
  static Result<std::unique_ptr<Engine>> create(const Checkpoint& checkpoint, const ModelConfig& config,
                                                const Compute& compute, const EngineOptions& options);
  ~Engine();  // stops; running requests end with kAbort

  // All of these are thread-safe.
  // kInvalidInput: the request can never run (empty or too long for context or pool, ids or parameters out of range).
  // kOutOfMemory: the queue is full or the engine is draining.
  Result<RequestId> submit(EngineRequest request, OutputSink sink);
  void cancel(RequestId id);  // its pages are free after the running step; the sink gets kAbort unless it ended before
  void cancel_all();
  bool flush_cache();  // forgets cached prefixes; false while requests run
  void drain();        // takes no more requests; running and queued ones go on
  bool idle() const;   // nothing runs or waits
  EngineStats stats() const;
  std::int64_t context_length() const;
  std::int64_t pool_tokens() const;

 private:
  struct Impl;
  explicit Engine(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace tetrad
