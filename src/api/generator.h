// The engine as the API sees it: tokens in, events of tokens out. A seam, so that the API is tested with scripted
// tokens.
#pragma once

#include <cstdint>

#include "engine/engine.h"
#include "engine/request.h"

namespace tetrad {

// Everything is thread-safe and means what engine.h says.
class Generator {
 public:
  virtual ~Generator() = default;
  virtual Result<RequestId> submit(EngineRequest request, OutputSink sink) = 0;
  virtual void cancel(RequestId id) = 0;
  virtual void cancel_all() = 0;
  virtual bool flush_cache() = 0;
  virtual EngineStats stats() const = 0;
  virtual std::int64_t context_length() const = 0;
  virtual std::int64_t pool_tokens() const = 0;
};

// Hands everything to an engine that outlives it.
class EngineGenerator final : public Generator {
 public:
  explicit EngineGenerator(Engine& engine) : engine_(engine) {}
  Result<RequestId> submit(EngineRequest request, OutputSink sink) override {
    return engine_.submit(std::move(request), std::move(sink));
  }
  void cancel(RequestId id) override { engine_.cancel(id); }
  void cancel_all() override { engine_.cancel_all(); }
  bool flush_cache() override { return engine_.flush_cache(); }
  EngineStats stats() const override { return engine_.stats(); }
  std::int64_t context_length() const override { return engine_.context_length(); }
  std::int64_t pool_tokens() const override { return engine_.pool_tokens(); }

 private:
  Engine& engine_;
};

}  // namespace tetrad
