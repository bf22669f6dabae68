#include "model/disk_rate.h"

#include <atomic>
#include <chrono>
#include <memory>
#include <thread>
#include <vector>

#include "base/rng.h"
#include "model/expert_cache.h"

namespace tetrad {
namespace {

constexpr std::size_t kPiece = ExpertCache::kChunk;

struct Free {
  void operator()(void* p) const { std::free(p); }
};

}  // namespace

double disk_read_gbs(const Checkpoint& checkpoint, double seconds) {
  std::vector<DirectFile> files;
  for (const auto& shard : checkpoint.shards()) {
    auto file = DirectFile::open(shard);
    if (!file || !file->direct()) return 0;
    if (file->size() >= kPiece) files.push_back(std::move(*file));
  }
  if (files.empty()) return 0;
  std::atomic<std::uint64_t> bytes = 0;
  std::atomic<bool> failed = false;
  const auto start = std::chrono::steady_clock::now();
  const auto elapsed = [&] { return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count(); };
  const auto work = [&](std::size_t number) {
    const std::unique_ptr<void, Free> memory(std::aligned_alloc(DirectFile::kBlock, kPiece));
    Rng rng(number);
    while (memory != nullptr && !failed && elapsed() < seconds) {
      const DirectFile& file = files[rng.below(files.size())];
      const std::uint64_t offset = rng.below((file.size() - kPiece) / DirectFile::kBlock + 1) * DirectFile::kBlock;
      if (!file.read(offset, {static_cast<std::byte*>(memory.get()), kPiece}, kPiece)) failed = true;
      bytes += kPiece;
    }
  };
  std::vector<std::thread> threads;
  for (std::size_t i = 0; i < ExpertCache::kReaders; ++i) threads.emplace_back(work, i);
  for (std::thread& thread : threads) thread.join();
  return failed ? 0 : static_cast<double>(bytes) / elapsed() / 1e9;
}

}  // namespace tetrad
