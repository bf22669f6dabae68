// The engine over a model that is larger than memory: the same tokens, and steps that fail for the disk.
#include <gmock/gmock.h>

#include <condition_variable>
#include <filesystem>
#include <fstream>
#include <mutex>
#include <thread>

#include "base/files.h"
#include "engine/engine.h"
#include "model/expert_cache.h"

namespace tetrad {
namespace {

namespace fs = std::filesystem;

struct Outcome {
  std::vector<std::int32_t> tokens;
  FinishReason finish = FinishReason::kNone;
  std::string error;
};

class LargerEngineTest : public testing::Test {
 protected:
  void SetUp() override {
    fs::remove_all(copy_);
    fs::copy(fs::path(TETRAD_SOURCE_DIR) / "models/tiny-minimax-m2", copy_, fs::copy_options::recursive);
  }
  void TearDown() override { fs::remove_all(copy_); }

  std::unique_ptr<Engine> engine(std::uint64_t cache_bytes) {
    const Checkpoint checkpoint = Checkpoint::open(copy_).value();
    const ModelConfig config = ModelConfig::parse(checkpoint.config(), "config.json").value();
    EngineOptions options;
    options.max_total_tokens = 4096;
    options.chunked_prefill_size = 16;
    options.expert_cache_bytes = cache_bytes;
    return Engine::create(checkpoint, config, Compute::create(2).value(), options).value();
  }
  static Outcome ask(Engine& engine, std::int64_t max_tokens) {
    EngineRequest request;
    for (std::int32_t i = 0; i < 40; ++i) request.prompt.push_back(100 + 37 * i);
    request.max_tokens = max_tokens;
    request.ignore_eos = true;
    request.sampling.temperature = 0;
    Outcome outcome;
    std::mutex mutex;
    std::condition_variable news;
    const auto id = engine.submit(request, [&](OutputEvent event) {
      const std::lock_guard lock(mutex);
      for (const OutputToken& token : event.tokens) outcome.tokens.push_back(token.id);
      outcome.finish = event.finish;
      outcome.error = event.error;
      news.notify_all();
    });
    EXPECT_TRUE(id.has_value());
    std::unique_lock lock(mutex);
    news.wait(lock, [&] { return outcome.finish != FinishReason::kNone; });
    return outcome;
  }
  void write(const fs::path& shard, const std::string& bytes) { std::ofstream(shard, std::ios::binary) << bytes; }

  const fs::path copy_ = fs::path(testing::TempDir()) / "tetrad-engine-larger-test";
};

TEST_F(LargerEngineTest, AStepThatFailsEndsItsRequestsOnly) {
  const Outcome expected = ask(*engine(0), 12);
  ASSERT_EQ(expected.finish, FinishReason::kLength);
  const auto running = engine(300'000);  // ten experts
  const fs::path shard = copy_ / "model-00003-of-00004.safetensors";
  const std::string whole = read_file(shard).value();
  fs::resize_file(shard, 5000);
  // The first layers have computed and stored keys and values when the third's experts can't be read.
  const Outcome failed = ask(*running, 12);
  EXPECT_EQ(failed.finish, FinishReason::kError);
  EXPECT_THAT(failed.error, testing::HasSubstr("cannot read file: " + shard.string() + ": it ends at byte 5000"));
  EXPECT_TRUE(failed.tokens.empty());
  EXPECT_EQ(running->stats().running, 0);
  EXPECT_EQ(running->stats().used_tokens, 0);
  EXPECT_EQ(running->stats().cached_tokens, 0) << "nothing half-computed is kept";
  write(shard, whole);
  const Outcome after = ask(*running, 12);
  EXPECT_EQ(after.finish, FinishReason::kLength);
  EXPECT_EQ(after.tokens, expected.tokens);
  const EngineStats stats = running->stats();
  EXPECT_GT(stats.expert_misses, 0U);
  EXPECT_GT(stats.expert_bytes_read, 0U);
  EXPECT_LE(stats.expert_resident_bytes, stats.expert_capacity_bytes);
}

TEST_F(LargerEngineTest, StopsInTheMiddleOfAStep) {
  for (int round = 0; round < 5; ++round) {
    auto running = engine(100'000);
    EngineRequest request;
    request.prompt.assign(500, 7);
    request.max_tokens = 1000;
    FinishReason finish = FinishReason::kNone;
    ASSERT_TRUE(running->submit(request, [&](OutputEvent event) { finish = event.finish; }).has_value());
    while (running->stats().expert_misses < static_cast<std::uint64_t>(20 * round)) std::this_thread::yield();
    running.reset();
    EXPECT_EQ(finish, FinishReason::kAbort);
  }
}

}  // namespace
}  // namespace tetrad
