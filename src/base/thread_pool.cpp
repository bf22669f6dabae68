#include "base/thread_pool.h"

#include <sched.h>

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <exception>
#include <fstream>
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <vector>

namespace tetrad {

struct ThreadPool::State {
  std::mutex mutex;
  std::condition_variable start, finished;
  std::vector<std::thread> threads;
  const std::function<void(std::size_t, std::size_t)>* body = nullptr;
  std::size_t count = 0, grain = 1, generation = 0, busy = 0;
  std::atomic<std::size_t> next{0};
  std::exception_ptr failure;
  bool stop = false;

  void work(std::size_t worker) {
    for (;;) {
      const std::size_t begin = next.fetch_add(grain, std::memory_order_relaxed);
      if (begin >= count) return;
      try {
        for (std::size_t i = begin; i < std::min(count, begin + grain); ++i) (*body)(i, worker);
      } catch (...) {
        const std::lock_guard lock(mutex);
        if (!failure) failure = std::current_exception();
        next.store(count, std::memory_order_relaxed);
      }
    }
  }

  void loop(std::size_t worker) {
    std::size_t seen = 0;
    std::unique_lock lock(mutex);
    for (;;) {
      start.wait(lock, [&] { return stop || generation != seen; });
      if (stop) return;
      seen = generation;
      lock.unlock();
      work(worker);
      lock.lock();
      if (--busy == 0) finished.notify_one();
    }
  }
};

ThreadPool::ThreadPool(std::size_t threads) : state_(std::make_unique<State>()) {
  if (threads == 0) threads = default_thread_count();
  for (std::size_t worker = 1; worker < threads; ++worker)
    state_->threads.emplace_back([state = state_.get(), worker] { state->loop(worker); });
}

ThreadPool::~ThreadPool() {
  {
    const std::lock_guard lock(state_->mutex);
    state_->stop = true;
  }
  state_->start.notify_all();
  for (auto& thread : state_->threads) thread.join();
}

std::size_t ThreadPool::size() const { return state_->threads.size() + 1; }

void ThreadPool::run(std::size_t count, const std::function<void(std::size_t, std::size_t)>& body, std::size_t grain) {
  State& s = *state_;
  if (count == 0) return;
  {
    const std::lock_guard lock(s.mutex);
    s.body = &body;
    s.count = count;
    s.grain = std::max<std::size_t>(1, grain);
    s.next.store(0, std::memory_order_relaxed);
    s.failure = nullptr;
    s.busy = s.threads.size();
    ++s.generation;
  }
  s.start.notify_all();
  s.work(0);
  std::unique_lock lock(s.mutex);
  s.finished.wait(lock, [&] { return s.busy == 0; });
  s.body = nullptr;
  if (s.failure) std::rethrow_exception(s.failure);
}

std::size_t default_thread_count() {
  cpu_set_t allowed;
  CPU_ZERO(&allowed);
  if (::sched_getaffinity(0, sizeof(allowed), &allowed) != 0) return std::max(1u, std::thread::hardware_concurrency());
  std::set<std::string> cores;  // SMT siblings print the same list
  for (std::size_t cpu = 0; cpu < CPU_SETSIZE; ++cpu) {
    if (!CPU_ISSET(cpu, &allowed)) continue;
    std::ifstream file("/sys/devices/system/cpu/cpu" + std::to_string(cpu) + "/topology/thread_siblings_list");
    std::string siblings;
    if (!std::getline(file, siblings)) siblings = std::to_string(cpu);
    cores.insert(siblings);
  }
  return std::max<std::size_t>(1, cores.size());
}

}  // namespace tetrad
