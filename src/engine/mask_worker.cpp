#include "engine/mask_worker.h"

#include "base/check.h"

namespace tetrad {

MaskWorker::~MaskWorker() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  news_.notify_all();
  if (thread_.joinable()) thread_.join();
}

void MaskWorker::start(std::vector<TokenConstraint*> constraints) {
  if (constraints.empty()) return;
  const std::lock_guard lock(mutex_);
  TETRAD_CHECK(!busy_);
  work_ = std::move(constraints);
  busy_ = true;
  if (!thread_.joinable()) thread_ = std::thread([this] { run(); });
  news_.notify_all();
}

void MaskWorker::wait() {
  std::unique_lock lock(mutex_);
  news_.wait(lock, [&] { return !busy_; });
}

void MaskWorker::run() {
  std::unique_lock lock(mutex_);
  while (true) {
    news_.wait(lock, [&] { return busy_ || stopping_; });
    if (stopping_) return;
    const std::vector<TokenConstraint*> work = std::move(work_);
    lock.unlock();
    for (TokenConstraint* constraint : work) constraint->prepare();
    lock.lock();
    busy_ = false;
    news_.notify_all();
  }
}

}  // namespace tetrad
