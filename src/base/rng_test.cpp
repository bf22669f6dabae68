#include "base/rng.h"

#include <gmock/gmock.h>

#include <array>
#include <set>

#include "base/fingerprint.h"

namespace tetrad {
namespace {

// Written down once: a changed generator would silently change every seeded result.
TEST(Rng, ItsNumbersAreFixed) {
  Rng rng(0);
  const std::uint64_t first = rng.next(), second = rng.next();
  EXPECT_EQ(Rng(0).next(), first);
  EXPECT_NE(first, second);
  EXPECT_EQ(mix64(1), 0x5692161D100B05E5U);  // SplitMix64's finalizer of 1
}

TEST(Rng, StreamsDiffer) {
  std::set<std::uint64_t> seen;
  for (std::uint64_t seed = 0; seed < 20; ++seed)
    for (std::uint64_t stream = 0; stream < 20; ++stream) {
      Rng rng(seed, stream);
      for (int i = 0; i < 5; ++i) seen.insert(rng.next());
    }
  EXPECT_EQ(seen.size(), 2000U);
}

TEST(Rng, NumbersAreUniform) {
  Rng rng(7);
  std::array<int, 10> counts{};
  double sum = 0;
  for (int i = 0; i < 100'000; ++i) {
    counts[rng.below(10)] += 1;
    const double u = rng.uniform();
    ASSERT_TRUE(u >= 0 && u < 1);
    sum += u;
  }
  for (const int count : counts) EXPECT_NEAR(count, 10'000, 500);  // 5 standard deviations
  EXPECT_NEAR(sum / 100'000, 0.5, 0.005);
}

TEST(Fingerprint, SeesEveryByteAndEveryBoundary) {
  const auto of = [](std::initializer_list<std::string_view> parts) {
    Fingerprint fingerprint;
    for (const std::string_view part : parts) fingerprint.add(part);
    return fingerprint.hex();
  };
  EXPECT_EQ(of({"abc"}), of({"abc"}));
  EXPECT_EQ(of({"abc"}).size(), 32U);
  std::set<std::string> all = {of({"abc"}),
                               of({"ab", "c"}),
                               of({"a", "bc"}),
                               of({}),
                               of({""}),
                               of({"", ""}),
                               of({std::string_view("abc\0", 4)})};
  EXPECT_EQ(all.size(), 7U);
}

}  // namespace
}  // namespace tetrad
