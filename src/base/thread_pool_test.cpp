#include "base/thread_pool.h"

#include <gmock/gmock.h>
#include <sched.h>

#include <atomic>
#include <chrono>
#include <numeric>
#include <stdexcept>
#include <thread>
#include <vector>

namespace tetrad {
namespace {

class ThreadPoolTest : public testing::TestWithParam<std::size_t> {};

TEST_P(ThreadPoolTest, RunsEveryIndexOnce) {
  ThreadPool pool(GetParam());
  EXPECT_EQ(pool.size(), GetParam());
  for (const std::size_t grain : {std::size_t{1}, std::size_t{7}, std::size_t{10'000}}) {
    std::vector<std::atomic<int>> seen(1000);
    std::atomic<bool> in_range = true;
    pool.run(
        seen.size(),
        [&](std::size_t index, std::size_t worker) {
          seen[index] += 1;
          if (worker >= pool.size()) in_range = false;
        },
        grain);
    EXPECT_TRUE(in_range);
    for (const auto& count : seen) EXPECT_EQ(count, 1);
  }
  pool.run(0, [](std::size_t, std::size_t) { FAIL(); });
}

TEST_P(ThreadPoolTest, WorkersHaveTheirOwnScratch) {
  ThreadPool pool(GetParam());
  std::vector<std::int64_t> sums(pool.size());
  pool.run(10'000, [&](std::size_t index, std::size_t worker) { sums[worker] += static_cast<std::int64_t>(index); });
  EXPECT_EQ(std::accumulate(sums.begin(), sums.end(), std::int64_t{0}), 10'000LL * 9'999 / 2);
}

TEST_P(ThreadPoolTest, ExceptionsComeBackAndThePoolLivesOn) {
  ThreadPool pool(GetParam());
  EXPECT_THROW(pool.run(100,
                        [](std::size_t index, std::size_t) {
                          if (index == 37) throw std::runtime_error("37");
                        }),
               std::runtime_error);
  std::atomic<int> count = 0;
  for (int round = 0; round < 200; ++round) pool.run(10, [&](std::size_t, std::size_t) { ++count; });
  EXPECT_EQ(count, 2000);
}

// Workers that spin, yield or sleep when a loop begins, and a caller that spins, yields or sleeps until it ends: pauses
// before and within of 0 to 4 ms.
TEST_P(ThreadPoolTest, PausesOfAnyLength) {
  ThreadPool pool(GetParam());
  const auto pause = [](int i) { std::this_thread::sleep_for(std::chrono::microseconds(i % 5 * 1000)); };
  for (int round = 0; round < 50; ++round) {
    std::vector<std::atomic<int>> seen(8);
    pause(round);
    pool.run(seen.size(), [&](std::size_t index, std::size_t worker) {
      if (worker > 0 && index % 4 == 3) pause(round / 5);
      ++seen[index];
    });
    for (const auto& count : seen) EXPECT_EQ(count, 1);
  }
}

INSTANTIATE_TEST_SUITE_P(Sizes, ThreadPoolTest, testing::Values(1, 2, 5));

// Of each worker's processors: the caller has all it had, the others some of them, and none the same.
TEST(ThreadPool, PinnedWorkersHaveCoresOfTheirOwn) {
  const std::size_t cores = ThreadPool().size();
  ThreadPool pool(cores + 2, true);
  cpu_set_t before, taken;
  ASSERT_EQ(::sched_getaffinity(0, sizeof(before), &before), 0);
  CPU_ZERO(&taken);
  std::vector<std::atomic<bool>> seen(pool.size());
  std::vector<cpu_set_t> of(pool.size());
  pool.run(pool.size(), [&](std::size_t, std::size_t worker) {  // as many indices as workers, each waits for the others
    ::sched_getaffinity(0, sizeof(cpu_set_t), &of[worker]);
    seen[worker] = true;
    for (const auto& one : seen)
      while (!one) std::this_thread::yield();
  });
  EXPECT_TRUE(CPU_EQUAL(&of[0], &before));
  for (std::size_t worker = 1; worker < pool.size(); ++worker) {
    if (CPU_EQUAL(&of[worker], &before) && worker >= cores) continue;  // a quota makes `cores` fewer than there are
    cpu_set_t both;
    CPU_AND(&both, &of[worker], &taken);
    EXPECT_EQ(CPU_COUNT(&both), 0) << worker;
    EXPECT_LT(CPU_COUNT(&of[worker]), CPU_COUNT(&before)) << worker;
    CPU_OR(&taken, &taken, &of[worker]);
  }
}

TEST(ThreadPool, DefaultsToTheMachine) {
  EXPECT_GE(default_thread_count(), 1U);
  EXPECT_EQ(ThreadPool().size(), default_thread_count());
}

}  // namespace
}  // namespace tetrad
