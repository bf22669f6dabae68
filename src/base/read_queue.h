// Reads of files by a few threads of its own, several at a time: a disk gives its full rate only when it has more than
// one read to work at. Thread-safe.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <mutex>
#include <span>
#include <thread>
#include <vector>

#include "base/direct_file.h"

namespace tetrad {

struct ReadJob {
  const DirectFile* file = nullptr;
  std::uint64_t offset = 0;
  std::span<std::byte> out;
  std::size_t need = 0;   // as DirectFile::read
  std::size_t owner = 0;  // whose read it is
};

class ReadQueue {
 public:
  // Called on a reading thread after each job, with no lock held.
  using Done = std::function<void(const ReadJob& job, const Status& status)>;

  ReadQueue(std::size_t threads, Done done);
  ~ReadQueue();  // forgets what waits, without a call, and waits for what is being read
  ReadQueue(const ReadQueue&) = delete;

  void push(std::span<const ReadJob> jobs);   // read in this order
  void later(std::span<const ReadJob> jobs);  // read when nothing else waits
  void hurry(std::size_t owner);              // moves the owner's jobs from later() to where push() puts them
  std::size_t drop(std::size_t owner);        // forgets the owner's jobs of later(), without a call; how many they were

 private:
  void work();

  const Done done_;
  mutable std::mutex mutex_;
  std::condition_variable news_;
  std::deque<ReadJob> first_, later_;
  bool stopping_ = false;
  std::vector<std::thread> threads_;
};

}  // namespace tetrad
