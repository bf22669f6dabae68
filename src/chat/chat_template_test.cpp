#include "chat/chat_template.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "base/files.h"

namespace tetrad {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

class ChatTemplateTest : public ::testing::Test {
 protected:
  ChatTemplateTest() : directory_(fs::path(::testing::TempDir()) / "tetrad_chat_template_test") {
    fs::remove_all(directory_);
    fs::create_directories(directory_);
  }
  ~ChatTemplateTest() override { fs::remove_all(directory_); }

  void write(const std::string& name, const std::string& text) {
    ASSERT_TRUE(write_file_atomically(directory_ / name, text));
  }
  std::string render(const std::string& variables) {
    const auto chat_template = ChatTemplate::load(directory_);
    if (!chat_template) return "load: " + chat_template.error().message;
    const auto text = chat_template->render(Json::parse(variables));
    return text ? *text : "render: " + text.error().message;
  }

  fs::path directory_;
};

TEST_F(ChatTemplateTest, LooksInTheFileFirst) {
  write("chat_template.jinja", "file");
  write("chat_template.json", R"({"chat_template": "json"})");
  write("tokenizer_config.json", R"({"chat_template": "config"})");
  EXPECT_EQ(render("{}"), "file");
  fs::remove(directory_ / "chat_template.jinja");
  EXPECT_EQ(render("{}"), "json");
  fs::remove(directory_ / "chat_template.json");
  EXPECT_EQ(render("{}"), "config");
  write("tokenizer_config.json", "{}");
  EXPECT_THAT(render("{}"), HasSubstr("no chat template"));
}

TEST_F(ChatTemplateTest, TakesTheToolTemplateWhenThereAreTools) {
  write("tokenizer_config.json", R"({"chat_template": [{"name": "default", "template": "plain"},
                                                       {"name": "tool_use", "template": "{{ tools | length }} tools"}]})");
  EXPECT_EQ(render(R"({"messages": []})"), "plain");
  EXPECT_EQ(render(R"({"messages": [], "tools": [{}, {}]})"), "2 tools");
  EXPECT_EQ(render(R"({"messages": [], "tools": null})"), "plain");
  write("tokenizer_config.json", R"({"chat_template": [{"name": "rag", "template": "x"}]})");
  EXPECT_THAT(render("{}"), HasSubstr("none of them is named \"default\""));
  write("tokenizer_config.json", R"({"chat_template": [{"name": "default"}]})");
  EXPECT_THAT(render("{}"), HasSubstr("lacks \"name\" or \"template\""));
}

TEST_F(ChatTemplateTest, GivesWhatTransformersGives) {
  write("chat_template.jinja",
        "{{ bos_token }}{{ eos_token }}{{ unk_token is defined }}{{ pad_token }}{{ cls_token }}"
        "|{{ tools is none }}{{ documents is none }}{{ add_generation_prompt }}|{{ extra is defined }}");
  write("tokenizer_config.json",
        R"({"bos_token": "<s>", "eos_token": {"content": "</s>", "lstrip": false}, "unk_token": null})");
  write("special_tokens_map.json", R"({"bos_token": "not this", "cls_token": "<c>"})");
  EXPECT_EQ(render("{}"), "<s></s>False<c>|TrueTrueFalse|False");
  EXPECT_EQ(render(R"({"bos_token": "mine", "add_generation_prompt": true, "extra": 1})"),
            "mine</s>False<c>|TrueTrueTrue|True");
}

TEST_F(ChatTemplateTest, ParsesArgumentsThatAreText) {
  write("chat_template.jinja",
        "{% for m in messages %}{% for c in m.tool_calls %}{% for k, v in (c.function or c).arguments.items() %}"
        "{{ k }}={{ v | tojson }};{% endfor %}{% endfor %}{% endfor %}");
  const auto call = [](const std::string& arguments) {
    return R"({"messages": [{"role": "assistant", "tool_calls": [{"function": {"name": "f", "arguments": )" +
           arguments + "}}]}]}";
  };
  EXPECT_EQ(render(call(R"("{\"b\": 1.0, \"a\": [\"é\", null]}")")), "b=1.0;a=[\"é\", null];");
  EXPECT_EQ(render(call(R"({"b": 1})")), "b=1;");
  EXPECT_EQ(render(call(R"("")")), "");
  EXPECT_EQ(render(R"({"messages": [{"tool_calls": [{"name": "f", "arguments": "{\"x\": 2}"}]}]})"), "x=2;");
  EXPECT_THAT(render(call(R"("[1]")")), HasSubstr("messages[0].tool_calls[0]"));
  EXPECT_THAT(render(call(R"("{\"x\": ")")), HasSubstr("messages[0].tool_calls[0].arguments"));
}

TEST_F(ChatTemplateTest, NamesTheFileInErrors) {
  write("chat_template.jinja", "{% if %}");
  EXPECT_THAT(render("{}"), HasSubstr("chat_template.jinja:1"));
  write("chat_template.jinja", "\n{{ raise_exception('roles must alternate') }}");
  EXPECT_THAT(render("{}"), HasSubstr("roles must alternate"));
  write("tokenizer_config.json", "[1]");
  EXPECT_THAT(render("{}"), HasSubstr("tokenizer_config.json"));
}

TEST(BundledTemplate, RendersAConversation) {
  const auto chat_template = ChatTemplate::load(TETRAD_SOURCE_DIR "/models/tiny-minimax-m2");
  ASSERT_TRUE(chat_template) << chat_template.error().message;
  const auto text = chat_template->render(
      Json::parse(R"({"messages": [{"role": "user", "content": "Hi"}], "add_generation_prompt": true})"));
  ASSERT_TRUE(text) << text.error().message;
  EXPECT_EQ(*text, "]~!b[]~b]system\nYou are a helpful assistant.[e~[\n]~b]user\nHi[e~[\n]~b]ai\n<think>\n");
}

}  // namespace
}  // namespace tetrad
