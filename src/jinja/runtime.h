// What one render carries from operator to operator: its limits and how much of them is used, and the line it is at.
// Everything that makes values goes through it. One thread, one render.
#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "jinja/limits.h"
#include "jinja/value.h"

namespace tetrad::jinja {

class Runtime {
 public:
  explicit Runtime(const RenderLimits& limits);
  ~Runtime();
  Runtime(const Runtime&) = delete;
  Runtime& operator=(const Runtime&) = delete;

  Value text(std::string bytes, bool markup = false);
  Value list(std::vector<Value> items);
  Value tuple(std::vector<Value> items);
  std::shared_ptr<Dict> dict() { return std::make_shared<Dict>(&budget_); }
  Budget* budget() { return &budget_; }
  const RenderLimits& limits() const { return limits_; }

  void step(std::uint64_t count = 1) {
    budget_.steps += count;
    if (budget_.steps >= next_check_) check_clock();
  }
  // The steps of walking once through a text or the items of a list.
  void step_through(const Value& value) {
    if (value.is_string())
      step(value.text().size() / 256);
    else if (value.is_sequence())
      step(value.list().items.size() / 64);
  }
  // Refuses a value of this many bytes before it is built.
  void expect_bytes(std::size_t count, std::size_t bytes_each);

  // Namespaces and macros can refer to each other in circles; they are kept here and emptied when the render ends.
  void pin(ObjectRef object);

  int line = 0;   // being evaluated
  int depth = 0;  // of macro calls and recursive loops
  int nest = 0;   // of evaluation frames on the C++ stack

 private:
  void check_clock();

  RenderLimits limits_;
  Budget budget_;
  std::uint64_t next_check_ = 0;
  std::chrono::steady_clock::time_point deadline_;
  std::vector<ObjectRef> pinned_;
};

// Counts one level of `counter` for a scope; throws Fault above `limit`.
class DepthGuard {
 public:
  DepthGuard(int& counter, int limit) : counter_(counter) {
    if (counter_ >= limit) fail("nested deeper than the limit of " + std::to_string(limit));
    ++counter_;
  }
  DepthGuard(const DepthGuard&) = delete;
  DepthGuard& operator=(const DepthGuard&) = delete;
  ~DepthGuard() { --counter_; }

 private:
  int& counter_;
};

constexpr int kMaxNest = 2000;  // evaluation frames are below 1 KiB each: 2 MiB of the usual 8 MiB of stack

}  // namespace tetrad::jinja
