// The engine's steps as a trace that chrome://tracing and ui.perfetto.dev show. Used by cmd_serve.cpp.
// Format: "Trace Event Format", JSON array form, whose closing bracket may be missing: so the file is good at any time.
#pragma once

#include <cstdio>
#include <memory>
#include <string>

#include "base/error.h"
#include "engine/engine.h"

namespace tetrad {

class StepTrace {
 public:
  static Result<std::shared_ptr<StepTrace>> create(const std::string& path);
  ~StepTrace();
  StepTrace(const StepTrace&) = delete;
  StepTrace& operator=(const StepTrace&) = delete;
  void add(const StepReport& report);  // by one thread

 private:
  explicit StepTrace(std::FILE* file) : file_(file) {}
  std::FILE* file_;
  const std::chrono::steady_clock::time_point began_ = std::chrono::steady_clock::now();
};

}  // namespace tetrad
