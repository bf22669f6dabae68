#include "base/units.h"

#include <gmock/gmock.h>

namespace tetrad {
namespace {

TEST(Units, ReadsSizes) {
  EXPECT_EQ(parse_bytes("1500000").value(), 1'500'000U);
  EXPECT_EQ(parse_bytes("1.5GB").value(), 1'500'000'000U);
  EXPECT_EQ(parse_bytes("1GiB").value(), 1U << 30);
  EXPECT_EQ(parse_bytes("512M").value(), 512U << 20);
  EXPECT_EQ(parse_bytes("2 kb").value(), 2000U);
  EXPECT_EQ(parse_bytes("3Ti").value(), std::uint64_t{3} << 40);
  EXPECT_EQ(parse_bytes("0").value(), 0U);
  EXPECT_EQ(parse_bytes("7B").value(), 7U);
  for (const char* text : {"", "G", "-1", "1X", "1GiBs", "nan", "inf", "1e30", "0x10", "9.3e18", "1 2"})
    EXPECT_FALSE(parse_bytes(text).has_value()) << text;
}

TEST(Units, WritesNumbersForPeople) {
  EXPECT_EQ(format_bytes(0), "0 B");
  EXPECT_EQ(format_bytes(999), "999 B");
  EXPECT_EQ(format_bytes(1000), "1.00 kB");
  EXPECT_EQ(format_bytes(3'620'000'000), "3.62 GB");
  EXPECT_EQ(format_bytes(999'999), "1.00 MB");
  EXPECT_EQ(format_count(17'200'000), "17.2 M");
  EXPECT_EQ(format_count(5), "5");
  EXPECT_EQ(format_seconds(4.21), "4.2 s");
  EXPECT_EQ(format_seconds(185), "3 min 05 s");
  EXPECT_EQ(format_seconds(7 * 3600 + 12 * 60), "7 h 12 min");
}

TEST(Units, KnowsTheMachine) {
  EXPECT_GT(total_memory_bytes(), 1U << 20);
  EXPECT_GT(peak_resident_bytes(), 1U << 20);
}

}  // namespace
}  // namespace tetrad
