#include "chat/conversation.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace tetrad {
namespace {

namespace fs = std::filesystem;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::StartsWith;

std::string refusal(const std::string& line) {
  const auto conversation = parse_conversation(line, "data.jsonl line 3");
  return conversation ? "" : conversation.error().message;
}

Conversation conversation_of(const std::string& line) { return parse_conversation(line, "line").value(); }

TEST(Conversation, KeepsIdAndCategory) {
  const auto conversation = conversation_of(
      R"({"id": "a1", "category": "math", "messages": [{"role": "user", "content": "2+2?"}], "source": "x"})");
  EXPECT_EQ(conversation.id, "a1");
  EXPECT_EQ(conversation.category, "math");
  EXPECT_EQ(conversation_of(R"({"messages": [{"role": "user", "content": null}]})").category, "");
}

TEST(Conversation, RefusesWhatIsNotOne) {
  for (const char* line :
       {"", "{", "[]", "{}", R"({"messages": []})", R"({"messages": [1]})", R"({"messages": [{"content": "x"}]})",
        R"({"messages": [{"role": 1}]})", R"({"messages": [{"role": "user", "content": 5}]})",
        R"({"messages": [{"role": "user"}], "tools": {}})", R"({"messages": [{"role": "user"}], "category": []})"})
    EXPECT_THAT(refusal(line), HasSubstr("data.jsonl line 3")) << line;
}

TEST(Conversation, ChangesTheSystemPrompt) {
  const auto with =
      conversation_of(R"({"messages": [{"role": "system", "content": "old"}, {"role": "user", "content": "Hi"}]})");
  const auto without = conversation_of(R"({"messages": [{"role": "user", "content": "Hi"}]})");
  const Json replaced = (*with_system_prompt(with, "new").body)["messages"];
  EXPECT_EQ(replaced.size(), 2U);
  EXPECT_EQ(replaced[0]["content"], "new");
  EXPECT_EQ((*with_system_prompt(without, "new").body)["messages"], replaced);
  EXPECT_EQ(*with_system_prompt(with, "").body, *without.body);
  EXPECT_EQ((*with.body)["messages"][0]["content"], "old");
}

class ConversationFiles : public ::testing::Test {
 protected:
  ~ConversationFiles() override { fs::remove(path_); }
  fs::path file(const std::string& text) {
    EXPECT_TRUE(write_file_atomically(path_, text));
    return path_;
  }
  fs::path path_ = fs::path(::testing::TempDir()) / "tetrad_conversation_test";
};

TEST_F(ConversationFiles, ReadsSystemPrompts) {
  const auto prompts = read_system_prompts(file(R"(["a", "", {"text": "b", "use": ["code", "math"]}])"));
  ASSERT_TRUE(prompts) << prompts.error().message;
  ASSERT_EQ(prompts->size(), 3U);
  EXPECT_EQ((*prompts)[1].text, "");
  EXPECT_TRUE((*prompts)[0].suits("anything"));
  EXPECT_THAT((*prompts)[2].categories, ElementsAre("code", "math"));
  EXPECT_TRUE((*prompts)[2].suits("math"));
  EXPECT_FALSE((*prompts)[2].suits("chat"));
  for (const char* text : {"", "[]", "{}", "[1]", R"([{"use": []}])", R"([{"text": "x", "use": "code"}])",
                           R"([{"text": "x", "use": [1]}])"})
    EXPECT_FALSE(read_system_prompts(file(text))) << text;
}

TEST_F(ConversationFiles, ReadsLineByLine) {
  auto reader =
      ConversationReader::open(file("\n{\"id\": \"1\", \"messages\": [{\"role\": \"user\"}]}\r\n  \n"
                                    "{\"id\": \"2\", \"messages\": [{\"role\": \"user\"}]}\nbroken"));
  ASSERT_TRUE(reader);
  EXPECT_EQ(reader->next().value()->id, "1");
  EXPECT_EQ(reader->next().value()->id, "2");
  const auto broken = reader->next();
  ASSERT_FALSE(broken);
  EXPECT_THAT(broken.error().message, HasSubstr("tetrad_conversation_test line 5"));
  EXPECT_FALSE(reader->next().value().has_value());
}

TEST(RenderConversation, NamesTheConversation) {
  const auto chat_template = ChatTemplate::load(TETRAD_SOURCE_DIR "/models/tiny-minimax-m2");
  ASSERT_TRUE(chat_template) << chat_template.error().message;
  const auto good = conversation_of(
      R"({"messages": [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello."}]})");
  EXPECT_THAT(render_conversation(*chat_template, good, "f").value(), HasSubstr("]~b]ai\nHello.[e~["));
  const auto bad = conversation_of(R"({"messages": [{"role": "tool", "content": "no call before"}]})");
  const auto text = render_conversation(*chat_template, bad, "data.jsonl line 9");
  ASSERT_FALSE(text);
  EXPECT_THAT(text.error().message, StartsWith("can't render a conversation: data.jsonl line 9: "));
}

}  // namespace
}  // namespace tetrad
