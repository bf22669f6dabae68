#include "base/read_queue.h"

#include <gmock/gmock.h>

#include <atomic>
#include <cstdlib>
#include <fstream>

namespace tetrad {
namespace {

namespace fs = std::filesystem;
constexpr std::size_t kBlock = DirectFile::kBlock;

class ReadQueueTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string text(kSize, ' ');
    for (std::size_t i = 0; i < kSize; ++i) text[i] = static_cast<char>(i * 7 + i / 251);
    std::ofstream(path_, std::ios::binary) << text;
    memory_ = static_cast<std::byte*>(std::aligned_alloc(kBlock, kMemory));
  }
  void TearDown() override {
    std::free(memory_);
    fs::remove(path_);
  }
  void expect_bytes(std::size_t at, std::size_t from, std::size_t count) {
    for (std::size_t i = 0; i < count; ++i)
      ASSERT_EQ(memory_[at + i], static_cast<std::byte>((from + i) * 7 + (from + i) / 251)) << from + i;
  }
  std::span<std::byte> memory(std::size_t at, std::size_t bytes) { return {memory_ + at, bytes}; }

  static constexpr std::size_t kSize = 10 * kBlock + 123, kMemory = 16 * kBlock;
  const fs::path path_ = fs::path(testing::TempDir()) / "tetrad-read-queue-test";
  std::byte* memory_ = nullptr;
};

TEST_F(ReadQueueTest, DirectFilesEnd) {
  const DirectFile file = DirectFile::open(path_).value();
  EXPECT_EQ(file.size(), kSize);
  ASSERT_TRUE(file.read(2 * kBlock, memory(0, 3 * kBlock), 3 * kBlock).has_value());
  expect_bytes(0, 2 * kBlock, 3 * kBlock);
  ASSERT_TRUE(file.read(10 * kBlock, memory(0, kBlock), 123).has_value());
  expect_bytes(0, 10 * kBlock, 123);
  const Status beyond = file.read(9 * kBlock, memory(0, 2 * kBlock), kBlock + 124);
  ASSERT_FALSE(beyond.has_value());
  EXPECT_THAT(beyond.error().message, testing::HasSubstr("it ends at byte 41083, 41084 was in use"));
  fs::resize_file(path_, kBlock);
  EXPECT_FALSE(file.read(kBlock, memory(0, kBlock), 1).has_value());
  EXPECT_FALSE(file.read(0, memory(0, 2 * kBlock), 2 * kBlock).has_value());
  EXPECT_FALSE(DirectFile::open(path_ / "x").has_value());
}

// Where nothing can be read past the page cache (/proc), it is read through it.
TEST_F(ReadQueueTest, FilesThatCantBeReadDirectly) {
  const DirectFile file = DirectFile::open("/proc/self/status").value();
  EXPECT_FALSE(file.direct());
  EXPECT_TRUE(file.read(0, memory(0, kBlock), 5).has_value());
  EXPECT_EQ(std::string(reinterpret_cast<const char*>(memory_), 5), "Name:");
}

TEST_F(ReadQueueTest, ReadsAllAndNamesFailures) {
  const DirectFile file = DirectFile::open(path_).value();
  std::atomic<std::size_t> read = 0, failed = 0;
  {
    ReadQueue queue(3, [&](const ReadJob& job, const Status& status) {
      ++(status ? read : failed);
      EXPECT_EQ(status.has_value(), job.owner < 10);
    });
    std::vector<ReadJob> jobs;
    for (std::size_t i = 0; i < 12; ++i)
      jobs.push_back(
          {.file = &file, .offset = i * kBlock, .out = memory(i * kBlock, kBlock), .need = kBlock, .owner = i});
    queue.push(std::span(jobs).first(6));
    queue.later(std::span(jobs).subspan(6));
    queue.hurry(11);
    while (read + failed < 12) std::this_thread::yield();
    EXPECT_EQ(queue.drop(11), 0U);
  }
  EXPECT_EQ(read, 10U);
  expect_bytes(0, 0, 10 * kBlock);
}

TEST_F(ReadQueueTest, ForgetsWhatWaitsAtTheEnd) {
  const DirectFile file = DirectFile::open(path_).value();
  std::atomic<std::size_t> read = 0;
  {
    ReadQueue queue(2, [&](const ReadJob&, const Status&) { ++read; });
    const std::vector<ReadJob> jobs(100'000, {.file = &file, .offset = 0, .out = memory(0, 0), .need = 0, .owner = 0});
    queue.push(jobs);
    std::vector<ReadJob> others(5, jobs.front());
    for (ReadJob& job : others) job.owner = 1;
    queue.later(others);
    EXPECT_EQ(queue.drop(1), 5U);
  }
  EXPECT_LE(read, 100'000U);
}

}  // namespace
}  // namespace tetrad
