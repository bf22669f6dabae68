#include "api/stop_filter.h"

#include <gtest/gtest.h>

#include "base/rng.h"

namespace tetrad {
namespace {

// The slow way: at which byte does a stop string first end, and what is the longest there?
std::pair<std::string, std::string> reference(const std::string& text, const std::vector<std::string>& stops) {
  for (std::size_t end = 1; end <= text.size(); ++end) {
    std::string longest;
    for (const std::string& stop : stops)
      if (stop.size() > longest.size() && std::string_view(text).substr(0, end).ends_with(stop)) longest = stop;
    if (!longest.empty()) return {text.substr(0, end - longest.size()), longest};
  }
  return {text, ""};
}

TEST(StopFilterTest, EqualsTheSlowWayHoweverTheTextIsCut) {
  Rng rng(1);
  const auto word = [&](std::size_t size) {
    std::string text;
    for (std::size_t i = 0; i < size; ++i) text.push_back(static_cast<char>('a' + rng.below(2)));
    return text;
  };
  for (int round = 0; round < 3000; ++round) {
    std::vector<std::string> stops;
    for (std::size_t s = 0; s <= rng.below(3); ++s) stops.push_back(word(1 + rng.below(6)));
    const std::string text = word(rng.below(20));
    StopFilter filter(stops, false);
    std::string out;
    const auto [before, match] = reference(text, stops);
    for (std::size_t at = 0; at < text.size();) {
      const std::size_t size = 1 + rng.below(4);
      out += filter.push(text.substr(at, size));
      at += size;
      ASSERT_TRUE(before.starts_with(out)) << "a part of a stop string leaked";
    }
    out += filter.stopped() ? "" : filter.release();
    EXPECT_EQ(out, before);
    EXPECT_EQ(filter.matched(), match);
  }
}

TEST(StopFilterTest, KeepsTheStopStringWhenAsked) {
  StopFilter filter({"END"}, true);
  EXPECT_EQ(filter.push("a EN"), "a ");
  EXPECT_EQ(filter.push("D b"), "END");
  EXPECT_EQ(filter.push("c"), "");
}

}  // namespace
}  // namespace tetrad
