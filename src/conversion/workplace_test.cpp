#include "conversion/workplace.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include "conversion/carried_files.h"
#include "conversion/journal.h"

namespace tetrad {
namespace {
namespace fs = std::filesystem;

class WorkplaceTest : public ::testing::Test {
 protected:
  WorkplaceTest() : root_(fs::temp_directory_path() / ("tetrad-workplace-" + std::to_string(::getpid()))) {
    fs::remove_all(root_);
    fs::create_directories(root_);
  }
  ~WorkplaceTest() override { fs::remove_all(root_); }
  static void put(const fs::path& path, const std::string& text) {
    ASSERT_TRUE(write_file_atomically(path, text).has_value());
  }

  fs::path root_;
};

JournalEntry entry(std::size_t unit) {
  JournalEntry made{unit, {static_cast<std::int64_t>(unit), {}}, "hidden-0"};
  ExpertResult& expert = made.layer.experts.emplace_back();
  expert.expert = 3;
  expert.activity = {5, 1.0 / 3.0, 0.1F, 1e-30F, 2};
  expert.error[1] = {1e-17, 0.1, 4};
  return made;
}

TEST_F(WorkplaceTest, TheSourceIsNeverWhatIsReplaced) {
  const fs::path source = root_ / "models" / "source";
  fs::create_directories(source / "inside");
  fs::create_directory_symlink(source, root_ / "link");
  fs::create_directory_symlink(root_ / "models", root_ / "above");
  for (const fs::path& bad : {source, source / "", source / "inside" / "..", root_ / "models", root_ / "link",
                              root_ / "above", root_ / "above" / "source", fs::path("/")}) {
    EXPECT_FALSE(Workplace::check_apart(source, bad).has_value()) << bad;
    EXPECT_FALSE(Workplace::check_apart(root_ / "link", bad).has_value()) << bad;
  }
  fs::create_directories(root_ / "models" / "there");
  for (const fs::path& good :
       {root_ / "models" / "source-NVFP4", root_ / "models" / "sour", root_ / "models" / "there",
        root_ / "models" / "there" / "", source / "inside", source / "new", root_ / "not" / "there", fs::path("none")})
    EXPECT_TRUE(Workplace::check_apart(source, good).has_value()) << good;
}

TEST_F(WorkplaceTest, PublishesUnderTheFinalNameAndLeavesNothingElse) {
  auto place = Workplace::open(root_ / "out", false, false).value();
  put(place.checkpoint() / "a", "1");
  ASSERT_TRUE(place.publish().has_value());
  EXPECT_EQ(read_file(root_ / "out" / "a").value(), "1");
  EXPECT_FALSE(fs::exists(root_ / "out.partial"));
}

TEST_F(WorkplaceTest, ReplacesOnlyWhenAsked) {
  fs::create_directories(root_ / "out");
  put(root_ / "out" / "old", "1");
  EXPECT_FALSE(Workplace::open(root_ / "out", false, false).has_value());
  EXPECT_FALSE(Workplace::open(root_ / "out", true, false).has_value());
  auto place = Workplace::open(root_ / "out/", false, true).value();
  put(place.checkpoint() / "new", "2");
  EXPECT_TRUE(fs::exists(root_ / "out" / "old")) << "the old checkpoint stays until the new one is whole";
  ASSERT_TRUE(place.publish().has_value());
  EXPECT_FALSE(fs::exists(root_ / "out" / "old"));
  EXPECT_TRUE(fs::exists(root_ / "out" / "new"));
}

TEST_F(WorkplaceTest, NeverReplacesADirectoryOfOtherThings) {
  fs::create_directories(root_ / "home" / "documents");
  put(root_ / "home" / "notes", "1");
  for (const char* name : {"home", "home/"}) {
    const auto place = Workplace::open(root_ / name, false, true);
    ASSERT_FALSE(place.has_value());
    EXPECT_NE(place.error().message.find("no checkpoint"), std::string::npos) << place.error().message;
  }
  EXPECT_FALSE(fs::exists(root_ / "home.partial"));
  auto place = Workplace::open(root_ / "later", false, false).value();
  fs::create_directories(root_ / "later" / "documents");  // while the work went on
  EXPECT_FALSE(place.publish().has_value());
  EXPECT_TRUE(fs::exists(root_ / "later" / "documents"));
  EXPECT_TRUE(fs::exists(place.checkpoint())) << "the work is not lost";
  put(root_ / "home" / "config.json", "{}");  // a checkpoint may hold directories
  EXPECT_TRUE(Workplace::open(root_ / "home", false, true).has_value());
}

TEST_F(WorkplaceTest, UnfinishedWorkIsKeptForResumeAndOneProcessHoldsIt) {
  {
    auto place = Workplace::open(root_ / "out", false, false).value();
    put(place.checkpoint() / "a", "1");
    put(place.checkpoint() / "a.tmp123", "half of");  // killed while it was written
    EXPECT_FALSE(Workplace::open(root_ / "out", true, false).has_value()) << "locked";
  }
  EXPECT_FALSE(Workplace::open(root_ / "out", false, false).has_value()) << "neither resume nor overwrite";
  EXPECT_TRUE(fs::exists(Workplace::open(root_ / "out", true, false).value().checkpoint() / "a"));
  EXPECT_FALSE(fs::exists(root_ / "out.partial" / "checkpoint" / "a.tmp123"));
  EXPECT_FALSE(fs::exists(Workplace::open(root_ / "out", false, true).value().checkpoint() / "a"));
}

TEST_F(WorkplaceTest, JournalComesBackWithoutLossAndDropsACutLine) {
  const fs::path path = root_ / "journal";
  {
    auto journal = Journal::open(path, "print", false).value();
    ASSERT_TRUE(journal.append(entry(0)).has_value());
    ASSERT_TRUE(journal.append(entry(1)).has_value());
  }
  put(path, read_file(path).value() + "{\"unit\": 2, \"lay");
  {
    auto journal = Journal::open(path, "print", true).value();
    ASSERT_EQ(journal.entries().size(), 2U);
    const ExpertResult& expert = journal.entries()[1].layer.experts.at(0);
    EXPECT_EQ(expert.expert, 3);
    EXPECT_EQ(expert.activity.tokens, 5);
    EXPECT_EQ(expert.activity.route_mass, 1.0 / 3.0);
    EXPECT_EQ(expert.activity.gate_up_amax, 0.1F);
    EXPECT_EQ(expert.activity.down_amax, 1e-30F);
    EXPECT_EQ(expert.error[1].squared_error, 1e-17);
    EXPECT_EQ(expert.error[1].nonfinite_weights, 4);
    ASSERT_TRUE(journal.append(entry(2)).has_value());
  }
  EXPECT_EQ(Journal::open(path, "print", true).value().entries().size(), 3U);
  const auto other = Journal::open(path, "other", true);
  ASSERT_FALSE(other.has_value());
  EXPECT_NE(other.error().message.find("cannot resume"), std::string::npos);
}

TEST_F(WorkplaceTest, DamagedJournalsAreErrors) {
  for (const std::string text : {"[]\n", "{\"tetrad_journal\": 1, \"fingerprint\": \"p\"}\n{\"unit\": -1}\n",
                                 "{\"tetrad_journal\": 1, \"fingerprint\": \"p\"}\n7\n", "nonsense\n"}) {
    put(root_ / "journal", text);
    EXPECT_FALSE(Journal::open(root_ / "journal", "p", true).has_value()) << text;
  }
}

TEST_F(WorkplaceTest, CarriesTokenizerAndLicenceButNoWeights) {
  for (const char* name : {"tokenizer.json", "LICENSE", "chat_template.jinja", "modeling_x.py", "config.json",
                           "model.safetensors", "model.safetensors.index.json", "pytorch_model.bin", ".git"})
    put(root_ / name, "x");
  const auto names = list_carried_files(root_).value();
  EXPECT_EQ(names, (std::vector<std::string>{"LICENSE", "chat_template.jinja", "modeling_x.py", "tokenizer.json"}));
}

}  // namespace
}  // namespace tetrad
