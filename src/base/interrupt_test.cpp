#include "base/interrupt.h"

#include <gtest/gtest.h>

#include <csignal>
#include <cstdlib>

namespace tetrad {
namespace {

// In processes of their own: the flag stays up once it is set.
TEST(InterruptDeathTest, OneSignalSetsTheFlag) {
  EXPECT_EXIT(
      {
        install_interrupt_handler();
        const bool before = interrupted() || !check_interrupt();
        std::raise(SIGTERM);
        const Status after = check_interrupt();
        std::_Exit(!before && interrupted() && !after && after.error().code == ErrorCode::kInterrupted ? 0 : 1);
      },
      testing::ExitedWithCode(0), "");
}

TEST(InterruptDeathTest, TakenOnceAndOnlyWhenFromTheKeyboard) {
  EXPECT_EXIT(
      {
        install_interrupt_handler();
        std::raise(SIGINT);
        const bool first = take_interrupt();
        const bool second = take_interrupt() || interrupted();
        std::raise(SIGTERM);
        std::_Exit(first && !second && !take_interrupt() && interrupted() ? 0 : 1);
      },
      testing::ExitedWithCode(0), "");
}

TEST(InterruptDeathTest, ASecondSignalEndsTheProcess) {
  EXPECT_EXIT(
      {
        install_interrupt_handler();
        std::raise(SIGINT);
        std::raise(SIGINT);
        std::_Exit(0);
      },
      [](int status) { return status != 0; }, "");
}

}  // namespace
}  // namespace tetrad
