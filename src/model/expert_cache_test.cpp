// Experts from a cache that is smaller than the model: the bytes of the mapped weights, whatever fits; and what
// happens when a shard can't be read.
#include "model/expert_cache.h"

#include <gmock/gmock.h>

#include <atomic>
#include <filesystem>
#include <thread>

#include "model/model_fixture.h"
#include "model/paged_model.h"

namespace tetrad {
namespace {

namespace fs = std::filesystem;

// Some steps of a server: a prompt in two chunks, two more beside a token of the first, then tokens of all three.
class Steps {
 public:
  Steps(const Model& model, const ForwardOptions& options, std::uint64_t cache_bytes)
      : vocab_(model.config.vocab),
        paged_(take(PagedModel::open(model.checkpoint, model.config, *Compute::create(2), options, 3 * kRoom, false,
                                     cache_bytes))) {}

  Status step(const std::vector<std::pair<std::int32_t, std::size_t>>& sequences) {
    std::vector<std::vector<std::int32_t>> ids, slots;
    std::vector<BatchPart> parts;
    for (const auto& [sequence, count] : sequences) {
      ids.emplace_back();
      for (std::size_t i = 0; i < count; ++i) ids.back().push_back(next_ = (next_ * 31 + 7) % vocab());
      slots.emplace_back();
      for (std::int64_t p = 0; p < lengths_[sequence] + static_cast<std::int64_t>(count); ++p)
        slots.back().push_back(sequence * kRoom + static_cast<std::int32_t>(p));
    }
    for (std::size_t i = 0; i < sequences.size(); ++i)
      parts.push_back({ids[i], lengths_[sequences[i].first], slots[i], static_cast<std::int64_t>(ids[i].size())});
    TETRAD_TRY(paged_.forward(parts, [&](std::size_t, std::int64_t, std::span<float> row) -> Status {
      logits.insert(logits.end(), row.begin(), row.end());
      return {};
    }));
    for (const auto& [sequence, count] : sequences) lengths_[sequence] += static_cast<std::int64_t>(count);
    return {};
  }
  Steps& all() {
    for (const auto& sequences : std::vector<std::vector<std::pair<std::int32_t, std::size_t>>>{
             {{0, 40}}, {{0, 23}}, {{0, 1}, {1, 9}, {2, 30}}, {{0, 1}, {1, 1}, {2, 1}}, {{1, 1}}, {{1, 1}}, {{2, 1}}})
      EXPECT_TRUE(step(sequences).has_value());
    return *this;
  }
  ExpertCache* cache() { return paged_.expert_cache(); }
  std::vector<float> logits;

 private:
  static constexpr std::int32_t kRoom = 128;
  std::int32_t vocab() const { return static_cast<std::int32_t>(vocab_); }
  std::int64_t vocab_;
  PagedModel paged_;
  std::int32_t next_ = 3;
  std::int64_t lengths_[3] = {0, 0, 0};
};

std::uint64_t slot_bytes(const Model& model) {
  return ExpertCache::slot_bytes(model.checkpoint, take(load_layer(model.checkpoint, model.config, 0, {})));
}

TEST(ExpertCache, GivesTheBytesOfMappedWeights) {
  for (const char* path : {kBundled, "tests/data/golden/tiny_m2_bf16", "tests/data/golden/tiny_m2_nvfp4"}) {
    const Model model = open_model(path);
    const std::uint64_t slot = slot_bytes(model), experts = static_cast<std::uint64_t>(model.config.experts);
    for (const auto activations : {ActivationFormat::kBF16, ActivationFormat::kNvfp4}) {
      const ForwardOptions options{.activations = activations};
      const std::vector<float> mapped = Steps(model, options, 0).all().logits;
      // One slot; fewer than a token or a prompt needs; some layers; more than there are experts.
      for (const std::uint64_t slots : {std::uint64_t{1}, std::uint64_t{3}, experts / 2, experts + 5, 100 * experts}) {
        Steps cached(model, options, slots * slot);
        expect_same_bytes(mapped, cached.all().logits, std::string(path) + ", slots " + std::to_string(slots));
        const ExpertCacheStats stats = cached.cache()->stats();
        const std::uint64_t all = experts * static_cast<std::uint64_t>(model.config.layers);
        EXPECT_LE(stats.slots, std::min(slots, all));
        EXPECT_GE(stats.slots, std::min((slots + 1) / 2, all));  // others' edges may fill more blocks
        EXPECT_LE(stats.resident_bytes, stats.capacity_bytes);
        EXPECT_GT(stats.hits + stats.misses, 0U);
        EXPECT_GE(stats.bytes_read, stats.misses * slot / 4);
        if (slots == 100 * experts) {
          EXPECT_LE(stats.misses, stats.slots) << "nothing is read twice";
        }
      }
    }
  }
}

TEST(ExpertCache, GivesGenerationTheSameBytes) {
  const Model model = open_model(kBundled);
  const std::vector<std::int32_t> ids = {1, 2, 3, 4, 5, 6, 7, 8};
  std::vector<float> logits[2];
  for (const std::size_t cached : {0U, 1U}) {
    const CausalModel causal = take(
        CausalModel::open(model.checkpoint, model.config, *Compute::create(2), {}, cached * 5 * slot_bytes(model)));
    CausalModel::Context context;
    logits[cached].resize(static_cast<std::size_t>(model.config.vocab));
    for (const std::size_t count : {5U, 1U, 2U}) {
      const auto begin = static_cast<std::size_t>(context.length());
      ASSERT_TRUE(causal.forward(context, std::span(ids).subspan(begin, count), logits[cached]).has_value());
    }
  }
  expect_same_bytes(logits[0], logits[1], "generate");
}

TEST(ExpertCache, AShardThatCantBeReadFailsTheStep) {
  const fs::path copy = fs::path(testing::TempDir()) / "tetrad-expert-cache-test";
  fs::remove_all(copy);
  fs::copy(source_path(kBundled), copy, fs::copy_options::recursive);
  {
    Checkpoint checkpoint = take(Checkpoint::open(copy));
    ModelConfig config = take(ModelConfig::parse(checkpoint.config(), "config.json"));
    const Model model = {std::move(checkpoint), std::move(config)};
    Steps steps(model, {}, 8 * slot_bytes(model));
    ASSERT_TRUE(steps.step({{0, 20}}).has_value());
    const fs::path shard = copy / "model-00003-of-00004.safetensors";
    fs::resize_file(shard, 100'000);
    const Status broken = steps.step({{0, 20}});
    ASSERT_FALSE(broken.has_value());
    EXPECT_THAT(broken.error().message, testing::HasSubstr("cannot read file: " + shard.string()));
    EXPECT_THAT(broken.error().message, testing::HasSubstr("it ends at byte 100000"));
    EXPECT_FALSE(steps.step({{0, 20}}).has_value()) << "it stays an error";
    const fs::path first = copy / "model-00001-of-00004.safetensors";  // with the embedding
    const std::uint64_t size = fs::file_size(first);
    fs::resize_file(first, 5000);
    EXPECT_THAT(steps.step({{0, 20}}).error().message, testing::HasSubstr("cannot read file: " + first.string()));
    fs::resize_file(first, size);
    // When it is whole again, everything goes on.
    steps.logits.clear();
    for (const fs::path& path : {first, shard}) {
      const std::string bytes = take(read_file(source_path(kBundled) / path.filename()));
      File file = take(File::open_existing(path));
      ASSERT_TRUE(file.write_at(0, std::as_bytes(std::span(bytes))).has_value());
      ASSERT_TRUE(file.sync().has_value());
    }
    ASSERT_TRUE(steps.step({{1, 20}}).has_value());
  }
  fs::remove_all(copy);
}

TEST(ExpertCache, AStoppedPassEnds) {
  const Model model = open_model(kBundled);
  Steps steps(model, {}, 2 * slot_bytes(model));
  std::atomic<bool> ended = false;
  Status last;
  std::thread runs([&] {
    for (std::size_t i = 0; i < 10'000 && last; ++i) {
      last = steps.step({{static_cast<std::int32_t>(i % 3), i < 3 ? 60U : 1U}});
      if (i % 60 == 59 && last) break;
    }
    ended = true;
  });
  std::this_thread::sleep_for(std::chrono::milliseconds(5));
  const std::uint64_t hits = steps.cache()->stats().hits;  // while it runs
  steps.cache()->stop();
  runs.join();
  EXPECT_GE(steps.cache()->stats().hits, hits);
  const Status after = steps.step({{0, 1}});
  ASSERT_FALSE(after.has_value());
  EXPECT_EQ(after.error().code, ErrorCode::kInterrupted);
}

// Which of the experts would go first.
std::size_t first_to_go(const ExpertUsage& usage, std::size_t count) {
  std::size_t worst = 0;
  for (std::size_t e = 1; e < count; ++e)
    if (usage.next_use(e) > usage.next_use(worst)) worst = e;
  return worst;
}

TEST(ExpertUsage, TheRarelyUsedGoFirst) {
  ExpertUsage usage(2, 4, 2);
  for (int token = 0; token < 100; ++token)
    for (std::size_t layer = 0; layer < 2; ++layer)
      usage.visit(layer, std::vector<std::int64_t>{1, token % 3 > 0, token % 3 == 0, token % 50 == 0}, 1);
  EXPECT_EQ(first_to_go(usage, 8) % 4, 3U);
  EXPECT_LT(usage.next_use(0), usage.next_use(1));
  EXPECT_LT(usage.next_use(1), usage.next_use(2));
}

TEST(ExpertUsage, WhatWasUsedLongAgoAges) {
  ExpertUsage usage(1, 4, 1);
  for (int token = 0; token < 1000; ++token) usage.visit(0, std::vector<std::int64_t>{1, 0, 0, 0}, 1);
  for (int token = 0; token < 200; ++token) usage.visit(0, std::vector<std::int64_t>{0, 1, 0, 0}, 1);
  EXPECT_LT(usage.next_use(1), usage.next_use(0));
}

TEST(ExpertUsage, OfEqualsTheLayerThatHasJustBeenGoesFirst) {
  ExpertUsage usage(3, 2, 1);
  for (int step = 0; step < 3; ++step)
    for (std::size_t layer = 0; layer < 3; ++layer) {
      usage.visit(layer, std::vector<std::int64_t>{256, 256}, 512);
      if (step > 0) {
        EXPECT_EQ(first_to_go(usage, 6) / 2, layer);
      }
    }
}

// A prompt says as much of the experts as the same tokens one by one.
TEST(ExpertUsage, APromptCountsAsItsTokens) {
  ExpertUsage steps(1, 2, 1), prompt(1, 2, 1);
  for (int token = 0; token < 16; ++token) steps.visit(0, std::vector<std::int64_t>{token % 4 == 0, token % 4 != 0}, 1);
  prompt.visit(0, std::vector<std::int64_t>{4, 12}, 16);
  steps.visit(0, std::vector<std::int64_t>{0, 1}, 1);
  prompt.visit(0, std::vector<std::int64_t>{0, 1}, 1);
  EXPECT_NEAR(steps.next_use(0), prompt.next_use(0), 1);
}

}  // namespace
}  // namespace tetrad
