#include "base/files.h"

#include <gmock/gmock.h>
#include <sys/stat.h>

#include <cstdlib>
#include <fstream>
#include <thread>

namespace tetrad {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

class FilesTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string name = (fs::temp_directory_path() / "tetrad-files-XXXXXX").string();
    ASSERT_NE(::mkdtemp(name.data()), nullptr);
    directory_ = name;
  }
  void TearDown() override { fs::remove_all(directory_); }
  fs::path write(const char* name, const std::string& text) {
    std::ofstream(directory_ / name, std::ios::binary) << text;
    return directory_ / name;
  }
  fs::path directory_;
};

std::string text_of(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

TEST_F(FilesTest, ReadsWholeFiles) {
  const std::string text("a\0b\n", 4);
  const fs::path path = write("x", text);
  EXPECT_EQ(read_file(path).value(), text);
  EXPECT_EQ(read_file(path, 4).value(), text);
  EXPECT_THAT(read_file(path, 3).error().message,
              HasSubstr("file too large: " + path.string() + ": 4 bytes, at most 3"));
  EXPECT_EQ(read_file(write("empty", "")).value(), "");
  EXPECT_THAT(read_file(directory_ / "none").error().message, HasSubstr("No such file"));
  EXPECT_THAT(read_file(directory_).error().message, HasSubstr("not a regular file"));
  EXPECT_EQ(read_file(directory_ / "none").error().code, ErrorCode::kIo);
}

TEST_F(FilesTest, MapsFiles) {
  const fs::path path = write("x", std::string(10'000, 'm'));
  MappedFile file = MappedFile::open(path).value();
  MappedFile moved = std::move(file);
  EXPECT_EQ(text_of(moved.bytes()), std::string(10'000, 'm'));
  moved.prefetch(moved.bytes().subspan(5, 5000));
  moved.release(moved.bytes().subspan(1, 9000));
  EXPECT_EQ(text_of(moved.bytes().subspan(4090, 20)), std::string(20, 'm'));
  EXPECT_TRUE(MappedFile::open(write("empty", "")).value().bytes().empty());
  EXPECT_THAT(MappedFile::open(directory_).error().message, HasSubstr("not a regular file"));
}

TEST_F(FilesTest, AtomicWritesReplaceAndLeaveNothingElse) {
  const fs::path path = directory_ / "out.json";
  ASSERT_TRUE(write_file_atomically(path, "one").has_value());
  ASSERT_TRUE(write_file_atomically(path, "two").has_value());
  EXPECT_EQ(read_file(path).value(), "two");
  EXPECT_EQ(std::distance(fs::directory_iterator(directory_), fs::directory_iterator()), 1);
  fs::create_directory(directory_ / "folder");
  EXPECT_FALSE(write_file_atomically(directory_ / "folder", "x").has_value());  // a directory cannot be replaced
  EXPECT_EQ(std::distance(fs::directory_iterator(directory_), fs::directory_iterator()), 2);
  EXPECT_FALSE(write_file_atomically(directory_ / "no" / "where", "x").has_value());
}

TEST_F(FilesTest, AtomicWritesFollowLinks) {
  const fs::path file = write("file", "old"), link = directory_ / "link", nowhere = directory_ / "nowhere";
  fs::create_symlink("file", link);
  fs::create_symlink("none", nowhere);
  ASSERT_TRUE(write_file_atomically(link, "new").has_value());
  EXPECT_TRUE(fs::is_symlink(link));
  EXPECT_EQ(read_file(file).value(), "new");
  EXPECT_THAT(write_file_atomically(nowhere, "x").error().message, HasSubstr("cannot follow link"));
}

TEST_F(FilesTest, PipesAreReadToTheirEndAndWrittenInto) {
  const fs::path pipe = directory_ / "pipe";
  ASSERT_EQ(::mkfifo(pipe.c_str(), 0600), 0);
  const std::string sent(100'000, 'p');
  std::thread writer([&] { EXPECT_TRUE(write_file_atomically(pipe, sent).has_value()); });
  EXPECT_EQ(read_file(pipe).value(), sent);
  writer.join();
  EXPECT_TRUE(fs::is_fifo(pipe));  // not replaced by a file, as /dev/null must not be
  EXPECT_EQ(std::distance(fs::directory_iterator(directory_), fs::directory_iterator()), 1);
  std::thread again([&] { EXPECT_TRUE(write_file_atomically(pipe, "12345").has_value()); });
  EXPECT_THAT(read_file(pipe, 4).error().message, HasSubstr("file too large"));
  again.join();
  EXPECT_TRUE(is_device_or_pipe(pipe) && is_device_or_pipe("/dev/null"));
  EXPECT_FALSE(is_device_or_pipe(directory_) || is_device_or_pipe(write("x", "y")) ||
               is_device_or_pipe(directory_ / "none"));
}

TEST_F(FilesTest, WritesAndReadsAnywhere) {
  File file = File::create(directory_ / "f").value();
  ASSERT_TRUE(file.resize(100).has_value());
  const std::string text = "hello";
  ASSERT_TRUE(file.write_at(50, std::as_bytes(std::span(text))).has_value());
  std::string back(5, ' ');
  ASSERT_TRUE(file.read_at(50, std::as_writable_bytes(std::span(back))).has_value());
  EXPECT_EQ(back, text);
  EXPECT_THAT(file.read_at(98, std::as_writable_bytes(std::span(back))).error().message,
              HasSubstr("it ends at byte 100"));
  EXPECT_TRUE(file.sync().has_value());
  EXPECT_EQ(fs::file_size(directory_ / "f"), 100U);
  EXPECT_TRUE(File::open_existing(directory_ / "f").has_value());
  EXPECT_FALSE(File::open_existing(directory_ / "g").has_value());
}

TEST_F(FilesTest, TemporaryFilesHaveNoName) {
  File file = File::temporary(directory_).value();
  const std::string text = "scratch";
  ASSERT_TRUE(file.write_at(0, std::as_bytes(std::span(text))).has_value());
  EXPECT_TRUE(fs::is_empty(directory_));
  EXPECT_FALSE(File::temporary(directory_ / "none").has_value());
}

}  // namespace
}  // namespace tetrad
