#include "tensor/tensor_view.h"

#include <gmock/gmock.h>

#include <cmath>
#include <cstring>

namespace tetrad {
namespace {

constexpr DType kAll[] = {DType::kF32, DType::kBF16, DType::kF16, DType::kF8E4M3, DType::kF8E5M2,
                          DType::kU8,  DType::kI8,   DType::kI16, DType::kI32,    DType::kI64,
                          DType::kU16, DType::kU32,  DType::kU64, DType::kF64,    DType::kBool};

TEST(DTypes, NamesLeadBack) {
  for (const DType dtype : kAll) {
    EXPECT_EQ(dtype_from_name(dtype_name(dtype)), dtype);
    EXPECT_GE(dtype_size(dtype), 1U);
  }
  EXPECT_EQ(dtype_name(DType::kF8E4M3), "F8_E4M3");
  EXPECT_EQ(dtype_size(DType::kBF16), 2U);
  EXPECT_FALSE(dtype_from_name("f32").has_value());
  EXPECT_FALSE(dtype_from_name("").has_value());
}

TEST(DTypes, ShapesAsText) {
  EXPECT_EQ(shape_text({}), "[]");
  EXPECT_EQ(shape_text({256, 3072}), "[256, 3072]");
}

template <class T>
float stored(DType dtype, T value) {
  std::byte bytes[1 + sizeof(T)];  // one byte off: views may be unaligned
  std::memcpy(bytes + 1, &value, sizeof(T));
  return element_as_float({dtype, {1}, {bytes + 1, sizeof(T)}}, 0);
}

TEST(Elements, EveryTypeAsFloat) {
  EXPECT_EQ(stored(DType::kF32, -1.5F), -1.5F);
  EXPECT_EQ(stored(DType::kF64, 0.25), 0.25F);
  EXPECT_EQ(stored<std::uint16_t>(DType::kBF16, 0x4040), 3.0F);
  EXPECT_EQ(stored<std::uint16_t>(DType::kF16, 0x3C00), 1.0F);
  EXPECT_EQ(stored<std::uint8_t>(DType::kF8E4M3, 0x7E), 448.0F);
  EXPECT_EQ(stored<std::uint8_t>(DType::kF8E5M2, 0x3C), 1.0F);
  EXPECT_TRUE(std::isnan(stored<std::uint8_t>(DType::kF8E4M3, 0xFF)));
  EXPECT_EQ(stored<std::uint8_t>(DType::kU8, 200), 200.0F);
  EXPECT_EQ(stored<std::int8_t>(DType::kI8, -100), -100.0F);
  EXPECT_EQ(stored<std::int16_t>(DType::kI16, -3000), -3000.0F);
  EXPECT_EQ(stored<std::uint16_t>(DType::kU16, 60000), 60000.0F);
  EXPECT_EQ(stored<std::int32_t>(DType::kI32, -7), -7.0F);
  EXPECT_EQ(stored<std::uint32_t>(DType::kU32, 7), 7.0F);
  EXPECT_EQ(stored<std::int64_t>(DType::kI64, -8), -8.0F);
  EXPECT_EQ(stored<std::uint64_t>(DType::kU64, 8), 8.0F);
  EXPECT_EQ(stored<std::uint8_t>(DType::kBool, 1), 1.0F);
}

}  // namespace
}  // namespace tetrad
