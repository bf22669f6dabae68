#include "base/thread_pool.h"

#include <gmock/gmock.h>

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

TEST(ThreadPool, DefaultsToTheMachine) {
  EXPECT_GE(default_thread_count(), 1U);
  EXPECT_EQ(ThreadPool().size(), default_thread_count());
}

}  // namespace
}  // namespace tetrad
