#include "base/memory.h"

#include <gtest/gtest.h>

#include <fstream>

namespace tetrad {
namespace {

namespace fs = std::filesystem;

class MemoryTest : public testing::Test {
 protected:
  void SetUp() override {
    fs::remove_all(root_);
    write("proc/meminfo", "MemTotal:       16000 kB\nMemFree:         1000 kB\nMemAvailable:   10000 kB\n");
  }
  void TearDown() override { fs::remove_all(root_); }
  void write(const std::string& path, const std::string& text) {
    fs::create_directories((root_ / path).parent_path());
    std::ofstream(root_ / path) << text;
  }
  void expect(std::uint64_t total, std::uint64_t available) {
    const MemoryLimits limits = memory_limits(root_);
    EXPECT_EQ(limits.total, total);
    EXPECT_EQ(limits.available, available);
  }
  const fs::path root_ = fs::path(testing::TempDir()) / "tetrad-memory-test";
};

TEST_F(MemoryTest, OfAMachineWithoutGroups) { expect(16'384'000, 10'240'000); }

TEST_F(MemoryTest, OfTheSecondVersionsGroups) {
  write("proc/self/cgroup", "0::/user.slice/job\n");
  write("sys/fs/cgroup/user.slice/job/memory.max", "max\n");
  expect(16'384'000, 10'240'000);
  // A group further up limits too; its file pages can be dropped.
  write("sys/fs/cgroup/user.slice/memory.max", "8000000\n");
  write("sys/fs/cgroup/user.slice/memory.current", "3000000\n");
  write("sys/fs/cgroup/user.slice/memory.stat", "anon 1000\ninactive_file 1500000\nactive_file 500000\n");
  expect(8'000'000, 7'000'000);
}

TEST_F(MemoryTest, OfTheFirstVersionsGroups) {
  write("proc/self/cgroup", "5:cpu,cpuacct:/a\n4:memory:/a/b\n0::/\n");
  write("sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n");
  write("sys/fs/cgroup/memory/a/b/memory.limit_in_bytes", "4000000\n");
  write("sys/fs/cgroup/memory/a/b/memory.usage_in_bytes", "3500000\n");
  write("sys/fs/cgroup/memory/a/b/memory.stat", "cache 99\ntotal_inactive_file 2000000\ntotal_active_file 1000000\n");
  expect(4'000'000, 3'500'000);
}

// In a container: its group is the root, under a path that only the host has.
TEST_F(MemoryTest, OfAGroupThatIsTheRoot) {
  write("proc/self/cgroup", "4:memory:/docker/0123\n");
  write("sys/fs/cgroup/memory/memory.limit_in_bytes", "5000000\n");
  write("sys/fs/cgroup/memory/memory.usage_in_bytes", "1000000\n");
  expect(5'000'000, 4'000'000);
}

TEST(Memory, OfThisMachine) {
  const MemoryLimits limits = memory_limits();
  EXPECT_GT(limits.total, 1U << 20);
  EXPECT_GT(limits.available, 1U << 20);
  EXPECT_LE(limits.available, limits.total);
}

}  // namespace
}  // namespace tetrad
