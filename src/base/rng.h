// Counter-based random numbers: the n-th number of a (seed, stream) pair is a pure function, so results don't depend on
// order, threads or machine. SplitMix64's finalizer over the counter (Steele, Lea, Flood, OOPSLA 2014).
#pragma once

#include <cstdint>

namespace tetrad {

__extension__ typedef unsigned __int128 Wide;

constexpr std::uint64_t mix64(std::uint64_t z) {
  z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
  z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
  return z ^ (z >> 31);
}

class Rng {
 public:
  explicit constexpr Rng(std::uint64_t seed, std::uint64_t stream = 0)
      : state_(mix64(seed + 0x9E3779B97F4A7C15u) ^ mix64(~stream)) {}
  constexpr std::uint64_t next() { return mix64(state_ += 0x9E3779B97F4A7C15u); }
  // Uniform in [0, bound); the bias of less than bound / 2^64 does not matter here.
  constexpr std::uint64_t below(std::uint64_t bound) {
    return static_cast<std::uint64_t>((static_cast<Wide>(next()) * bound) >> 64);
  }
  constexpr double uniform() { return static_cast<double>(next() >> 11) * 0x1.0p-53; }  // [0, 1)

 private:
  std::uint64_t state_;
};

}  // namespace tetrad
