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

TEST(FloatBufferTest, LargeOnesAreReadAndWrittenToTheirEnds) {
  const std::int64_t floats = (std::int64_t{5} << 20) + 3;
  FloatBuffer buffer;
  for (const std::int64_t count : {floats, 2 * floats}) {
    float* data = buffer.grow(count);
    for (std::int64_t i = 0; i < count; i += 512) data[i] = static_cast<float>(i % 1024);
    data[count - 1] = 7;
    for (std::int64_t i = 0; i < count - 1; i += 512) ASSERT_EQ(data[i], static_cast<float>(i % 1024)) << i;
  }
}

}  // namespace
}  // namespace tetrad
