// What fits, what is kept of what does not, and that no plan is larger than its budget.
#include "cli/memory_plan.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/rng.h"

namespace tetrad {
namespace {
using testing::HasSubstr;

constexpr std::uint64_t kGiB = std::uint64_t{1} << 30;

// 10 GiB of weights, 8 of them experts, on a machine of 24 GiB of which 0.85 are 20.4.
MemoryRequest request() {
  MemoryRequest r;
  r.weight_bytes = 10 * kGiB;
  r.dense_bytes = 2 * kGiB;
  r.expert_bytes = 8 * kGiB;
  r.one_expert_bytes = kGiB / 128;
  r.bytes_per_token = 64 << 10;
  r.context_length = 32'768;
  r.machine_bytes = 24 * kGiB;
  r.available_bytes = 24 * kGiB;
  return r;
}

std::uint64_t pool_bytes(const MemoryRequest& r, const MemoryPlan& plan) {
  return r.bytes_per_token * static_cast<std::uint64_t>(plan.pool_tokens);
}

TEST(MemoryPlan, TakesWhatFitsButNoMoreThanEightContexts) {
  MemoryRequest r = request();
  MemoryPlan plan = plan_memory(r).value();
  EXPECT_EQ(plan.expert_cache_bytes, 0U);
  EXPECT_LE(r.weight_bytes + pool_bytes(r, plan), kGiB * 204 / 10);
  EXPECT_GT(r.weight_bytes + pool_bytes(r, plan), kGiB * 203 / 10);
  EXPECT_EQ(plan.warning, "");
  EXPECT_FALSE(fits_whole(r));
  r.bytes_per_token = 16 << 10;
  plan = plan_memory(r).value();
  EXPECT_EQ(plan.pool_tokens, 8 * r.context_length);
  EXPECT_TRUE(fits_whole(r));
}

TEST(MemoryPlan, LeavesWhatOtherProgramsHoldAndRoomForBuffers) {
  MemoryRequest r = request();
  r.available_bytes = 16 * kGiB;
  r.buffer_bytes_per_token = 1 << 20;
  r.step_tokens = 1024;  // 1 GiB of buffers
  const MemoryPlan plan = plan_memory(r).value();
  EXPECT_LE(r.weight_bytes + pool_bytes(r, plan), kGiB * 142 / 10);
  EXPECT_THAT(plan.text, HasSubstr("less 1.07 GB of buffers"));
}

TEST(MemoryPlan, HintsAtTheFlagsOfTheCommandThatAsks) {
  const std::int64_t too_many = 400'000;  // 24.4 GiB
  const auto served = [&] {
    MemoryRequest r = request();
    r.max_total_tokens = too_many;
    return plan_memory(r);
  }();
  ASSERT_FALSE(served.has_value());
  EXPECT_THAT(served.error().hint, HasSubstr("--max-total-tokens"));
  const auto generated = plan_expert_cache(request(), too_many, "lower --max-tokens");
  ASSERT_FALSE(generated.has_value());
  EXPECT_EQ(generated.error().hint, "lower --max-tokens");
  EXPECT_EQ(plan_expert_cache(request(), 1000, "lower --max-tokens").value(), 0U);
}

TEST(MemoryPlan, SaysThatThePoolIsShort) {
  MemoryRequest r = request();
  r.machine_bytes = 13 * kGiB;  // 1.05 GiB for keys and values
  const MemoryPlan plan = plan_memory(r).value();
  EXPECT_LT(plan.pool_tokens, r.context_length);
  EXPECT_THAT(plan.warning, HasSubstr("less than one context of 32768"));
}

TEST(MemoryPlan, KeepsPartOfTheExpertsWhereNotAllFit) {
  MemoryRequest r = request();
  r.machine_bytes = 8 * kGiB;
  const MemoryPlan plan = plan_memory(r).value();
  EXPECT_GT(plan.expert_cache_bytes, 2 * kGiB);
  EXPECT_LE(r.dense_bytes + plan.expert_cache_bytes + pool_bytes(r, plan), kGiB * 68 / 10);
  EXPECT_THAT(plan.text, HasSubstr("larger than memory"));
  r.expert_cache = kGiB;
  EXPECT_EQ(plan_memory(r).value().expert_cache_bytes, kGiB);
  r.expert_cache = 0;  // off: mapped weights, and nothing left for keys and values
  const auto refused = plan_memory(r);
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().code, ErrorCode::kOutOfMemory);
  EXPECT_THAT(refused.error().hint, HasSubstr("--expert-cache auto"));
}

TEST(MemoryPlan, NamesThePoolThatFits) {
  MemoryRequest r = request();
  r.max_total_tokens = std::int64_t{1} << 40;
  const auto refused = plan_memory(r);
  ASSERT_FALSE(refused.has_value());
  const std::string& text = refused.error().hint;
  const std::size_t at = text.find("--max-total-tokens ");
  ASSERT_NE(at, std::string::npos) << text;
  r.max_total_tokens = std::stoll(text.substr(at + 19));
  EXPECT_EQ(plan_memory(r).value().pool_tokens, r.max_total_tokens);
}

TEST(MemoryPlan, NoPlanIsLargerThanItsBudget) {
  Rng rng(7);
  const auto any = [&](int bits) { return rng.next() >> (64 - 1 - rng.below(static_cast<std::uint64_t>(bits))); };
  int planned = 0;
  for (int i = 0; i < 20'000; ++i) {
    MemoryRequest r;
    r.expert_bytes = any(42);
    r.dense_bytes = any(40);
    r.weight_bytes = r.expert_bytes + r.dense_bytes;
    r.one_expert_bytes = r.expert_bytes / 100;
    r.bytes_per_token = any(24);
    r.context_length = 1 + static_cast<std::int64_t>(any(22));
    r.max_total_tokens = rng.below(2) == 0 ? 0 : 1 + static_cast<std::int64_t>(any(62));
    r.machine_bytes = any(42);
    r.available_bytes = any(42);
    if (rng.below(3) == 0) r.expert_cache = any(40);
    const auto plan = plan_memory(r);
    if (!plan.has_value()) continue;
    ++planned;
    const double budget =
        std::min(0.85 * static_cast<double>(r.machine_bytes), 0.95 * static_cast<double>(r.available_bytes));
    const double pool = static_cast<double>(r.bytes_per_token) * static_cast<double>(plan->pool_tokens);
    EXPECT_GE(plan->pool_tokens, 1);
    if (r.max_total_tokens > 0) {
      EXPECT_EQ(plan->pool_tokens, r.max_total_tokens);
    }
    const bool thrashes = plan->warning.find("again and again") != std::string::npos;
    const std::uint64_t weights =
        plan->expert_cache_bytes > 0 ? r.dense_bytes + plan->expert_cache_bytes : (thrashes ? 0 : r.weight_bytes);
    EXPECT_LE(static_cast<double>(weights) + pool, 1.0001 * budget + 2);
  }
  EXPECT_GT(planned, 1000);
}

}  // namespace
}  // namespace tetrad
