#include "model/disk_rate.h"

#include <atomic>
#include <chrono>
#include <thread>
#include <vector>

#include "base/rng.h"
#include "model/expert_cache.h"
#include "model/reservation.h"

namespace tetrad {
namespace {

constexpr std::size_t kPiece = ExpertCache::kChunk, kRun = 8;  // pieces one behind another, as an expert has them

// Where pieces are read: runs at random places, the same for everybody who asks with the same number.
struct Places {
  std::vector<DirectFile> files;
  std::pair<const DirectFile*, std::uint64_t> piece(std::uint64_t number) const {
    Rng rng(number / kRun);
    const DirectFile& file = files[rng.below(files.size())];
    const std::uint64_t blocks = (file.size() - kRun * kPiece) / DirectFile::kBlock + 1;
    return {&file, rng.below(blocks) * DirectFile::kBlock + number % kRun * kPiece};
  }
};

}  // namespace

double disk_read_gbs(const Checkpoint& checkpoint, double seconds) {
  Places places;
  for (const auto& shard : checkpoint.shards()) {
    auto file = DirectFile::open(shard);
    if (!file || !file->direct()) return 0;
    if (file->size() >= kRun * kPiece) places.files.push_back(std::move(*file));
  }
  // Memory in huge pages, as the cache has: into small ones a virtual disk read a quarter as fast.
  const auto memory = Reservation::create(ExpertCache::kReaders * kPiece, "disk measurement");
  if (places.files.empty() || !memory) return 0;
  std::atomic<std::uint64_t> next = 0, bytes = 0;
  std::atomic<bool> failed = false;
  const auto start = std::chrono::steady_clock::now();
  const auto elapsed = [&] { return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count(); };
  const auto work = [&](std::size_t number) {
    while (!failed && elapsed() < seconds) {
      const auto [file, offset] = places.piece(next++);
      if (!file->read(offset, {(*memory)->data() + number * kPiece, kPiece}, kPiece)) failed = true;
      bytes += kPiece;
    }
  };
  std::vector<std::thread> threads;
  for (std::size_t i = 0; i < ExpertCache::kReaders; ++i) threads.emplace_back(work, i);
  for (std::thread& thread : threads) thread.join();
  return failed ? 0 : static_cast<double>(bytes) / elapsed() / 1e9;
}

}  // namespace tetrad
