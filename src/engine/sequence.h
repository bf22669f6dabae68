// A request on its way through the engine. Used inside this folder, by the engine's thread only.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "cache/prefix_cache.h"
#include "engine/engine.h"
#include "engine/ngram.h"

namespace tetrad {

struct Sequence {
  RequestId id = 0;  // in order of arrival
  EngineRequest request;
  OutputSink sink;

  std::vector<std::int32_t> tokens;  // prompt and output
  std::size_t prompt_size = 0;
  std::size_t max_size = 0;  // of tokens: max_tokens, the context and the pool bound it

  std::vector<Slot> slots;               // of tokens[0, slots.size())
  std::size_t computed = 0;              // tokens whose keys and values are in their slots
  PrefixCache::Handle handle = nullptr;  // keeps the shared part of the slots
  std::int64_t cached_tokens = -1;       // of the first admission
  std::size_t prompt_rows = 0;           // prompt tokens whose logprobs were reported
  NgramDrafter drafter;

  OutputEvent event;  // of the running step
  bool finished() const { return event.finish != FinishReason::kNone; }
  std::size_t output_size() const { return tokens.size() - prompt_size; }
};

}  // namespace tetrad
