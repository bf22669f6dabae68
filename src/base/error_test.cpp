#include "base/error.h"

#include <gmock/gmock.h>

#include <cerrno>
#include <memory>

namespace tetrad {
namespace {

TEST(Error, IsOneReadableLine) {
  const Error error = invalid_input("bad\nthing", "dir/\x1b[31mfile", "it\thas \xff", "try\nagain").value();
  EXPECT_EQ(error.message, "bad\\nthing: dir/\\x1b[31mfile: it\\x09has \\xff");
  EXPECT_EQ(invalid_input("a", "", "").value().message, "a");
  EXPECT_EQ(make_error(ErrorCode::kUsage, "a", "b", "c").value().code, ErrorCode::kUsage);
  EXPECT_THAT(io_error("cannot open", "x", ENOENT).value().message, testing::HasSubstr("cannot open: x: No such file"));
}

TEST(Error, PrintableCutsLongTexts) {
  EXPECT_EQ(printable("grüße"), "grüße");
  EXPECT_EQ(printable(std::string(400, 'x')).size(), 303U);
  EXPECT_EQ(printable("abcdef", 3), "abc...");
  EXPECT_EQ(printable("\xe2\x82"), "\\xe2\\x82");
}

Result<int> half(int value) {
  if (value % 2 != 0) return invalid_input("odd", "", "");
  return value / 2;
}

Result<int> quarter(int value) {
  const int once = TETRAD_TRY(half(value));
  return TETRAD_TRY(half(once));
}

Result<std::unique_ptr<int>> pointer(bool good) {
  if (!good) return invalid_input("none", "", "");
  return std::make_unique<int>(7);
}

Status use(bool good, int& out) {
  const std::unique_ptr<int> value = TETRAD_TRY(pointer(good));
  out = *value;
  return {};
}

TEST(Error, TryPassesValuesAndErrorsOn) {
  EXPECT_EQ(quarter(12).value(), 3);
  EXPECT_EQ(quarter(6).error().message, "odd");
  int out = 0;
  EXPECT_TRUE(use(true, out).has_value());
  EXPECT_EQ(out, 7);
  EXPECT_EQ(use(false, out).error().message, "none");
}

}  // namespace
}  // namespace tetrad
