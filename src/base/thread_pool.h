// A fixed set of threads that run one parallel loop at a time. The caller is worker 0 and works too. What a loop
// computes must not depend on which worker ran which index: that, with fixed reduction orders, makes results
// independent of the thread count.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>

namespace tetrad {

class ThreadPool {
 public:
  // `threads` >= 1, the caller included; 0 means default_thread_count(). pinned: worker i stays on the processors of
  // physical core i of those this process may use, as far as there are so many; the caller, worker 0, is left free,
  // since any thread may call.
  explicit ThreadPool(std::size_t threads = 0, bool pinned = false);
  ~ThreadPool();
  ThreadPool(const ThreadPool&) = delete;

  std::size_t size() const;
  // Calls body(index, worker) for every index in [0, count), worker < size(), and returns when all are done. Indices
  // are handed out in ascending order, `grain` at a time. Not reentrant: body must not call run() on the same pool. An
  // exception thrown by body is rethrown here once all workers have stopped.
  void run(std::size_t count, const std::function<void(std::size_t index, std::size_t worker)>& body,
           std::size_t grain = 1);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

// Physical cores this process may run on, no more than its control group gives it processors' worth of time.
std::size_t default_thread_count();

}  // namespace tetrad
