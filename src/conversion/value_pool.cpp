#include "conversion/value_pool.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "base/rng.h"
#include "numeric/bf16.h"
#include "numeric/e4m3.h"
#include "numeric/nvfp4.h"

namespace tetrad {
namespace {

constexpr std::size_t kBlocks = 65'537;      // prime
constexpr std::size_t kNumbers = 1'048'573;  // prime; a little less than 16 * kBlocks
constexpr std::size_t kBlockCodes = kNvfp4Block / 2;
constexpr std::size_t kStride = 648'059;  // through the numbers, for the other order; any does, as their count is prime
constexpr std::size_t kTurn = 1024;       // numbers or blocks of one turn of a thread

// The sum of 12 numbers of 16 bits, less its mean: variance 1 and, unlike logarithms and cosines, the same on every
// machine.
float normal(Rng& rng) {
  constexpr double kMean = 12 * 32767.5;
  std::uint64_t sum = 0;
  for (int i = 0; i < 3; ++i) {
    const std::uint64_t bits = rng.next();
    sum += (bits & 0xFFFF) + ((bits >> 16) & 0xFFFF) + ((bits >> 32) & 0xFFFF) + (bits >> 48);
  }
  return static_cast<float>((static_cast<double>(sum) - kMean) / 65536.0);
}

// body(begin, end) over [0, count) in turns
template <class Body>
void in_turns(ThreadPool& threads, std::size_t count, Body body) {
  threads.run((count + kTurn - 1) / kTurn,
              [&](std::size_t turn, std::size_t) { body(turn * kTurn, std::min(count, (turn + 1) * kTurn)); });
}

template <class T, class Convert>
std::vector<std::byte> converted(ThreadPool& threads, std::span<const float> values, Convert convert) {
  std::vector<std::byte> bytes(values.size() * sizeof(T));
  in_turns(threads, values.size(), [&](std::size_t begin, std::size_t end) {
    for (std::size_t i = begin; i < end; ++i) {
      const T stored = convert(values[i]);
      std::memcpy(bytes.data() + i * sizeof(T), &stored, sizeof(T));
    }
  });
  return bytes;
}

}  // namespace

std::span<const std::byte> ValueRing::piece(std::uint64_t start, std::uint64_t offset, std::uint64_t limit) const {
  const std::uint64_t at = (start * unit_bytes_ + offset) % bytes_.size();
  return std::span(bytes_).subspan(at, std::min<std::uint64_t>(limit, bytes_.size() - at));
}

ValuePool::ValuePool(std::uint64_t seed, ThreadPool& threads)
    : threads_(threads), values_(kBlocks * static_cast<std::size_t>(kNvfp4Block)) {
  in_turns(threads_, values_.size(), [&](std::size_t begin, std::size_t end) {
    Rng rng(seed, begin);
    for (std::size_t i = begin; i < end; ++i) values_[i] = normal(rng);
  });
  for (const float value : values_) amax_ = std::max(amax_, std::fabs(value));
}

float ValuePool::nvfp4_tensor_scale() const { return tetrad::nvfp4_tensor_scale(Algorithm::kMax, amax_); }

const ValueRing& ValuePool::ring(RingKind kind, float mean, float deviation) {
  const Key key{kind, mean, deviation};
  if (const auto found = rings_.find(key); found != rings_.end()) return found->second;
  if (kind != RingKind::kNvfp4Codes && kind != RingKind::kNvfp4Scales)
    return rings_.emplace(key, make_plain(key)).first->second;
  make_nvfp4();
  return rings_.at({kind, 0, 1});
}

ValueRing ValuePool::make_plain(const Key& key) const {
  std::span<const float> values = std::span(values_).first(kNumbers);
  std::vector<float> shuffled;
  if (key.kind == RingKind::kBF16Shuffled) {
    for (std::size_t i = 0; i < kNumbers; ++i) shuffled.push_back(values[i * kStride % kNumbers]);
    values = shuffled;
  }
  const auto shifted = [&](float value) { return key.mean + key.deviation * value; };
  if (key.kind == RingKind::kF32) return {converted<float>(threads_, values, shifted), sizeof(float)};
  if (key.kind == RingKind::kFp8)
    return {converted<std::uint8_t>(threads_, values, [](float v) { return e4m3_from_float(kFp8Scale * v); }), 1};
  return {converted<std::uint16_t>(threads_, values, [&](float v) { return bf16_from_float(shifted(v)); }),
          sizeof(std::uint16_t)};
}

void ValuePool::make_nvfp4() {
  std::vector<std::byte> codes(kBlocks * kBlockCodes), scales(kBlocks);
  const float tensor_scale = nvfp4_tensor_scale();
  in_turns(threads_, kBlocks, [&](std::size_t begin, std::size_t end) {
    for (std::size_t i = begin; i < end; ++i) {
      const float* block = values_.data() + i * static_cast<std::size_t>(kNvfp4Block);
      const std::uint8_t scale = nvfp4_block_scale(Algorithm::kMax, block, amax_, tensor_scale);
      scales[i] = std::byte{scale};
      nvfp4_encode_block(block, scale, tensor_scale, reinterpret_cast<std::uint8_t*>(codes.data()) + i * kBlockCodes);
    }
  });
  rings_.insert_or_assign({RingKind::kNvfp4Codes, 0, 1}, ValueRing(std::move(codes), kBlockCodes));
  rings_.insert_or_assign({RingKind::kNvfp4Scales, 0, 1}, ValueRing(std::move(scales), 1));
}

}  // namespace tetrad
