// Random numbers to fill tensors with as fast as they can be written: made once, then cut at random places. A tensor
// reads its pool as a ring from its own start. The rings have a prime number of units (a number, or a block of 16 for
// NVFP4), so that no two rows of a matrix are equal until it has as many rows as the ring has units. Used by
// random_weights.h.
#pragma once

#include <compare>
#include <cstddef>
#include <cstdint>
#include <map>
#include <span>
#include <vector>

#include "base/thread_pool.h"

namespace tetrad {

// How the numbers of a ring are stored. kBF16Shuffled: in another order, for vectors that matrices of the other rings
// are multiplied with: a row and a vector that are the same piece of one ring would have a product out of all
// proportion. kFp8: E4M3 of kFp8Scale times the number; kNvfp4Codes and kNvfp4Scales belong
// together: at the same unit of both lies the same block, quantized with max().nvfp4_tensor_scale.
enum class RingKind : std::uint8_t { kBF16, kBF16Shuffled, kF32, kFp8, kNvfp4Codes, kNvfp4Scales };

constexpr float kFp8Scale = 96.0F;  // the numbers end at 6 standard deviations, E4M3 at 448: 4.7 of them

class ValueRing {
 public:
  ValueRing(std::vector<std::byte> bytes, std::size_t unit_bytes) : bytes_(std::move(bytes)), unit_bytes_(unit_bytes) {}

  std::size_t units() const { return bytes_.size() / unit_bytes_; }
  // From byte `offset` of a tensor that starts at unit `start` (< units()): at most `limit` bytes, at least one.
  std::span<const std::byte> piece(std::uint64_t start, std::uint64_t offset, std::uint64_t limit) const;

 private:
  std::vector<std::byte> bytes_;
  std::size_t unit_bytes_;
};

// All rings of one seed, made when they are first asked for; all from the same numbers of standard normal distribution.
// Some 4 MB for those and 1 to 4 MB a ring. Not thread-safe, but for the rings themselves.
class ValuePool {
 public:
  ValuePool(std::uint64_t seed, ThreadPool& threads);

  // Numbers of this mean and standard deviation; kFp8 and kNvfp4* have 0 and 1, their scales do the rest. The reference
  // stays good as long as the pool.
  const ValueRing& ring(RingKind kind, float mean = 0, float deviation = 1);
  float nvfp4_tensor_scale() const;  // of kNvfp4Codes; a matrix of deviation s has s times it

 private:
  struct Key {
    RingKind kind;
    float mean, deviation;
    auto operator<=>(const Key&) const = default;
  };
  ValueRing make_plain(const Key& key) const;
  void make_nvfp4();

  ThreadPool& threads_;
  std::vector<float> values_;
  float amax_ = 0;
  std::map<Key, ValueRing> rings_;  // a map: its references stay
};

}  // namespace tetrad
