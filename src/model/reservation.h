// A large piece of zeroed memory, made resident by a thread of its own so that neither the start nor a request waits
// for it. Used by paged_model.cpp, expert_cache.cpp and resident_weights.cpp.
#pragma once

#include <atomic>
#include <cstddef>
#include <memory>
#include <thread>

#include "base/error.h"

namespace tetrad {

class Reservation {
 public:
  static Result<std::unique_ptr<Reservation>> create(std::size_t bytes, const char* what = "key/value pool");
  ~Reservation();
  Reservation(const Reservation&) = delete;
  Reservation& operator=(const Reservation&) = delete;

  std::byte* data() const { return data_; }

 private:
  Reservation() = default;
  void populate();

  std::byte* data_ = nullptr;
  std::size_t bytes_ = 0;
  std::atomic<bool> stop_{false};
  std::thread thread_;
};

}  // namespace tetrad
