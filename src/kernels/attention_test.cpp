// Attention on every target against the oracle in double precision, and every block, pool and part of the keys against
// the others byte for byte.
#include "kernels/attention.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <limits>

#include "kernels/compute.h"
#include "kernels/kernels_fixture.h"
#include "kernels/ref/reference.h"
#include "numeric/bf16.h"

namespace tetrad {
namespace {

// One sequence, group 2: more than one softmax tile.
class Attend : public testing::Test {
 protected:
  static constexpr std::int64_t kKeys = 1100;
  static constexpr int kGroup = 2;
  void resize(std::int64_t head, std::int64_t keys = kKeys) {
    head_ = head;
    const auto rows = static_cast<std::size_t>(keys * head);
    q_ = normal_values(kGroup * rows, 1, 2.0F);
    k_ = normal_values(rows, 2);
    v_ = normal_values(rows, 3);
  }
  std::int64_t head_ = 0;
  std::vector<float> q_, k_, v_;
  Attend() { resize(32); }

  AttendArgs args(std::int64_t first, std::int64_t count) const {
    AttendArgs a;
    a.q = q_.data() + first * kGroup * head_;
    a.q_stride = kGroup * head_;
    a.rows = count * kGroup;
    a.group = kGroup;
    a.first_position = first;
    a.k = k_.data();
    a.v = v_.data();
    a.kv_stride = head_;
    a.head_dim = head_;
    a.scale = 1.7F / std::sqrt(static_cast<float>(head_));
    return a;
  }
  std::vector<float> run(const std::string& target, std::int64_t first, std::int64_t count, bool bf16 = false) const {
    AttendArgs a = args(first, count);
    std::vector<float> out(static_cast<std::size_t>(a.rows * head_)),
        scratch(static_cast<std::size_t>(attend_scratch_floats(a.rows, head_)));
    a.out = out.data();
    a.scratch = scratch.data();
    a.bf16 = bf16;
    attend(*kernel_table(target), a);
    return out;
  }
  // "amx" takes queries and probabilities in 17 bits; values are about 1.
  static double bound(const std::string& target) { return shares_arithmetic(target) ? 100 : 1000; }
};

TEST_F(Attend, MatchesTheOracle) {
  for (const std::string& target : available_simd_targets())
    for (const std::int64_t first : {0, 3, 500, 1070})
      expect_close(run(target, first, 29), ref::attend(args(first, 29)), bound(target), target);
}

class AttendPaged : public Attend {
 protected:
  static constexpr std::int64_t kSlots = 1103;

  // Puts keys and values into pools, rounding them to BF16 in place if the pools are BF16.
  void fill(std::span<const std::int32_t> slots, bool bf16) {
    const std::size_t size = bf16 ? 2 : 4;
    const auto head = static_cast<std::size_t>(head_);
    for (auto [from, pool] : {std::pair(&k_, &k_pool_), std::pair(&v_, &v_pool_)}) {
      pool->assign(static_cast<std::size_t>(kSlots) * head * size, std::byte{0x7F});
      for (std::size_t i = 0; i < from->size(); ++i) {
        const std::uint16_t half = bf16_from_float((*from)[i]);
        if (bf16) (*from)[i] = bf16_to_float(half);
        std::memcpy(pool->data() + (static_cast<std::size_t>(slots[i / head]) * head + i % head) * size,
                    bf16 ? static_cast<const void*>(&half) : &(*from)[i], size);
      }
    }
  }
  std::vector<float> run_paged(const std::string& target, std::int64_t first, std::int64_t count,
                               std::span<const std::int32_t> slots, bool bf16) const {
    AttendArgs a = paged_args(first, count, slots, bf16);
    std::vector<float> out(static_cast<std::size_t>(a.rows * head_)),
        scratch(static_cast<std::size_t>(attend_scratch_floats(a.rows, head_)));
    a.scratch = scratch.data();
    a.out = out.data();
    attend(*kernel_table(target), a);
    return out;
  }
  AttendArgs paged_args(std::int64_t first, std::int64_t count, std::span<const std::int32_t> slots, bool bf16) const {
    AttendArgs a = args(first, count);
    a.k = a.v = nullptr;
    a.slots = slots.data();
    a.paged_k = k_pool_.data();
    a.paged_v = v_pool_.data();
    a.paged_bf16 = bf16;
    return a;
  }
  // BF16 rows on "amx", which pairs dimensions in another order than F32 ones: the same as token by token.
  void expect_same_as_plain(const std::string& target, std::int64_t first, std::int64_t count,
                            std::span<const std::int32_t> slots, bool bf16) const {
    std::vector<float> expected;
    if (shares_arithmetic(target) || !bf16) expected = run(target, first, count);
    for (std::int64_t i = first; expected.size() < static_cast<std::size_t>(count * kGroup * head_); ++i)
      for (const float value : run_paged(target, i, 1, slots, bf16)) expected.push_back(value);
    const std::vector<float> out = run_paged(target, first, count, slots, bf16);
    expect_same_bytes(expected, out, target + " head " + std::to_string(head_));
    expect_close(out, ref::attend(paged_args(first, count, slots, bf16)), bound(target), target);
  }
  std::vector<std::byte> k_pool_, v_pool_;
};

// Rows of a pool, scattered, one behind another or both, give the bytes of rows one behind another; BF16 rows those of
// rounded ones. Widths with and without pairs; one row and several blocks of them.
TEST_F(AttendPaged, IsTheSame) {
  for (const std::int64_t head : {16, 32, 48, 96, 128})
    for (const bool bf16 : {false, true})
      for (const bool scattered : {false, true}) {
        resize(head);
        std::vector<std::int32_t> slots(kKeys);
        for (std::int64_t i = 0; i < kKeys; ++i)
          slots[static_cast<std::size_t>(i)] = static_cast<std::int32_t>(scattered ? i * 7 % kSlots : i + i / 600);
        fill(slots, bf16);
        for (const std::string& target : available_simd_targets())
          for (const auto& [first, count] : {std::pair(0, 29), std::pair(510, 29), std::pair(1070, 1)})
            expect_same_as_plain(target, first, count, slots, bf16);
      }
}

// The targets' common bytes, "amx"'s own but for results in BF16; the same by blocks of any size.
TEST_F(Attend, IsTheSameForEveryTargetAndBlock) {
  for (const bool bf16 : {false, true}) {
    const std::vector<float> common = run("scalar", 495, 100, bf16);
    for (const std::string& target : available_simd_targets()) {
      const std::vector<float> base = run(target, 495, 100, bf16);
      if (shares_arithmetic(target) || bf16) expect_same_bytes(common, base, target);
      for (std::int64_t first = 495, i = 0; first < 595; ++i) {
        const std::int64_t count = std::min<std::int64_t>(1 + i * 3 % 19, 595 - first);
        expect_same_bytes(std::span(base).subspan(static_cast<std::size_t>((first - 495) * kGroup * head_),
                                                  static_cast<std::size_t>(count * kGroup * head_)),
                          run(target, first, count, bf16), target);
        first += count;
      }
    }
  }
}

// A block whose later rows see what is not finite: earlier ones have their own results still.
TEST_F(Attend, NothingFromTheFutureLeaksIn) {
  const std::vector<float> clean = run("scalar", 590, 10);
  for (const float bad : {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity()}) {
    v_[600 * 32 + 5] = k_[600 * 32] = bad;
    for (const std::string& target : available_simd_targets()) {
      const std::vector<float> before = run(target, 590, 10), through = run(target, 590, 20);
      if (shares_arithmetic(target)) expect_same_bytes(clean, before, target);
      expect_same_bytes(before, std::span(through).first(before.size()), target);
      for (const float value : before) ASSERT_TRUE(std::isfinite(value));
      EXPECT_FALSE(std::isfinite(through[before.size() + 5])) << target;
    }
  }
}

// Blocks that begin, end and lie within parts of the keys, among them one that the first rows don't see; by one thread
// and as several would.
TEST_F(Attend, PartsOfKeysGiveTheSame) {
  resize(32, 2 * kAttendKeys + 60);
  for (const auto& [first, count] : {std::pair(kAttendKeys - 10, 30L), std::pair(kAttendKeys - 1, 1L),
                                     std::pair(kAttendKeys, 2L), std::pair(2 * kAttendKeys - 3, 60L)}) {
    const std::vector<float> common = run("scalar", first, count);
    for (const std::string& target : available_simd_targets()) {
      const std::vector<float> whole = run(target, first, count);
      expect_close(whole, ref::attend(args(first, count)), bound(target), target);
      if (shares_arithmetic(target)) expect_same_bytes(common, whole, target);
      for (std::int64_t token = 0; token < count; token += 7)
        expect_same_bytes(std::span(whole).subspan(static_cast<std::size_t>(token * kGroup * head_),
                                                   static_cast<std::size_t>(kGroup * head_)),
                          run(target, first + token, 1), target);
      AttendArgs a = args(first, count);
      const std::int64_t floats = attend_part_floats(a.rows, head_);
      std::vector<float> out(whole.size()), scratch(static_cast<std::size_t>(attend_scratch_floats(a.rows, head_))),
          parts(static_cast<std::size_t>(attend_parts(a) * floats), std::numeric_limits<float>::quiet_NaN());
      a.out = out.data();
      a.scratch = scratch.data();
      for (std::int64_t i = attend_parts(a); i-- > 0;)
        attend_part(*kernel_table(target), a, i, parts.data() + i * floats);
      attend_join(*kernel_table(target), a, parts.data());
      expect_same_bytes(whole, out, target);
    }
  }
}

}  // namespace
}  // namespace tetrad
