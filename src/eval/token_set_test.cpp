// Which positions count, over many lengths, contexts and strides; and the three kinds of data files.
#include "eval/token_set.h"

#include <gmock/gmock.h>

#include <numeric>
#include <vector>

#include "base/files.h"

namespace tetrad {
namespace {

namespace fs = std::filesystem;
using testing::ElementsAre;
using testing::HasSubstr;

std::vector<std::int32_t> counting(std::int64_t n) {
  std::vector<std::int32_t> ids(static_cast<std::size_t>(n));
  std::iota(ids.begin(), ids.end(), 0);
  return ids;
}

// How often each token of a document 0, 1, 2, ... counts: an id is its own place in the document.
std::vector<int> times_counted(const std::vector<Window>& windows, std::int64_t n) {
  std::vector<int> counted(static_cast<std::size_t>(n));
  for (const Window& window : windows)
    for (std::int64_t i = window.first_counted; i < window.first_counted + window.positions(); ++i)
      ++counted[static_cast<std::size_t>(window.ids[static_cast<std::size_t>(i)])];
  return counted;
}

TEST(CutWindows, EveryTokenWithANextOneInItsWindowCountsExactlyOnce) {
  for (std::int64_t context = 1; context <= 9; ++context)
    for (std::int64_t stride = 1; stride <= context; ++stride)
      for (std::int64_t n = 0; n <= 40; ++n) {
        SCOPED_TRACE(testing::Message() << "context " << context << ", stride " << stride << ", length " << n);
        const auto windows = cut_windows(counting(n), context, stride, 3);
        std::vector<int> expected(static_cast<std::size_t>(n), 1);
        if (n > 0) expected.back() = 0;
        if (stride == context)  // no overlap: a full window's last token has its next one in the next window
          for (std::int64_t last = context - 1; last < n; last += context) expected[static_cast<std::size_t>(last)] = 0;
        EXPECT_EQ(times_counted(windows, n), expected);
      }
}

TEST(CutWindows, WindowsAreRunsOfTheDocumentThatAdvanceByTheStride) {
  for (std::int64_t context = 2; context <= 9; ++context)
    for (std::int64_t stride = 1; stride <= context; ++stride)
      for (std::int64_t n = 2; n <= 40; ++n) {
        SCOPED_TRACE(testing::Message() << "context " << context << ", stride " << stride << ", length " << n);
        const auto windows = cut_windows(counting(n), context, stride, 3);
        ASSERT_FALSE(windows.empty());
        for (std::size_t w = 0; w < windows.size(); ++w) {
          const Window& window = windows[w];
          const auto length = static_cast<std::int64_t>(window.ids.size());
          EXPECT_EQ(window.category, 3U);
          EXPECT_EQ(window.ids[0], static_cast<std::int64_t>(w) * stride);
          EXPECT_EQ(window.ids.back(), window.ids[0] + length - 1);
          EXPECT_GT(window.positions(), 0);
          EXPECT_LE(length, context);
          if (w + 1 < windows.size()) {
            EXPECT_EQ(length, context);
          }
          // With overlap the last `stride` positions of a window count; of the first one all do.
          if (w == 0 || stride == context) {
            EXPECT_EQ(window.first_counted, 0);
          } else if (length == context) {
            EXPECT_EQ(window.positions(), stride);
          }
        }
      }
}

TEST(CutWindows, ShortDocuments) {
  EXPECT_TRUE(cut_windows({}, 8, 8, 0).empty());
  EXPECT_TRUE(cut_windows({5}, 8, 4, 0).empty());
  const auto two = cut_windows({5, 6}, 8, 4, 0);
  ASSERT_EQ(two.size(), 1U);
  EXPECT_THAT(two[0].ids, ElementsAre(5, 6));
  EXPECT_EQ(two[0].positions(), 1);
  EXPECT_TRUE(cut_windows(counting(20), 1, 1, 0).empty());  // no room for a next token
}

TEST(CutWindows, AnOverlapByHand) {
  const auto windows = cut_windows(counting(8), 4, 2, 0);
  ASSERT_EQ(windows.size(), 3U);
  EXPECT_THAT(windows[0].ids, ElementsAre(0, 1, 2, 3));
  EXPECT_EQ(windows[0].first_counted, 0);
  EXPECT_THAT(windows[1].ids, ElementsAre(2, 3, 4, 5));
  EXPECT_EQ(windows[1].first_counted, 1);
  EXPECT_THAT(windows[2].ids, ElementsAre(4, 5, 6, 7));
  EXPECT_EQ(windows[2].first_counted, 1);
}

class LoadTokenSet : public testing::Test {
 protected:
  LoadTokenSet() {
    fs::remove_all(directory_);
    fs::create_directories(directory_);
    config_.vocab = 8192;
    config_.max_position = 1 << 20;
  }
  ~LoadTokenSet() override { fs::remove_all(directory_); }

  fs::path write(const std::string& name, const std::string& text) {
    const fs::path path = directory_ / name;
    EXPECT_TRUE(write_file_atomically(path, text));
    return path;
  }
  Result<TokenSet> load() { return load_token_set(options_, model_, config_); }

  const fs::path model_ = fs::path(TETRAD_SOURCE_DIR) / "models" / "tiny-minimax-m2";
  const fs::path directory_ =
      fs::path(testing::TempDir()) / testing::UnitTest::GetInstance()->current_test_info()->name();
  TokenSetOptions options_;
  ModelConfig config_;
};

TEST_F(LoadTokenSet, IdsBecomeWindowsOfEachSequence) {
  options_.files = {write("b.json", "[[1,2,3,4,5],[6],[7,8]]"), write("a.json", "[[9,10,11]]")};
  options_.context = 3;
  const auto set = load();
  ASSERT_TRUE(set) << set.error().message;
  EXPECT_THAT(set->categories, ElementsAre("a", "b"));
  ASSERT_EQ(set->windows.size(), 4U);
  EXPECT_THAT(set->windows[0].ids, ElementsAre(1, 2, 3));
  EXPECT_THAT(set->windows[1].ids, ElementsAre(4, 5));
  EXPECT_THAT(set->windows[2].ids, ElementsAre(7, 8));
  EXPECT_THAT(set->windows[3].ids, ElementsAre(9, 10, 11));
  EXPECT_EQ(set->windows[2].category, 1U);
  EXPECT_EQ(set->windows[3].category, 0U);
  EXPECT_EQ(set->positions, 2 + 1 + 1 + 2);
  EXPECT_FALSE(set->truncated);
}

TEST_F(LoadTokenSet, TokensAreLimitedOverAllDocumentsInOrder) {
  options_.files = {write("a.json", "[[1,2,3],[4,5,6,7]]"), write("b.json", "[[8,9]]")};
  options_.max_tokens = 5;
  const auto set = load();
  ASSERT_TRUE(set) << set.error().message;
  ASSERT_EQ(set->windows.size(), 2U);
  EXPECT_THAT(set->windows[1].ids, ElementsAre(4, 5));
  EXPECT_TRUE(set->truncated);
  options_.max_tokens = 9;
  EXPECT_FALSE(load()->truncated);
}

TEST_F(LoadTokenSet, TheContextEndsWhereTheModelDoes) {
  options_.files = {write("a.json", "[[1,2,3,4,5,6]]")};
  config_.max_position = 4;
  const auto set = load();
  ASSERT_TRUE(set) << set.error().message;
  EXPECT_THAT(set->windows[0].ids, ElementsAre(1, 2, 3, 4));
}

TEST_F(LoadTokenSet, TextIsOneDocumentAndConversationsHaveCategories) {
  options_.files = {write("prose.txt", "The sky is blue.\n\nThe grass is green."),
                    write("talk.jsonl", R"({"category":"colours","messages":[{"role":"user","content":"Hello"}]}
{"messages":[{"role":"user","content":"What is 2 + 2?"},{"role":"assistant","content":"4"}]}
)")};
  const auto set = load();
  ASSERT_TRUE(set) << set.error().message;
  EXPECT_THAT(set->categories, ElementsAre("colours", "prose", "talk"));
  ASSERT_EQ(set->windows.size(), 3U);
  EXPECT_EQ(set->windows[0].category, 1U);
  EXPECT_EQ(set->windows[1].category, 0U);
  EXPECT_EQ(set->windows[2].category, 2U);
  EXPECT_GT(set->windows[2].ids.size(), set->windows[1].ids.size());
}

TEST_F(LoadTokenSet, MistakesNameTheFile) {
  options_.files = {write("a.csv", "1,2")};
  EXPECT_THAT(load().error().message, HasSubstr("a.csv"));
  options_.files = {write("one.json", "[[1],[2]]")};
  EXPECT_THAT(load().error().message, HasSubstr("nothing to evaluate"));
  options_.files = {write("far.json", "[[1,8192]]")};
  EXPECT_THAT(load().error().message, HasSubstr("far.json"));
  options_.files = {directory_ / "absent.json"};
  EXPECT_THAT(load().error().message, HasSubstr("absent.json"));
  options_.files = {};
  EXPECT_THAT(load().error().message, HasSubstr("nothing to evaluate"));
}

}  // namespace
}  // namespace tetrad
