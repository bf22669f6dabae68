// Broken and hostile tokenizer.json files: each must end in a one-line error that names the place, or in a working
// tokenizer.
#include <gtest/gtest.h>

#include <functional>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "base/log.h"
#include "tokenizer/tokenizer.h"

namespace tetrad {
namespace {

using nlohmann::json;

json good() {
  return json::parse(R"({
    "version": "1.0", "truncation": null, "padding": null,
    "added_tokens": [{"id": 5, "content": "<s>", "single_word": false, "lstrip": false, "rstrip": false, "normalized": false, "special": true}],
    "normalizer": null, "pre_tokenizer": null, "post_processor": null, "decoder": null,
    "model": {"type": "BPE", "dropout": null, "unk_token": null, "continuing_subword_prefix": null, "end_of_word_suffix": null,
              "fuse_unk": false, "byte_fallback": false, "vocab": {"a": 0, "b": 1, "c": 2, "ab": 3, "abc": 4},
              "merges": ["a b", ["ab", "c"]]}})");
}

TEST(TokenizerErrors, TheSmallestFileWorks) {
  const auto tokenizer = Tokenizer::from_json(good().dump(), "file");
  ASSERT_TRUE(tokenizer.has_value()) << tokenizer.error().message;
  EXPECT_EQ(tokenizer->encode("abcab<s>c", false), (std::vector<TokenId>{4, 3, 5, 2}));
  EXPECT_EQ(tokenizer->vocabulary_size(), 6U);
}

struct Case {
  std::string expected;  // part of the message
  std::function<void(json&)> edit;
};

void set(json& file, const std::string& pointer, const std::string& value) {
  file[json::json_pointer(pointer)] = json::parse(value);
}

Case replaced(std::string expected, std::string pointer, std::string value) {
  return {std::move(expected), [=](json& file) { set(file, pointer, value); }};
}

TEST(TokenizerErrors, WrongFieldsAreNamed) {
  const std::vector<Case> cases = {
      replaced("version", "/version", R"("2.0")"),
      replaced("WordPiece", "/model/type", R"("WordPiece")"),
      replaced("Unigram", "/model", R"({"type": "Unigram", "vocab": [["a", -1.0]]})"),
      replaced("model", "/model", "[]"),
      replaced("model", "/model", "null"),
      replaced("no vocab", "/model", R"({"type": "BPE"})"),
      replaced("no merges", "/model", R"({"type": "BPE", "vocab": {}})"),
      replaced("dropout", "/model/dropout", "0.1"),
      replaced("dropout", "/model/dropout", R"("x")"),
      replaced("fuse_unk", "/model/fuse_unk", "1"),
      replaced("unk_token", "/model/unk_token", "7"),
      replaced("not in the vocabulary", "/model/unk_token", R"("<unk>")"),
      replaced("end_of_word_suffix", "/model/end_of_word_suffix", "[1]"),
      replaced("does not begin with", "/model/continuing_subword_prefix", R"("##")"),
      replaced("id of the token", "/model/vocab/a", "-1"),
      replaced("limit", "/model/vocab/a", "4294967296"),
      replaced("limit", "/model/vocab/a", "99999999"),
      replaced("not a number", "/model/vocab/a", "1.5"),
      replaced("not a number", "/model/vocab/a", R"("1")"),
      replaced("not a number", "/model/vocab/a", "null"),
      replaced("within model.vocab", "/model/vocab/a", "{}"),
      replaced("within model.vocab", "/model/vocab/a", "[]"),
      replaced("same id", "/model/vocab/a", "1"),
      replaced("merge 0", "/model/merges/0", R"("a b c")"),
      replaced("merge 0", "/model/merges/0", R"("ab")"),
      replaced("merge 0 needs the token \"ba\"", "/model/merges/0", R"("b a")"),
      replaced("merge 1 needs the token \"x\"", "/model/merges/1", R"(["x", "a"])"),
      replaced("parts", "/model/merges/1", R"(["a"])"),
      replaced("more than two", "/model/merges/1", R"(["a", "b", "c"])"),
      replaced("merge 0", "/model/merges/0", "3"),
      replaced("within model.merges", "/model/merges/0", "{}"),
      replaced("within model.merges", "/model/merges/1", R"([["a"], "b"])"),
      replaced("added_tokens", "/added_tokens", "{}"),
      replaced("content", "/added_tokens/0", "3"),
      replaced("content", "/added_tokens/0/content", "3"),
      replaced("lstrip", "/added_tokens/0/lstrip", "3"),
      replaced("the id of", "/added_tokens/0/id", "-3"),
      replaced("the id of", "/added_tokens/0/id", "1e300"),
      {"bytes; the limit", [](json& f) { f["added_tokens"][0]["content"] = std::string(5000, 'x'); }},
      {"same text",
       [](json& f) {
         f["normalizer"] = {{"type", "Lowercase"}};
         for (const char* text : {"Q", "q"})
           f["added_tokens"].push_back({{"id", 6},
                                        {"content", text},
                                        {"single_word", false},
                                        {"lstrip", false},
                                        {"rstrip", false},
                                        {"normalized", true},
                                        {"special", false}});
       }},
      {"empty once normalized",
       [](json& f) {
         f["normalizer"] = {{"type", "Strip"}, {"strip_left", true}, {"strip_right", true}};
         f["added_tokens"][0]["content"] = " ";
         f["added_tokens"][0]["normalized"] = true;
       }},
      replaced("normalizer Precompiled", "/normalizer", R"({"type": "Precompiled", "precompiled_charsmap": ""})"),
      replaced("normalizer BertNormalizer", "/normalizer", R"({"type": "BertNormalizer"})"),
      replaced("type", "/normalizer", "{}"),
      replaced("type", "/normalizer", "[]"),
      replaced("type", "/normalizer", R"("NFC")"),
      replaced("normalizers must be", "/normalizer", R"({"type": "Sequence", "normalizers": {}})"),
      replaced("normalizer Odd", "/normalizer", R"({"type": "Sequence", "normalizers": [{"type": "Odd"}]})"),
      replaced("strip_right", "/normalizer", R"({"type": "Strip", "strip_left": true})"),
      replaced("pattern", "/normalizer", R"({"type": "Replace", "pattern": " ", "content": ""})"),
      replaced("empty", "/normalizer", R"({"type": "Replace", "pattern": {"String": ""}, "content": "x"})"),
      replaced("content", "/normalizer", R"({"type": "Replace", "pattern": {"String": " "}, "content": 1})"),
      replaced("group is not closed", "/normalizer",
               R"({"type": "Replace", "pattern": {"Regex": "("}, "content": ""})"),
      replaced("pre_tokenizer UnicodeScripts", "/pre_tokenizer", R"({"type": "UnicodeScripts"})"),
      replaced("pre_tokenizer FixedLength", "/pre_tokenizer", R"({"type": "FixedLength", "length": 3})"),
      replaced("behavior", "/pre_tokenizer",
               R"({"type": "Split", "pattern": {"String": " "}, "behavior": "Odd", "invert": false})"),
      replaced("invert", "/pre_tokenizer", R"({"type": "Split", "pattern": {"String": " "}, "behavior": "Removed"})"),
      replaced("pre_tokenizer Split", "/pre_tokenizer",
               R"({"type": "Split", "pattern": {"Regex": "\\p{Nonsense}"}, "behavior": "Removed", "invert": false})"),
      replaced("add_prefix_space", "/pre_tokenizer", R"({"type": "ByteLevel"})"),
      {"more than 4",
       [](json& f) {
         const json step = {
             {"type", "ByteLevel"}, {"add_prefix_space", false}, {"trim_offsets", false}, {"use_regex", false}};
         f["pre_tokenizer"] = {{"type", "Sequence"}, {"pretokenizers", json(40, step)}};
       }},
      replaced("individual_digits", "/pre_tokenizer", R"({"type": "Digits"})"),
      replaced("one character", "/pre_tokenizer", R"({"type": "Metaspace", "replacement": "__"})"),
      replaced("prepend_scheme", "/pre_tokenizer",
               R"({"type": "Metaspace", "replacement": "_", "prepend_scheme": "odd"})"),
      replaced("prepend_scheme", "/pre_tokenizer",
               R"({"type": "Metaspace", "replacement": "_", "add_prefix_space": false})"),
      replaced("post_processor Odd", "/post_processor", R"({"type": "Odd"})"),
      replaced("single", "/post_processor", R"({"type": "TemplateProcessing"})"),
      replaced("sequence A once", "/post_processor", R"({"type": "TemplateProcessing", "single": []})"),
      replaced("second sequence", "/post_processor",
               R"({"type": "TemplateProcessing", "single": [{"Sequence": {"id": "B"}}]})"),
      replaced("no ids for \"x\"", "/post_processor",
               R"({"type": "TemplateProcessing", "single": [{"SpecialToken": {"id": "x"}}]})"),
      replaced("is no token id", "/post_processor", R"({"type": "BertProcessing", "cls": ["a", -1], "sep": ["b", 1]})"),
      replaced("\"cls\"", "/post_processor", R"({"type": "BertProcessing", "cls": "a", "sep": ["b", 1]})"),
      replaced("second processor", "/post_processor",
               R"({"type": "Sequence", "processors": [{"type": "BertProcessing", "cls": ["a", 0], "sep": ["b", 1]},
                                                      {"type": "BertProcessing", "cls": ["a", 0], "sep": ["b", 1]}]})"),
      replaced("decoder WordPiece", "/decoder", R"({"type": "WordPiece", "prefix": "##", "cleanup": true})"),
      replaced("decoder CTC", "/decoder", R"({"type": "CTC"})"),
      replaced("count", "/decoder", R"({"type": "Strip", "content": " ", "start": -1, "stop": 0})"),
      replaced("one character", "/decoder", R"({"type": "Strip", "content": "", "start": 1, "stop": 0})"),
      replaced("suffix", "/decoder", R"({"type": "BPEDecoder", "suffix": ""})"),
  };
  for (const Case& c : cases) {
    json file = good();
    c.edit(file);
    const auto tokenizer = Tokenizer::from_json(file.dump(), "model/tokenizer.json");
    ASSERT_FALSE(tokenizer.has_value()) << c.expected;
    const std::string& message = tokenizer.error().message;
    EXPECT_NE(message.find(c.expected), std::string::npos) << message;
    EXPECT_NE(message.find("model/tokenizer.json"), std::string::npos) << message;
    EXPECT_EQ(message.find('\n'), std::string::npos) << message;
    EXPECT_LT(message.size(), 1000U);
  }
}

TEST(TokenizerErrors, MalformedJson) {
  std::string deep_nest, keys;
  for (int i = 0; i < 1'000'000; ++i) deep_nest += i % 2 ? "[" : "{\"a\":";
  for (int i = 0; i < 10'000; ++i) keys += "\"k" + std::to_string(i) + "\":0,";
  for (const std::string& text : std::vector<std::string>{"",
                                                          " ",
                                                          "null",
                                                          "3",
                                                          "[]",
                                                          "{",
                                                          "{\"model\":",
                                                          "\xEF\xBB\xBF{}",
                                                          "{\"a\":\"\xFF\"}",
                                                          "{\"a\":\"\\ud800\"}",
                                                          "{} x",
                                                          "{\"a\":1,\"a\":2}",
                                                          "{\"model\":{\"vocab\":{},\"vocab\":{}}}",
                                                          "{\"model\":{\"merges\":[],\"merges\":[]}}",
                                                          "{\"model\":{\"vocab\":{\"a\":0,\"a\":1}",
                                                          deep_nest,
                                                          std::string(2'000'000, '['),
                                                          std::string(2'000'000, 'x'),
                                                          std::string(1000, '\0'),
                                                          "{" + keys + "\"z\":0}"}) {
    const auto tokenizer = Tokenizer::from_json(text, "file");
    ASSERT_FALSE(tokenizer.has_value()) << text.substr(0, 80);
    EXPECT_EQ(tokenizer.error().message.find('\n'), std::string::npos);
  }
}

TEST(TokenizerErrors, HugeTablesAreRefusedBeforeTheyFillTheMemory) {
  std::string values = "[0", merges = R"({"model":{"merges":["a b")";
  for (int i = 0; i < 1'100'000; ++i) values += ",0";
  for (int i = 0; i < 4'200'000; ++i) merges += ",\"a b\"";
  const auto too_many_values = Tokenizer::from_json(values + "]", "file");
  ASSERT_FALSE(too_many_values.has_value());
  EXPECT_NE(too_many_values.error().message.find("values"), std::string::npos);
  const auto too_many_merges = Tokenizer::from_json(merges + "]}}", "file");
  ASSERT_FALSE(too_many_merges.has_value());
  EXPECT_NE(too_many_merges.error().message.find("merges"), std::string::npos);
}

TEST(TokenizerErrors, EveryTruncationAndEveryDroppedByteIsSurvived) {
  set_quiet(true);
  const std::string text = good().dump();
  for (std::size_t i = 0; i < text.size(); ++i) {
    EXPECT_FALSE(Tokenizer::from_json(text.substr(0, i), "file").has_value());
    std::string dropped = text;
    dropped.erase(i, 1);
    if (const auto tokenizer = Tokenizer::from_json(dropped, "file")) tokenizer->encode("abc<s>", true);
  }
}

TEST(TokenizerErrors, NormalizersCannotExplode) {
  json file = good();
  json steps = json::array();
  for (int i = 0; i < 40; ++i)
    steps.push_back({{"type", "Replace"}, {"pattern", {{"String", "a"}}}, {"content", "aaaa"}});
  file["normalizer"] = {{"type", "Sequence"}, {"normalizers", steps}};
  const auto tokenizer = Tokenizer::from_json(file.dump(), "file");
  ASSERT_TRUE(tokenizer.has_value()) << tokenizer.error().message;
  EXPECT_LT(tokenizer->encode("aaaa", false).size(), 2'000'000U);
}

TEST(TokenizerErrors, MissingFile) {
  const auto tokenizer = Tokenizer::load("/nonexistent/model");
  ASSERT_FALSE(tokenizer.has_value());
  EXPECT_NE(tokenizer.error().message.find("/nonexistent/model/tokenizer.json"), std::string::npos);
}

}  // namespace
}  // namespace tetrad
