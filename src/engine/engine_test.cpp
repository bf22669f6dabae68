#include "engine/engine.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <cmath>
#include <condition_variable>
#include <future>
#include <limits>
#include <mutex>
#include <thread>

#include "base/rng.h"
#include "model/causal_model.h"

namespace tetrad {
namespace {

using Tokens = std::vector<std::int32_t>;

// What came of a request; wait() until it ended.
class Answer {
 public:
  OutputSink sink() {
    return [this](OutputEvent event) {
      const std::lock_guard lock(mutex_);
      ++events;
      for (auto& token : event.tokens) {
        tokens.push_back(token.id);
        output.push_back(std::move(token));
      }
      for (auto& token : event.prompt) prompt.push_back(std::move(token));
      cached = event.cached_tokens;
      error = event.error;
      finish = event.finish;
      news_.notify_all();
    };
  }
  void wait() {
    std::unique_lock lock(mutex_);
    ASSERT_TRUE(news_.wait_for(lock, std::chrono::minutes(5), [&] { return finish != FinishReason::kNone; }));
  }
  void wait_for_tokens(std::size_t count) {
    std::unique_lock lock(mutex_);
    ASSERT_TRUE(news_.wait_for(lock, std::chrono::minutes(5),
                               [&] { return tokens.size() >= count || finish != FinishReason::kNone; }));
  }

  Tokens tokens;
  std::vector<OutputToken> output, prompt;
  FinishReason finish = FinishReason::kNone;
  std::int64_t cached = 0;
  int events = 0;
  std::string error;

 private:
  std::mutex mutex_;
  std::condition_variable news_;
};

class EngineTest : public ::testing::Test {
 protected:
  static constexpr const char* kModel = "models/tiny-minimax-m2";
  Checkpoint checkpoint_ = Checkpoint::open(kModel).value();
  ModelConfig config_ = ModelConfig::parse(checkpoint_.config(), kModel).value();
  Compute compute_ = Compute::create(2).value();

  std::unique_ptr<Engine> engine(EngineOptions options = {}) {
    if (options.max_total_tokens == 0) options.max_total_tokens = 8192;
    options.end_tokens.assign(config_.eos_ids.begin(), config_.eos_ids.end());
    return Engine::create(checkpoint_, config_, compute_, options).value();
  }
  // Prompts with common beginnings, of different lengths.
  std::vector<EngineRequest> requests(std::size_t count, std::int64_t max_tokens) {
    std::vector<EngineRequest> list(count);
    for (std::size_t i = 0; i < count; ++i) {
      Rng shared(i % 3), own(100 + i);
      for (std::size_t k = 0; k < 20 + 10 * (i % 3); ++k)
        list[i].prompt.push_back(static_cast<std::int32_t>(shared.below(static_cast<std::uint64_t>(config_.vocab))));
      for (std::size_t k = 0; k < 1 + i * 7 % 40; ++k)
        list[i].prompt.push_back(static_cast<std::int32_t>(own.below(static_cast<std::uint64_t>(config_.vocab))));
      list[i].max_tokens = max_tokens;
      list[i].ignore_eos = i % 2 == 0;
      list[i].sampling.temperature = i % 4 == 3 ? 0.8 : 0.0;
      list[i].sampling.seed = i;
    }
    return list;
  }
  std::vector<Tokens> run(Engine& engine, const std::vector<EngineRequest>& requests) {
    std::vector<Answer> answers(requests.size());
    for (std::size_t i = 0; i < requests.size(); ++i)
      EXPECT_TRUE(engine.submit(requests[i], answers[i].sink()).has_value());
    std::vector<Tokens> tokens;
    for (Answer& answer : answers) {
      answer.wait();
      tokens.push_back(answer.tokens);
    }
    return tokens;
  }
  Tokens alone(const EngineRequest& request) {
    const CausalModel model = CausalModel::open(checkpoint_, config_, compute_, {}).value();
    CausalModel::Context context;
    std::vector<float> logits(static_cast<std::size_t>(config_.vocab));
    Tokens output, next = request.prompt;
    while (static_cast<std::int64_t>(output.size()) < request.max_tokens) {
      EXPECT_TRUE(model.forward(context, next, logits).has_value());
      output.push_back(sample(logits, request.sampling, request.prompt, output, output.size()).value());
      const bool ended =
          std::find(config_.eos_ids.begin(), config_.eos_ids.end(), output.back()) != config_.eos_ids.end();
      if (ended && !request.ignore_eos) break;
      next = {output.back()};
    }
    return output;
  }
};

TEST_F(EngineTest, GivesWhatARequestGivesAlone) {
  const auto list = requests(6, 24);
  const auto running = engine();
  const auto together = run(*running, list);
  for (std::size_t i = 0; i < list.size(); ++i) EXPECT_EQ(together[i], alone(list[i])) << i;
  const EngineStats stats = running->stats();
  EXPECT_EQ(stats.finished, 6U);
  EXPECT_EQ(stats.running, 0);
  EXPECT_EQ(stats.used_tokens, 0);
  EXPECT_TRUE(running->idle());
}

TEST_F(EngineTest, NothingChangesAResult) {
  const auto list = requests(8, 20);
  for (const CacheType type : {CacheType::kF32, CacheType::kBF16}) {
    EngineOptions base;
    base.cache_type = type;
    base.prefix_cache = false;
    const auto expected = run(*engine(base), list);
    for (const std::int64_t chunk : {16, 64, 512})
      for (const bool cache : {false, true})
        for (const bool ngram : {false, true}) {
          EngineOptions options;
          options.cache_type = type;
          options.chunked_prefill_size = chunk;
          options.prefix_cache = cache;
          options.ngram_speculation = ngram;
          const auto running = engine(options);
          EXPECT_EQ(run(*running, list), expected) << chunk << cache << ngram;
          EXPECT_EQ(run(*running, list), expected) << "again, from the cache";
          EXPECT_EQ(running->stats().prompt_tokens_cached > 0, cache);
          EXPECT_EQ(running->stats().draft_tokens > 0, ngram);
        }
  }
}

TEST_F(EngineTest, AFullPoolLosesNothing) {
  const auto list = requests(16, 40);
  const auto expected = run(*engine(), list);
  for (const bool cache : {false, true}) {
    EngineOptions options;
    options.max_total_tokens = 128;  // all of them together want 1,500
    options.prefix_cache = cache;
    options.ngram_speculation = cache;
    const auto running = engine(options);
    EXPECT_EQ(run(*running, list), expected);
    EXPECT_GT(running->stats().preemptions, 0U);
    EXPECT_EQ(running->stats().used_tokens, 0);
  }
}

TEST_F(EngineTest, CancellingFreesMemory) {
  const auto running = engine();
  auto request = requests(1, 100000)[0];
  request.ignore_eos = true;
  Answer answer;
  const RequestId id = running->submit(request, answer.sink()).value();
  answer.wait_for_tokens(3);
  EXPECT_GT(running->stats().used_tokens, 0);
  running->cancel(id);
  answer.wait();
  EXPECT_EQ(answer.finish, FinishReason::kAbort);
  EXPECT_EQ(running->stats().used_tokens, 0);
  running->cancel(id);  // a second time does nothing
  EXPECT_TRUE(running->flush_cache());
  EXPECT_EQ(running->stats().cached_tokens, 0);
}

TEST_F(EngineTest, StoppingEndsEveryRequest) {
  Answer answers[3];
  {
    const auto running = engine();
    for (auto& answer : answers) ASSERT_TRUE(running->submit(requests(1, 1000)[0], answer.sink()).has_value());
  }
  for (auto& answer : answers) EXPECT_EQ(answer.finish, FinishReason::kAbort);
}

// The stop comes while the engine is busy ending another request, after it has looked for news.
TEST_F(EngineTest, StoppingAtAnyMomentEndsEveryRequest) {
  auto running = engine();
  auto request = requests(1, 100000)[0];
  request.ignore_eos = true;
  Answer cancelled, other;
  std::promise<void> ending;
  const RequestId id = running
                           ->submit(request,
                                    [&, sink = cancelled.sink()](OutputEvent event) {
                                      const bool last = event.finish != FinishReason::kNone;
                                      sink(std::move(event));
                                      if (!last) return;
                                      ending.set_value();
                                      std::this_thread::sleep_for(std::chrono::milliseconds(200));
                                    })
                           .value();
  cancelled.wait_for_tokens(1);
  ASSERT_TRUE(running->submit(request, other.sink()).has_value());
  running->cancel(id);
  ending.get_future().wait();
  running.reset();
  EXPECT_EQ(other.finish, FinishReason::kAbort);
}

TEST_F(EngineTest, ReportsLogprobs) {
  auto request = requests(1, 4)[0];
  request.logprobs = 3;
  request.prompt_logprobs = 1;
  EngineOptions options;
  options.chunked_prefill_size = 7;
  Answer answer;
  const auto running = engine(options);
  ASSERT_TRUE(running->submit(request, answer.sink()).has_value());
  answer.wait();
  ASSERT_EQ(answer.prompt.size(), request.prompt.size() - 1);
  ASSERT_EQ(answer.output.size(), 4U);

  const CausalModel model = CausalModel::open(checkpoint_, config_, compute_, {}).value();
  CausalModel::Context context;
  std::vector<float> logits(static_cast<std::size_t>(config_.vocab));
  for (std::size_t i = 0; i + 1 < request.prompt.size(); ++i) {
    ASSERT_TRUE(model.forward(context, std::span(request.prompt).subspan(i, 1), logits).has_value());
    double sum = 0;
    for (const float l : logits) sum += std::exp(static_cast<double>(l));
    const std::int32_t next = request.prompt[i + 1];
    EXPECT_EQ(answer.prompt[i].id, next);
    EXPECT_NEAR(answer.prompt[i].logprob, static_cast<double>(logits[static_cast<std::size_t>(next)]) - std::log(sum),
                1e-5);
    ASSERT_EQ(answer.prompt[i].top.size(), 1U);
  }
  for (const OutputToken& token : answer.output) {
    ASSERT_EQ(token.top.size(), 3U);
    EXPECT_EQ(token.top[0].id, token.id);  // greedy
    EXPECT_EQ(token.top[0].logprob, token.logprob);
    EXPECT_GE(token.top[0].logprob, token.top[1].logprob);
  }
}

TEST_F(EngineTest, OnlyThePrompt) {
  auto request = requests(1, 0)[0];
  request.prompt_logprobs = 0;
  Answer answer;
  const auto running = engine();
  ASSERT_TRUE(running->submit(request, answer.sink()).has_value());
  answer.wait();
  EXPECT_EQ(answer.finish, FinishReason::kLength);
  EXPECT_TRUE(answer.tokens.empty());
  EXPECT_EQ(answer.prompt.size(), request.prompt.size() - 1);
}

TEST_F(EngineTest, EndsWhereItShould) {
  const auto running = engine();
  auto request = requests(1, 12)[0];
  const Tokens whole = run(*running, {request})[0];
  ASSERT_EQ(whole.size(), 12U);
  request.stop_token_ids = {whole[5]};
  const auto first = static_cast<std::size_t>(std::find(whole.begin(), whole.end(), whole[5]) - whole.begin());
  EXPECT_EQ(run(*running, {request})[0], Tokens(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(first + 1)));
  request.min_tokens = 12;
  EXPECT_EQ(run(*running, {request})[0].size(), 12U);
}

// Even numbers only.
class EvenTokens : public TokenConstraint {
 public:
  void mask(std::span<float> logits) override {
    for (std::size_t id = 1; id < logits.size(); id += 2) logits[id] = -std::numeric_limits<float>::infinity();
  }
  Status accept(std::int32_t token) override {
    seen.push_back(token);
    return {};
  }
  Tokens seen;
};

TEST_F(EngineTest, HoldsToAConstraint) {
  Tokens first;
  for (const bool ngram : {false, true}) {
    EngineOptions options;
    options.ngram_speculation = ngram;
    const auto running = engine(options);
    auto request = requests(1, 40)[0];
    const auto constraint = std::make_shared<EvenTokens>();
    request.constraint = constraint;
    const Tokens tokens = run(*running, {request})[0];
    EXPECT_EQ(tokens.size(), 40U);
    for (const std::int32_t id : tokens) EXPECT_EQ(id % 2, 0);
    EXPECT_EQ(constraint->seen, tokens);
    if (!first.empty()) {
      EXPECT_EQ(tokens, first);
    }
    first = tokens;
  }
}

TEST_F(EngineTest, RefusesWhatCanNeverRun) {
  EngineOptions options;
  options.max_total_tokens = 64;
  const auto running = engine(options);
  EngineRequest request = requests(1, 10)[0];
  request.prompt.clear();
  EXPECT_FALSE(running->submit(request, nullptr).has_value());
  request.prompt = {static_cast<std::int32_t>(config_.vocab)};
  EXPECT_FALSE(running->submit(request, nullptr).has_value());
  request.prompt.assign(64, 1);
  const auto refused = running->submit(request, nullptr);
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().code, ErrorCode::kInvalidInput);
  request.prompt.assign(3, 1);
  request.sampling.top_p = 7;
  EXPECT_FALSE(running->submit(request, nullptr).has_value());
  running->drain();
  request.sampling.top_p = 1;
  EXPECT_EQ(running->submit(request, nullptr).error().code, ErrorCode::kOutOfMemory);
}

TEST_F(EngineTest, ManyThreadsMaySubmitAndCancel) {
  EngineOptions options;
  options.max_total_tokens = 512;
  const auto running = engine(options);
  const auto list = requests(8, 10);
  std::vector<std::thread> threads;
  std::atomic<int> ended = 0;
  for (std::size_t t = 0; t < 4; ++t)
    threads.emplace_back([&, t] {
      for (std::size_t i = 0; i < 8; ++i) {
        Answer answer;
        const RequestId id = running->submit(list[(t + i) % 8], answer.sink()).value();
        if ((t + i) % 3 == 0) running->cancel(id);
        answer.wait();
        ++ended;
      }
    });
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(ended, 32);
  EXPECT_EQ(running->stats().used_tokens, 0);
}

}  // namespace
}  // namespace tetrad
