#include "tokenizer/tokenizer.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string>
#include <thread>
#include <vector>

#include "base/rng.h"
#include "base/utf8.h"

namespace tetrad {
namespace {

using nlohmann::json;

json fixture(const std::string& name) {
  std::ifstream file(std::string(TETRAD_SOURCE_DIR) + "/tests/data/tokenizer/" + name);
  return json::parse(file);
}

// The tokenizer.json of one entry of pipelines.json.
json assemble(const json& models, const json& pipeline) {
  json file{{"version", "1.0"}};
  for (const char* key : {"added_tokens", "normalizer", "pre_tokenizer", "post_processor", "decoder"})
    file[key] = pipeline[key];
  file["model"] = models[pipeline["model"].get<std::string>()];
  file["model"].update(pipeline["options"]);
  return file;
}

std::string streamed(const Tokenizer& tokenizer, const std::vector<TokenId>& ids, bool skip) {
  StreamDecoder stream(tokenizer, skip);
  std::string out;
  for (const TokenId id : ids) {
    const std::string part = stream.push(id);
    EXPECT_TRUE(is_valid_utf8(part));
    out += part;
  }
  return out + stream.finish();
}

Tokenizer tiny() { return Tokenizer::load(std::string(TETRAD_SOURCE_DIR) + "/models/tiny-minimax-m2").value(); }

TEST(Tokenizer, EveryComponentGivesTheIdsOfTheReference) {
  const json data = fixture("pipelines.json");
  ASSERT_GT(data["pipelines"].size(), 60U);
  for (const json& pipeline : data["pipelines"]) {
    SCOPED_TRACE(pipeline["name"].get<std::string>());
    const auto tokenizer = Tokenizer::from_json(assemble(data["models"], pipeline).dump(), "test");
    ASSERT_TRUE(tokenizer.has_value()) << tokenizer.error().message;
    for (std::size_t i = 0; i < data["texts"].size(); ++i) {
      const std::string text = data["texts"][i];
      EXPECT_EQ(tokenizer->encode(text, false), pipeline["ids"][i].get<std::vector<TokenId>>()) << text;
    }
    EXPECT_EQ(tokenizer->encode("", true), pipeline["with_special"][0].get<std::vector<TokenId>>());
    EXPECT_EQ(tokenizer->encode(data["texts"][5].get<std::string>(), true),
              pipeline["with_special"][1].get<std::vector<TokenId>>());
  }
}

TEST(Tokenizer, EveryDecoderGivesTheTextOfTheReferenceAtOnceAndStreamed) {
  const json data = fixture("pipelines.json");
  for (const json& pipeline : data["pipelines"]) {
    SCOPED_TRACE(pipeline["name"].get<std::string>());
    const auto tokenizer = Tokenizer::from_json(assemble(data["models"], pipeline).dump(), "test");
    ASSERT_TRUE(tokenizer.has_value()) << tokenizer.error().message;
    for (const json& item : pipeline["decodes"]) {
      const auto ids = item[0].get<std::vector<TokenId>>();
      for (const bool skip : {false, true}) {
        const std::string wanted = item[skip ? 2 : 1];
        EXPECT_EQ(tokenizer->decode(ids, skip), wanted) << item[0];
        EXPECT_EQ(streamed(*tokenizer, ids, skip), wanted) << item[0];
      }
    }
  }
}

TEST(Tokenizer, BundledModelGivesTheIdsOfTheReference) {
  const Tokenizer tokenizer = tiny();
  for (const json& item : fixture("tiny_m2.json")) {
    const std::string text = item[0];
    EXPECT_EQ(tokenizer.encode(text, true), item[1].get<std::vector<TokenId>>()) << text;
  }
}

TEST(Tokenizer, LooksTokensUp) {
  const Tokenizer tokenizer = tiny();
  const TokenId eos = tokenizer.token_id("[e~[").value();
  EXPECT_TRUE(tokenizer.is_special(eos));
  EXPECT_EQ(tokenizer.token_text(eos), "[e~[");
  EXPECT_EQ(tokenizer.token_bytes(eos), "[e~[");
  EXPECT_FALSE(tokenizer.is_special(tokenizer.token_id("<think>").value()));
  const TokenId space = tokenizer.token_id("\xC4\xA0").value();  // U+0120, the alphabet's blank
  EXPECT_EQ(tokenizer.token_bytes(space), " ");
  EXPECT_FALSE(tokenizer.token_id("no such token at all").has_value());
  const auto end = static_cast<TokenId>(tokenizer.vocabulary_size());
  for (const TokenId unknown : {-1, end, INT32_MAX, INT32_MIN}) {
    EXPECT_EQ(tokenizer.token_text(unknown), "");
    EXPECT_EQ(tokenizer.token_bytes(unknown), "");
    EXPECT_FALSE(tokenizer.is_special(unknown));
  }
  EXPECT_EQ(tokenizer.decode(std::vector<TokenId>{space, -1, end, eos}, true), " ");
}

TEST(Tokenizer, BytesOfTokensInARowAreTheText) {
  const Tokenizer tokenizer = tiny();
  const std::string text = "na\xC3\xAFve \xF0\x9F\x98\x80\r\n]~b]user\n\xE4\xBD\xA0 12345";
  std::string bytes;
  for (const TokenId id : tokenizer.encode(text, false)) bytes += tokenizer.token_bytes(id);
  EXPECT_EQ(bytes, text);
}

TEST(Tokenizer, IllFormedUtf8IsReplaced) {
  const Tokenizer tokenizer = tiny();
  const std::string broken = "a\xFF\xE4\xBD z\xC0\x80\xED\xA0\x80";
  EXPECT_EQ(tokenizer.encode(broken, false), tokenizer.encode(utf8_lossy(broken), false));
}

TEST(Tokenizer, RandomIdsStreamAsTheyDecode) {
  const Tokenizer tokenizer = tiny();
  Rng rng(7);
  for (int round = 0; round < 300; ++round) {
    std::vector<TokenId> ids(rng.below(30));
    // The first 256 tokens are single bytes: most sequences of them are ill-formed.
    for (TokenId& id : ids)
      id = static_cast<TokenId>(rng.below(rng.below(4) != 0 ? 256 : tokenizer.vocabulary_size() + 3));
    for (const bool skip : {false, true}) EXPECT_EQ(streamed(tokenizer, ids, skip), tokenizer.decode(ids, skip));
  }
}

TEST(Tokenizer, LongRunsOfOneCharacter) {
  const Tokenizer tokenizer = tiny();
  for (const std::string unit : {"a", " ", "\n", "A", "1", "=", "\xE4\xB8\xAD", "\xCC\x81"}) {
    std::string text;
    while (text.size() < 300'000) text += unit;
    EXPECT_EQ(tokenizer.decode(tokenizer.encode(text, false), false), text);
  }
}

TEST(Tokenizer, ThreadsShareOneTokenizer) {
  const Tokenizer tokenizer = tiny();
  const json items = fixture("tiny_m2.json");
  std::vector<std::thread> threads;
  std::vector<int> wrong(4, 0);
  for (std::size_t t = 0; t < wrong.size(); ++t)
    threads.emplace_back([&, t] {
      for (int round = 0; round < 20; ++round)
        for (const json& item : items)
          wrong[t] += tokenizer.encode(item[0].get<std::string>(), true) != item[1].get<std::vector<TokenId>>();
    });
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(wrong, std::vector<int>(4, 0));
}

}  // namespace
}  // namespace tetrad
