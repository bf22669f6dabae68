#include "sampling/sampler.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <map>

namespace tetrad {
namespace {

std::int32_t draw(std::vector<float> logits, const SamplingParams& params, std::uint64_t position,
                  std::vector<std::int32_t> prompt = {}, std::vector<std::int32_t> output = {}) {
  return sample(logits, params, prompt, output, position).value();
}

TEST(Sampler, GreedyTakesTheLargestAndTheLowerIdOnATie) {
  SamplingParams params;
  params.temperature = 0;
  EXPECT_EQ(draw({1, 5, 5, 2}, params, 0), 1);
  const float nan = std::numeric_limits<float>::quiet_NaN(), inf = std::numeric_limits<float>::infinity();
  EXPECT_EQ(draw({nan, inf, -3, -4}, params, 0), 2);
}

TEST(Sampler, NoFiniteLogitIsAnError) {
  std::vector<float> logits(3, std::numeric_limits<float>::quiet_NaN());
  EXPECT_FALSE(sample(logits, {}, {}, {}, 0).has_value());
}

TEST(Sampler, DrawsWithTheSoftmaxFrequencies) {
  const SamplingParams params;
  std::map<std::int32_t, int> counts;
  constexpr int kDraws = 20000;
  for (int i = 0; i < kDraws; ++i)
    ++counts[draw({0.0F, std::log(2.0F), std::log(5.0F)}, params, static_cast<std::uint64_t>(i))];
  // Three standard deviations of a binomial with 20,000 draws are at most 0.011.
  EXPECT_NEAR(counts[0] / static_cast<double>(kDraws), 1.0 / 8, 0.011);
  EXPECT_NEAR(counts[1] / static_cast<double>(kDraws), 2.0 / 8, 0.011);
  EXPECT_NEAR(counts[2] / static_cast<double>(kDraws), 5.0 / 8, 0.011);
}

TEST(Sampler, TopKTopPAndMinPCutTheTail) {
  SamplingParams top_k, top_p, min_p;
  top_k.top_k = 1;
  top_p.top_p = 0.5;   // 5/8 alone reaches it
  min_p.min_p = 0.45;  // 2/5 is below
  for (std::uint64_t i = 0; i < 200; ++i) {
    const std::vector<float> logits = {0.0F, std::log(2.0F), std::log(5.0F)};
    EXPECT_EQ(draw(logits, top_k, i), 2);
    EXPECT_EQ(draw(logits, top_p, i), 2);
    EXPECT_EQ(draw(logits, min_p, i), 2);
  }
}

TEST(Sampler, PenaltiesPushSeenTokensDown) {
  SamplingParams params;
  params.temperature = 0;
  params.repetition_penalty = 2;
  EXPECT_EQ(draw({3, 2, -1}, params, 0, {0}), 1);      // 3 / 2 < 2
  EXPECT_EQ(draw({-3, -2, -2.5}, params, 0, {1}), 2);  // -2 * 2 < -2.5
  params.repetition_penalty = 1;
  params.frequency_penalty = 0.6;
  EXPECT_EQ(draw({3, 2}, params, 0, {}, {0, 0}), 1);  // 3 - 1.2 < 2
  EXPECT_EQ(draw({3, 2}, params, 0, {0, 0}, {}), 0);  // the prompt does not count here
}

TEST(Sampler, BiasMovesTokens) {
  SamplingParams params;
  params.temperature = 0;
  params.logit_bias = {{1, 5.0}, {0, -100.0}, {77, 3.0}};  // an id outside of the vocabulary is nobody's
  EXPECT_EQ(draw({3, 2, 1}, params, 0, {}), 1);
  params.logit_bias = {{2, 101.0}};
  EXPECT_NE(params.validate().error().message.find("logit_bias"), std::string::npos);
}

// Two tokens of probability 0.45 and many small ones: the entropy lies nearer to the surprise of the likely two.
TEST(Sampler, TypicalKeepsWhatIsNearTheEntropy) {
  SamplingParams params;
  params.typical_p = 0.5;
  std::vector<float> logits = {std::log(0.45F), std::log(0.45F)};
  for (int i = 0; i < 100; ++i) logits.push_back(std::log(0.001F));
  for (std::uint64_t position = 0; position < 200; ++position) EXPECT_LT(draw(logits, params, position, {}), 2);
}

TEST(Sampler, RefusesValuesOutOfRange) {
  SamplingParams params;
  params.top_p = 0;
  ASSERT_FALSE(params.validate().has_value());
  EXPECT_NE(params.validate().error().message.find("top_p"), std::string::npos);
}

TEST(Sampler, ReadsTheBundledGenerationConfig) {
  const auto params = read_generation_config("models/tiny-minimax-m2").value();
  EXPECT_EQ(params.temperature, 1.0);
  EXPECT_EQ(params.top_p, 0.95);
  EXPECT_EQ(params.top_k, 40);
}

}  // namespace
}  // namespace tetrad
