#include "base/float_buffer.h"

#include <gtest/gtest.h>

namespace tetrad {
namespace {

TEST(FloatBufferTest, GrowsAndStaysWhereItIsWhileLargeEnough) {
  FloatBuffer buffer;
  for (const std::int64_t floats : {1, 100, 1 << 19, (1 << 20) + 1}) {
    float* data = buffer.grow(floats);
    ASSERT_EQ(reinterpret_cast<std::uintptr_t>(data) % 64, 0U);
    data[0] = 1;
    data[floats - 1] = 2;
    EXPECT_EQ(buffer.grow(floats), data);
    EXPECT_EQ(buffer.grow(1), data);
    EXPECT_EQ(data[floats - 1], 2);
  }
}

TEST(FloatBufferTest, LargeOnesAreWholeHugePages) {
  FloatBuffer buffer;
  const std::int64_t huge = (2 << 20) / 4;
  float* data = buffer.grow(huge + 1);
  EXPECT_EQ(reinterpret_cast<std::uintptr_t>(data) % (2 << 20), 0U);
  EXPECT_EQ(buffer.grow(2 * huge), data) << "rounded up to the end of a page";
}

}  // namespace
}  // namespace tetrad
