// Works out what grammars allow while the model computes logits: a thread of its own, so that masks are ready when the
// logits are. Used by engine.cpp.
#pragma once

#include <condition_variable>
#include <mutex>
#include <thread>
#include <vector>

#include "sampling/token_constraint.h"

namespace tetrad {

class MaskWorker {
 public:
  MaskWorker() = default;
  ~MaskWorker();
  MaskWorker(const MaskWorker&) = delete;
  MaskWorker& operator=(const MaskWorker&) = delete;

  // Prepares each; they belong to the worker until wait() has returned.
  void start(std::vector<TokenConstraint*> constraints);
  void wait();

 private:
  void run();

  std::mutex mutex_;
  std::condition_variable news_;
  std::vector<TokenConstraint*> work_;
  bool busy_ = false, stopping_ = false;
  std::thread thread_;  // started with the first work
};

}  // namespace tetrad
