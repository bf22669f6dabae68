// Attention on one thread, MiniMax-M2's heads (8 of keys, 6 of queries each, width 128): the rate at which a decoded
// token reads keys and values, and the share of the F32 multiply-add peak. Registered by gemm_bench.cpp's main.
#include "kernels/attention_bench.h"

#include <benchmark/benchmark.h>
#include <fmt/format.h>

#include <cstring>
#include <numeric>
#include <string>
#include <vector>

#include "base/float_buffer.h"
#include "base/rng.h"
#include "kernels/attention.h"
#include "kernels/kernel_table.h"
#include "numeric/bf16.h"

namespace tetrad {
namespace {

constexpr std::int64_t kHeads = 8, kGroup = 6, kHeadDim = 128;

struct AttendCase {
  std::int64_t context, tokens;  // the last `tokens` of `context` ask
  bool bf16;
};
constexpr AttendCase kAttendCases[] = {{4096, 1, true},  {16384, 1, true},  {16384, 1, false}, {4096, 10, true},
                                       {512, 10, true},  {4096, 10, false}, {4096, 32, true},  {4096, 32, false},
                                       {4096, 64, true}, {4096, 128, true}, {512, 1, true},    {512, 1, false},
                                       {128, 1, true},   {128, 1, false}};

// In huge pages, as the model's pool is.
const std::byte* random_pool(Rng& rng, std::int64_t elements, bool bf16, FloatBuffer& memory) {
  const std::size_t bytes = static_cast<std::size_t>(elements) * (bf16 ? 2 : 4);
  auto* pool = reinterpret_cast<std::byte*>(memory.grow(bf16 ? elements / 2 : elements));
  std::memset(pool, 0, bytes);
  for (std::size_t i = bf16 ? 1 : 3; i < bytes; i += bf16 ? 2 : 4)
    pool[i] = static_cast<std::byte>(0x3C + 0x80 * rng.below(2));
  return pool;
}

void run_case(benchmark::State& state, const AttendCase& c, const std::string& target, double peak) {
  Rng rng(1);
  const std::int64_t elements = kHeads * c.context * kHeadDim, size = c.bf16 ? 2 : 4;
  FloatBuffer key_memory, value_memory;
  const std::byte* keys = random_pool(rng, elements, c.bf16, key_memory);
  const std::byte* values = random_pool(rng, elements, c.bf16, value_memory);
  std::vector<std::int32_t> slots(static_cast<std::size_t>(c.context));
  std::iota(slots.begin(), slots.end(), 0);
  AttendArgs args;
  args.rows = c.tokens * kGroup;
  args.group = kGroup;
  args.q_stride = kGroup * kHeadDim;
  args.first_position = c.context - c.tokens;
  args.kv_stride = args.head_dim = kHeadDim;
  args.slots = slots.data();
  args.paged_bf16 = c.bf16;
  args.scale = 0.09F;
  std::vector<float> q(static_cast<std::size_t>(args.rows * kHeadDim), 0.5F), out(q.size());
  FloatBuffer scratch;
  args.q = q.data();
  args.out = out.data();
  args.scratch = scratch.grow(attend_scratch_floats(args.rows, kHeadDim));
  for (auto _ : state)
    for (std::int64_t head = 0; head < kHeads; ++head) {
      args.paged_k = keys + head * c.context * kHeadDim * size;
      args.paged_v = values + head * c.context * kHeadDim * size;
      attend(*kernel_table(target), args);
    }
  const auto runs = static_cast<double>(state.iterations());
  using benchmark::Counter;
  const auto rate = static_cast<Counter::Flags>(Counter::kIsRate);
  state.counters["of_peak"] = Counter(runs * 4 * static_cast<double>(args.rows * elements) / (1e9 * peak), rate);
  state.counters["kv_GBps"] = Counter(runs * 2 * static_cast<double>(elements * size) / 1e9, rate);
}

}  // namespace

void register_attention_benchmarks(const std::string& target, double peak) {
  for (const AttendCase& c : kAttendCases)
    benchmark::RegisterBenchmark(
        fmt::format("{}/attend/{}/{}x{}", target, c.bf16 ? "bf16" : "f32", c.tokens, c.context).c_str(),
        [&c, target, peak](benchmark::State& state) { run_case(state, c, target, peak); })
        ->Unit(benchmark::kMicrosecond);
}

}  // namespace tetrad
