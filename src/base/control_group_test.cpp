#include "base/control_group.h"

#include <gtest/gtest.h>

#include <fstream>

namespace tetrad {
namespace {

namespace fs = std::filesystem;

class ControlGroupTest : public testing::Test {
 protected:
  void SetUp() override { fs::remove_all(root_); }
  void TearDown() override { fs::remove_all(root_); }
  void write(const std::string& path, const std::string& text) {
    fs::create_directories((root_ / path).parent_path());
    std::ofstream(root_ / path) << text;
  }
  const fs::path root_ = fs::path(testing::TempDir()) / "tetrad-control-group-test";
};

TEST_F(ControlGroupTest, NothingLimits) {
  EXPECT_EQ(processor_quota(root_), std::nullopt);
  write("proc/self/cgroup", "1:cpu:/\n0::/job\n");
  write("sys/fs/cgroup/cpu/cpu.cfs_quota_us", "-1\n");
  write("sys/fs/cgroup/cpu/cpu.cfs_period_us", "100000\n");
  write("sys/fs/cgroup/job/cpu.max", "max 100000\n");
  EXPECT_EQ(processor_quota(root_), std::nullopt);
}

TEST_F(ControlGroupTest, TheLeastOfAllCounts) {
  write("proc/self/cgroup", "0::/slice/job\n");
  write("sys/fs/cgroup/slice/job/cpu.max", "800000 100000\n");
  EXPECT_EQ(processor_quota(root_), 8.0);
  write("sys/fs/cgroup/slice/cpu.max", "250000 100000\n");
  EXPECT_EQ(processor_quota(root_), 2.5);
}

TEST_F(ControlGroupTest, OfTheFirstVersionWhoseControllersShareAGroup) {
  write("proc/self/cgroup", "5:cpuacct,cpu:/docker/0123\n");
  write("sys/fs/cgroup/cpu/cpu.cfs_quota_us", "150000\n");
  write("sys/fs/cgroup/cpu/cpu.cfs_period_us", "50000\n");
  EXPECT_EQ(processor_quota(root_), 3.0);
}

TEST_F(ControlGroupTest, NumbersThatMakeNoSenseLimitNothing) {
  write("proc/self/cgroup", "0::/\n");
  for (const char* text : {"", "0 100000", "-5 100000", "100000 0", "abc", "100000"}) {
    write("sys/fs/cgroup/cpu.max", text);
    EXPECT_EQ(processor_quota(root_), std::nullopt) << text;
  }
}

}  // namespace
}  // namespace tetrad
