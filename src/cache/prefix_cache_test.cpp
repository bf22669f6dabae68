#include "cache/prefix_cache.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "base/rng.h"

namespace tetrad {
namespace {

using ::testing::ElementsAre;
using Tokens = std::vector<std::int32_t>;

class PrefixCacheTest : public ::testing::Test {
 protected:
  std::vector<Slot> take(std::size_t count) {
    std::vector<Slot> slots;
    for (std::size_t i = 0; i < count; ++i) slots.push_back(pool_.take());
    return slots;
  }
  // Puts a sequence in as a request does, with fresh slots for what is not known, and lets it go.
  std::vector<Slot> put(const Tokens& tokens, const std::string& salt = "") {
    auto match = cache_.match(tokens, salt);
    std::vector<Slot> slots = match.slots;
    for (const Slot slot : take(tokens.size() - slots.size())) slots.push_back(slot);
    const auto handle = cache_.insert(tokens, slots, salt);
    cache_.release(match.handle);
    cache_.release(handle);
    return slots;
  }
  std::vector<Slot> known(const Tokens& tokens, const std::string& salt = "") {
    auto match = cache_.match(tokens, salt);
    cache_.release(match.handle);
    return match.slots;
  }

  SlotPool pool_{100};
  PrefixCache cache_{pool_};
};

TEST_F(PrefixCacheTest, FindsTheLongestPrefix) {
  const auto a = put({1, 2, 3, 4});
  EXPECT_EQ(known({1, 2, 3, 4, 5}), a);
  EXPECT_EQ(known({1, 2}), (std::vector<Slot>{a[0], a[1]}));
  EXPECT_TRUE(known({2}).empty());
  EXPECT_TRUE(known({}).empty());
  const auto b = put({1, 2, 9, 9, 9});
  EXPECT_EQ(b[0], a[0]);
  EXPECT_EQ(b[1], a[1]);
  EXPECT_EQ(known({1, 2, 3, 4}), a);
  EXPECT_EQ(known({1, 2, 9, 9, 9, 9}), b);
  EXPECT_EQ(cache_.held(), 7);
  EXPECT_EQ(pool_.free(), 93);
}

TEST_F(PrefixCacheTest, SaltsShareNothing) {
  put({1, 2, 3});
  EXPECT_TRUE(known({1, 2, 3}, "x").empty());
  put({1, 2, 3}, "x");
  EXPECT_EQ(cache_.held(), 6);
}

TEST_F(PrefixCacheTest, GivesDuplicatesBack) {
  const auto first = put({1, 2, 3, 4});
  std::vector<Slot> second = take(5);  // computed at the same time, without knowing of the first
  const auto handle = cache_.insert(Tokens{1, 2, 3, 4, 5}, second, "");
  EXPECT_TRUE(std::equal(first.begin(), first.end(), second.begin()));
  EXPECT_EQ(cache_.held(), 5);
  EXPECT_EQ(pool_.free(), 95);
  cache_.release(handle);
}

TEST_F(PrefixCacheTest, EvictsWhatWasUsedLongestAgo) {
  put({1, 1, 1});
  put({2, 2, 2});
  put({3, 3, 3});
  known({1, 1, 1});
  EXPECT_EQ(cache_.evict(4), 4);
  EXPECT_TRUE(known({2}).empty());
  EXPECT_EQ(known({3, 3, 3}).size(), 2U);  // its end went first
  EXPECT_EQ(known({1, 1, 1}).size(), 3U);
  EXPECT_EQ(cache_.evict(1000), 5);
  EXPECT_EQ(pool_.free(), 100);
}

TEST_F(PrefixCacheTest, KeepsWhatIsLocked) {
  put({1, 2, 3, 4});
  put({1, 2, 5});
  const auto match = cache_.match(Tokens{1, 2, 3}, "");
  EXPECT_EQ(cache_.evictable(), 2);
  EXPECT_EQ(cache_.evict(100), 2);
  EXPECT_EQ(known({1, 2, 3, 4}).size(), 3U);
  cache_.release(match.handle);
  EXPECT_EQ(cache_.evictable(), 3);
  EXPECT_EQ(cache_.evict(100), 3);
}

// Random requests against a plain map of every prefix that must be known; no slot is ever owned twice or lost.
TEST_F(PrefixCacheTest, SurvivesRandomUse) {
  Rng rng(5);
  struct Running {
    Tokens tokens;
    PrefixCache::Handle handle;
  };
  std::vector<Running> running;
  for (int step = 0; step < 20000; ++step) {
    if (running.size() > 4 || (rng.below(3) == 0 && !running.empty())) {
      const std::size_t which = rng.below(running.size());
      EXPECT_EQ(cache_.match(running[which].tokens, "").slots.size(), running[which].tokens.size());
      const auto again = cache_.match(running[which].tokens, "");  // two locks were taken by the two matches
      cache_.release(again.handle);
      cache_.release(again.handle);
      cache_.release(running[which].handle);
      running.erase(running.begin() + static_cast<std::ptrdiff_t>(which));
      continue;
    }
    Tokens tokens(1 + rng.below(12));
    for (auto& token : tokens) token = static_cast<std::int32_t>(rng.below(2));
    auto match = cache_.match(tokens, "");
    const auto need = static_cast<std::int64_t>(tokens.size() - match.slots.size());
    if (pool_.free() < need) cache_.evict(need - pool_.free());
    if (pool_.free() < need) {
      cache_.release(match.handle);
      continue;
    }
    std::vector<Slot> slots = match.slots;
    for (const Slot slot : take(static_cast<std::size_t>(need))) slots.push_back(slot);
    ASSERT_EQ(std::set<Slot>(slots.begin(), slots.end()).size(), slots.size());
    const auto handle = cache_.insert(tokens, slots, "");
    cache_.release(match.handle);
    running.push_back({tokens, handle});
    ASSERT_EQ(pool_.free() + cache_.held(), pool_.size());
    ASSERT_GE(cache_.evictable(), 0);
    ASSERT_LE(cache_.evictable(), cache_.held());
  }
  for (const auto& request : running) cache_.release(request.handle);
  EXPECT_EQ(cache_.evictable(), cache_.held());
  cache_.evict(1000);
  EXPECT_EQ(pool_.free(), pool_.size());
}

}  // namespace
}  // namespace tetrad
