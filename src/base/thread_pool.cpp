#include "base/thread_pool.h"

#include <fmt/format.h>
#include <pthread.h>
#include <sched.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cmath>
#include <condition_variable>
#include <exception>
#include <fstream>
#include <map>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "base/control_group.h"
#include "base/log.h"

namespace tetrad {

namespace {

// Between two loops of a forward pass lie a few microseconds, waking a sleeper takes 50 and on a virtual machine
// several hundred: threads look for so many pauses (20 to 60 us), and then, letting others run, until so much time is
// over, before they sleep.
constexpr int kSpins = 1500;
constexpr auto kYieldTime = std::chrono::microseconds(1000);

void pause_cpu() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#endif
}

// Whether `ready` became true before it was time to sleep.
template <class Ready>
bool spin_until(const Ready& ready) {
  for (int i = 0; i < kSpins; ++i) {
    if (ready()) return true;
    pause_cpu();
  }
  for (const auto end = std::chrono::steady_clock::now() + kYieldTime; std::chrono::steady_clock::now() < end;) {
    if (ready()) return true;
    std::this_thread::yield();
  }
  return false;
}

// Processors this process may run on, those of a physical core together, in ascending order. Empty: unknown.
std::vector<cpu_set_t> physical_cores() {
  cpu_set_t allowed;
  CPU_ZERO(&allowed);
  if (::sched_getaffinity(0, sizeof(allowed), &allowed) != 0) return {};
  std::vector<cpu_set_t> cores;
  std::map<std::string, std::size_t> core_of;  // SMT siblings print the same list
  for (std::size_t cpu = 0; cpu < CPU_SETSIZE; ++cpu) {
    if (!CPU_ISSET(cpu, &allowed)) continue;
    std::ifstream file("/sys/devices/system/cpu/cpu" + std::to_string(cpu) + "/topology/thread_siblings_list");
    std::string siblings;
    if (!std::getline(file, siblings)) siblings = std::to_string(cpu);
    const auto [at, fresh] = core_of.try_emplace(siblings, cores.size());
    if (fresh) {
      cores.emplace_back();
      CPU_ZERO(&cores.back());
    }
    CPU_SET(cpu, &cores[at->second]);
  }
  return cores;
}

}  // namespace

// A loop is open while `phase` is odd; each has its own number. Who comes in counts himself in `inside` first and then
// looks whether the loop is still open; the caller closes it first and then waits for `inside` to be 0 (all in one
// order, seq_cst). So it never waits for a worker that is still waking up, which does not find anything to do.
struct ThreadPool::State {
  std::vector<std::thread> threads;
  // Of the running loop; written while none is open and nobody is inside.
  const std::function<void(std::size_t, std::size_t)>* body = nullptr;
  std::size_t count = 0, grain = 1;
  std::atomic<std::size_t> next{0};

  std::atomic<std::size_t> phase{0}, inside{0}, sleepers{0};
  std::atomic<bool> stop{false}, caller_sleeps{false};
  std::mutex mutex;  // around going to sleep and waking up, and `failure`
  std::condition_variable start, finished;
  std::exception_ptr failure;

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

  // `seen`: the loop this worker was in last.
  void await_start(std::size_t seen) {
    const auto ready = [&] {
      const std::size_t now = phase;
      return stop || (now != seen && now % 2 == 1);
    };
    if (spin_until(ready)) return;
    std::unique_lock lock(mutex);
    ++sleepers;
    start.wait(lock, ready);
    --sleepers;
  }

  void loop(std::size_t worker) {
    for (std::size_t seen = 0;;) {
      await_start(seen);
      if (stop) return;
      ++inside;
      const std::size_t now = phase;
      if (now % 2 == 1) {
        seen = now;
        work(worker);
      }
      if (--inside > 0 || !caller_sleeps) continue;
      const std::lock_guard lock(mutex);
      finished.notify_one();
    }
  }

  void await_end() {
    const auto ready = [&] { return inside == 0; };
    if (spin_until(ready)) return;
    std::unique_lock lock(mutex);
    caller_sleeps = true;
    finished.wait(lock, ready);
    caller_sleeps = false;
  }

  void wake() {
    if (sleepers == 0) return;
    const std::lock_guard lock(mutex);
    start.notify_all();
  }
};

ThreadPool::ThreadPool(std::size_t threads, bool pinned) : state_(std::make_unique<State>()) {
  if (threads == 0) threads = default_thread_count();
  std::size_t on_own_core = 0;
  const std::vector<cpu_set_t> cores = pinned ? physical_cores() : std::vector<cpu_set_t>();
  for (std::size_t worker = 1; worker < threads; ++worker) {
    state_->threads.emplace_back([state = state_.get(), worker] { state->loop(worker); });
    // Refused where the allowed processors have just changed: the thread then runs where it may.
    if (worker < cores.size() &&
        ::pthread_setaffinity_np(state_->threads.back().native_handle(), sizeof(cpu_set_t), &cores[worker]) == 0)
      ++on_own_core;
  }
  if (pinned && on_own_core + 1 < threads)
    log_warning(fmt::format("only {} of {} threads could have a core of their own; the others are not pinned",
                            on_own_core + 1, threads));
}

ThreadPool::~ThreadPool() {
  state_->stop = true;
  state_->wake();
  for (auto& thread : state_->threads) thread.join();
}

std::size_t ThreadPool::size() const { return state_->threads.size() + 1; }

void ThreadPool::run(std::size_t count, const std::function<void(std::size_t, std::size_t)>& body, std::size_t grain) {
  State& s = *state_;
  if (count == 0) return;
  s.body = &body;
  s.count = count;
  s.grain = std::max<std::size_t>(1, grain);
  s.next.store(0, std::memory_order_relaxed);
  s.failure = nullptr;
  const bool alone = s.threads.empty() || count <= s.grain;
  if (!alone) {
    ++s.phase;
    s.wake();
  }
  s.work(0);
  if (!alone) {
    ++s.phase;
    s.await_end();
  }
  s.body = nullptr;
  if (s.failure) std::rethrow_exception(s.failure);
}

std::size_t default_thread_count() {
  const std::size_t cores = physical_cores().size();
  if (cores == 0) return std::max(1u, std::thread::hardware_concurrency());
  // A container's share: more threads than that would only stand still for the rest of each period.
  const double quota = processor_quota().value_or(static_cast<double>(cores));
  return std::clamp<std::size_t>(static_cast<std::size_t>(std::ceil(quota)), 1, cores);
}

}  // namespace tetrad
