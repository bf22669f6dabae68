#include "model/resident_weights.h"

#include <condition_variable>
#include <mutex>
#include <optional>
#include <vector>

#include "base/interrupt.h"
#include "base/read_queue.h"

namespace tetrad {
namespace {

constexpr std::size_t kReaders = 8, kChunk = std::size_t{1} << 20, kBlock = DirectFile::kBlock;

struct Copy {
  std::span<const std::byte>* bytes;
  Checkpoint::Place place;
  std::size_t at;  // in the memory, of the whole blocks around them
};

std::size_t blocks_around(const Copy& copy) {
  return (copy.place.offset % kBlock + copy.bytes->size() + kBlock - 1) / kBlock * kBlock;
}

// All jobs by several threads; the first error.
Status read_all(std::span<const ReadJob> jobs) {
  std::mutex mutex;
  std::condition_variable news;
  std::size_t left = jobs.size();
  std::optional<Error> error;
  ReadQueue queue(kReaders, [&](const ReadJob&, const Status& status) {
    const std::lock_guard lock(mutex);
    if (!status && !error) error = status.error();
    --left;
    news.notify_all();
  });
  queue.push(jobs);
  std::unique_lock lock(mutex);
  while (left > 0 && !error) {
    TETRAD_TRY(check_interrupt());
    news.wait_for(lock, std::chrono::milliseconds(50));
  }
  if (error) return Unexpected(*error);
  return {};
}

}  // namespace

Result<ResidentWeights> ResidentWeights::load(const Checkpoint& checkpoint, std::span<WeightView* const> views) {
  std::vector<DirectFile> files;
  for (const auto& shard : checkpoint.shards()) files.push_back(TETRAD_TRY(DirectFile::open(shard)));
  std::vector<Copy> copies;
  ResidentWeights weights;
  for (WeightView* view : views)
    for (std::span<const std::byte>* bytes : {&view->data, &view->scales})
      if (const auto place = checkpoint.place(*bytes)) {
        copies.push_back({bytes, *place, weights.bytes_});
        weights.bytes_ += blocks_around(copies.back());
      }
  if (copies.empty()) return weights;
  weights.memory_ = TETRAD_TRY(Reservation::create(weights.bytes_, "dense weights"));
  std::vector<ReadJob> jobs;
  for (const Copy& copy : copies) {
    const std::uint64_t from = copy.place.offset / kBlock * kBlock;
    const std::size_t need = copy.place.offset - from + copy.bytes->size(), size = blocks_around(copy);
    for (std::size_t done = 0; done < size; done += kChunk) {
      const std::size_t piece = std::min(kChunk, size - done);
      jobs.push_back({.file = &files[copy.place.shard],
                      .offset = from + done,
                      .out = {weights.memory_->data() + copy.at + done, piece},
                      .need = std::min(piece, need - done)});
    }
  }
  TETRAD_TRY(read_all(jobs));
  for (const Copy& copy : copies)
    *copy.bytes = {weights.memory_->data() + copy.at + copy.place.offset % kBlock, copy.bytes->size()};
  return weights;
}

}  // namespace tetrad
