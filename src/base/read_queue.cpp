#include "base/read_queue.h"

#include <algorithm>
#include <utility>

namespace tetrad {

ReadQueue::ReadQueue(std::size_t threads, Done done) : done_(std::move(done)) {
  for (std::size_t i = 0; i < threads; ++i) threads_.emplace_back([this] { work(); });
}

ReadQueue::~ReadQueue() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  news_.notify_all();
  for (std::thread& thread : threads_) thread.join();
}

void ReadQueue::push(std::span<const ReadJob> jobs) {
  {
    const std::lock_guard lock(mutex_);
    first_.insert(first_.end(), jobs.begin(), jobs.end());
  }
  news_.notify_all();
}

void ReadQueue::later(std::span<const ReadJob> jobs) {
  {
    const std::lock_guard lock(mutex_);
    later_.insert(later_.end(), jobs.begin(), jobs.end());
  }
  news_.notify_all();
}

void ReadQueue::hurry(std::size_t owner) {
  const std::lock_guard lock(mutex_);
  const auto own =
      std::stable_partition(later_.begin(), later_.end(), [&](const ReadJob& job) { return job.owner != owner; });
  first_.insert(first_.end(), own, later_.end());
  later_.erase(own, later_.end());
}

std::size_t ReadQueue::drop(std::size_t owner) {
  const std::lock_guard lock(mutex_);
  return std::erase_if(later_, [&](const ReadJob& job) { return job.owner == owner; });
}

void ReadQueue::work() {
  for (;;) {
    ReadJob job;
    {
      std::unique_lock lock(mutex_);
      news_.wait(lock, [&] { return stopping_ || !first_.empty() || !later_.empty(); });
      if (stopping_) return;
      std::deque<ReadJob>& from = first_.empty() ? later_ : first_;
      job = from.front();
      from.pop_front();
    }
    done_(job, job.file->read(job.offset, job.out, job.need));
  }
}

}  // namespace tetrad
