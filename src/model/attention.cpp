#include "kernels/attention.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "model/decoder.h"
#include "numeric/bf16.h"

namespace tetrad {
namespace {

// cos and sin of position * theta^(-2i / rotary_dim). The frequency and the angle are F32 as in transformers; cos and
// sin are computed in double.
void fill_rotary(const DecoderContext& context, std::span<const Segment> segments, AttentionBuffers& buffers) {
  const std::int64_t half = context.config.rotary_dim / 2;
  std::vector<float> frequency(static_cast<std::size_t>(half));
  for (std::int64_t i = 0; i < half; ++i) {
    const float exponent = static_cast<float>(2 * i) / static_cast<float>(context.config.rotary_dim);
    const auto power = static_cast<float>(std::pow(context.config.rope_theta, static_cast<double>(exponent)));
    frequency[static_cast<std::size_t>(i)] = 1.0F / power;
  }
  for (const Segment& segment : segments)
    for (std::int64_t r = 0; r < segment.count; ++r)
      for (std::int64_t i = 0; i < half; ++i) {
        const float angle = static_cast<float>(segment.position + r) * frequency[static_cast<std::size_t>(i)];
        auto cosine = static_cast<float>(std::cos(static_cast<double>(angle)));
        auto sine = static_cast<float>(std::sin(static_cast<double>(angle)));
        const auto at = static_cast<std::size_t>((segment.row + r) * half + i);
        buffers.cos.data()[at] = context.bf16() ? round_to_bf16(cosine) : cosine;
        buffers.sin.data()[at] = context.bf16() ? round_to_bf16(sine) : sine;
      }
}

// Projects straight into the segments' caches; segments that lie one behind another in the batch and in memory share a
// job, so that the weight is decoded once for all of them.
void add_projections(std::vector<LinearJob>& jobs, const WeightView& weight, std::span<const Segment> segments,
                     float* Segment::* cache, const float* x, std::int64_t hidden, std::int64_t kv_width) {
  const std::size_t begin = jobs.size();
  for (const Segment& segment : segments) {
    const float* rows = x + segment.row * hidden;
    float* y = segment.*cache + segment.position * kv_width;
    if (jobs.size() > begin && jobs.back().x + jobs.back().m * hidden == rows &&
        jobs.back().y + jobs.back().m * kv_width == y)
      jobs.back().m += segment.count;
    else
      jobs.push_back({&weight, rows, segment.count, hidden, y, kv_width});
  }
}

// QK norm over whole rows, then the rotation of each head. k: the row's keys.
void normalize_and_rotate(const DecoderContext& context, const LayerWeights& weights, std::int64_t row, float* k,
                          AttentionBuffers& buffers) {
  const ModelConfig& config = context.config;
  const KernelTable& kernels = context.compute.kernels();
  const std::int64_t q_width = config.heads * config.head_dim, kv_width = config.kv_heads * config.head_dim;
  const std::int64_t half = config.rotary_dim / 2;
  const auto eps = static_cast<float>(config.rms_eps);
  float* q = buffers.q.data() + row * q_width;
  if (config.qk_norm) {
    kernels.rms_norm(q, weights.q_norm.data(), q_width, eps, context.bf16(), q);
    kernels.rms_norm(k, weights.k_norm.data(), kv_width, eps, context.bf16(), k);
  }
  const float* cos = buffers.cos.data() + row * half;
  const float* sin = buffers.sin.data() + row * half;
  for (std::int64_t head = 0; head < config.heads; ++head)
    kernels.rotate(q + head * config.head_dim, cos, sin, half, context.bf16());
  for (std::int64_t head = 0; head < config.kv_heads; ++head)
    kernels.rotate(k + head * config.head_dim, cos, sin, half, context.bf16());
}

void store_row(const float* row, std::int64_t n, bool bf16, std::byte* out) {
  if (!bf16) {
    std::memcpy(out, row, static_cast<std::size_t>(n) * sizeof(float));
    return;
  }
  for (std::int64_t i = 0; i < n; ++i) {
    const std::uint16_t half = bf16_from_float(row[i]);
    std::memcpy(out + 2 * i, &half, 2);
  }
}

// Bytes from a pool's begin to a head's row.
std::int64_t cache_offset(const PagedCache& cache, std::int64_t head, std::int64_t slot, std::int64_t head_dim) {
  return (head * cache.slots + slot) * head_dim * (cache.bf16 ? 2 : 4);
}

void store_in_cache(const PagedCache& cache, const Segment& segment, std::int64_t row, const ModelConfig& config,
                    const AttentionBuffers& buffers) {
  const std::int64_t slot = segment.slots[segment.position + row - segment.row], width = config.head_dim;
  for (std::int64_t head = 0; head < config.kv_heads; ++head) {
    const std::int64_t from = (row * config.kv_heads + head) * width, to = cache_offset(cache, head, slot, width);
    store_row(buffers.k.data() + from, width, cache.bf16, cache.keys + to);
    store_row(buffers.v.data() + from, width, cache.bf16, cache.values + to);
  }
}

struct AttendTask {
  const Segment* segment;
  std::int64_t kv_head, first, count;  // rows of the segment
};

AttendArgs attend_args(const DecoderContext& context, const AttendTask& task, AttentionBuffers& buffers,
                       const PagedCache* cache) {
  const ModelConfig& config = context.config;
  const std::int64_t q_width = config.heads * config.head_dim, kv_width = config.kv_heads * config.head_dim;
  const std::int64_t group = config.heads / config.kv_heads;
  const std::int64_t offset = (task.segment->row + task.first) * q_width + task.kv_head * group * config.head_dim;
  AttendArgs args;
  args.q = buffers.q.data() + offset;
  args.out = buffers.mixed.data() + offset;
  args.q_stride = q_width;
  args.rows = task.count * group;
  args.group = group;
  args.first_position = task.segment->position + task.first;
  if (cache == nullptr) {
    args.k = task.segment->keys + task.kv_head * config.head_dim;
    args.v = task.segment->values + task.kv_head * config.head_dim;
  } else {
    const std::int64_t head = cache_offset(*cache, task.kv_head, 0, config.head_dim);
    args.slots = task.segment->slots;
    args.paged_k = cache->keys + head;
    args.paged_v = cache->values + head;
    args.paged_bf16 = cache->bf16;
  }
  args.kv_stride = cache == nullptr ? kv_width : config.head_dim;
  args.head_dim = config.head_dim;
  args.scale = static_cast<float>(1.0 / std::sqrt(static_cast<double>(config.head_dim)));
  args.bf16 = context.bf16();
  return args;
}

// Where tasks are too few for every thread to have work: each part of their keys by itself, then what they give
// together. Decoded tokens need little memory for it, long prompts on many threads more than it is worth.
constexpr std::int64_t kMostPartFloats = std::int64_t{16} << 20;
void attend_in_parts(const DecoderContext& context, std::span<AttendArgs> tasks) {
  struct Unit {
    std::size_t task;
    std::int64_t part, at;  // at: floats from the begin of all parts
  };
  std::vector<Unit> units;
  std::vector<std::int64_t> begins;
  std::int64_t floats = 0;
  for (std::size_t i = 0; i < tasks.size(); ++i) {
    begins.push_back(floats);
    for (std::int64_t part = 0; part < attend_parts(tasks[i]); ++part) {
      units.push_back({i, part, floats});
      floats += attend_part_floats(tasks[i].rows, tasks[i].head_dim);
    }
  }
  auto* parts = reinterpret_cast<float*>(context.workspace.shared(floats * std::int64_t{sizeof(float)}));
  const KernelTable& kernels = context.compute.kernels();
  context.compute.pool().run(units.size(), [&](std::size_t i, std::size_t worker) {
    AttendArgs args = tasks[units[i].task];
    args.scratch = context.workspace.get(worker, attend_scratch_floats(args.rows, args.head_dim));
    attend_part(kernels, args, units[i].part, parts + units[i].at);
  });
  context.compute.pool().run(tasks.size(),
                             [&](std::size_t i, std::size_t) { attend_join(kernels, tasks[i], parts + begins[i]); });
}

void mix(const DecoderContext& context, std::span<const Segment> segments, AttentionBuffers& buffers,
         const PagedCache* cache) {
  const ModelConfig& config = context.config;
  const KernelTable& kernels = context.compute.kernels();
  const std::int64_t block = std::max<std::int64_t>(kernels.attend_rows / (config.heads / config.kv_heads), 1);
  std::vector<AttendArgs> tasks;
  std::int64_t part_floats = 0;
  bool in_parts = false;
  for (const Segment& segment : segments)
    for (std::int64_t head = 0; head < config.kv_heads; ++head)
      for (std::int64_t first = 0; first < segment.count; first += block) {
        const AttendTask task = {&segment, head, first, std::min(block, segment.count - first)};
        tasks.push_back(attend_args(context, task, buffers, cache));
        const std::int64_t parts = attend_parts(tasks.back());
        in_parts |= parts > 1;
        part_floats += parts * attend_part_floats(tasks.back().rows, config.head_dim);
      }
  const bool few = tasks.size() < 2 * context.compute.pool().size() && part_floats <= kMostPartFloats;
  if (in_parts && few && kernels.attend == nullptr) return attend_in_parts(context, tasks);
  context.compute.pool().run(tasks.size(), [&](std::size_t i, std::size_t worker) {
    tasks[i].scratch = context.workspace.get(worker, attend_scratch_floats(tasks[i].rows, tasks[i].head_dim));
    attend(kernels, tasks[i]);
  });
}

}  // namespace

std::uint64_t AttentionBuffers::bytes_per_row(const ModelConfig& config) {
  const std::int64_t q_width = config.heads * config.head_dim;
  const std::int64_t packed = std::max(config.hidden, q_width) + 256;  // inputs as linear() packs them
  const std::int64_t floats = config.hidden + 2 * q_width + config.rotary_dim + packed;
  return static_cast<std::uint64_t>(floats) * sizeof(float);
}

void AttentionBuffers::grow(const ModelConfig& config, std::int64_t rows, bool paged) {
  normed.grow(rows * config.hidden);
  for (FloatBuffer* queries : {&q, &mixed}) queries->grow(rows * config.heads * config.head_dim);
  for (FloatBuffer* angles : {&cos, &sin}) angles->grow(rows * config.rotary_dim / 2);
  if (!paged) return;
  for (FloatBuffer* keys : {&k, &v}) keys->grow(rows * config.kv_heads * config.head_dim);
}

void attention_block(const DecoderContext& context, const LayerWeights& weights, std::span<const Segment> segments,
                     float* hidden, std::int64_t rows, AttentionBuffers& buffers, const PagedCache* cache) {
  const ModelConfig& config = context.config;
  const KernelTable& kernels = context.compute.kernels();
  ThreadPool& pool = context.compute.pool();
  const std::int64_t q_width = config.heads * config.head_dim, kv_width = config.kv_heads * config.head_dim;
  const auto eps = static_cast<float>(config.rms_eps);
  const auto n = static_cast<std::size_t>(rows);
  float* normed = buffers.normed.data();
  OpTimer qkv_timer(context.profile, Op::kQkv);
  pool.run(
      n,
      [&](std::size_t i, std::size_t) {
        const std::int64_t at = static_cast<std::int64_t>(i) * config.hidden;
        kernels.rms_norm(hidden + at, weights.input_norm.data(), config.hidden, eps, context.bf16(), normed + at);
      },
      16);

  std::vector<LinearJob> jobs = {{&weights.q, normed, rows, config.hidden, buffers.q.data(), q_width}};
  if (cache == nullptr) {
    add_projections(jobs, weights.k, segments, &Segment::keys, normed, config.hidden, kv_width);
    add_projections(jobs, weights.v, segments, &Segment::values, normed, config.hidden, kv_width);
  } else {
    jobs.push_back({&weights.k, normed, rows, config.hidden, buffers.k.data(), kv_width});
    jobs.push_back({&weights.v, normed, rows, config.hidden, buffers.v.data(), kv_width});
  }
  linear(context.compute, context.workspace, jobs, {.bf16 = context.bf16()});
  qkv_timer.stop();

  OpTimer rotary_timer(context.profile, Op::kRotary);
  fill_rotary(context, segments, buffers);
  std::vector<const Segment*> segment_of(n);
  for (const Segment& segment : segments) std::fill_n(segment_of.begin() + segment.row, segment.count, &segment);
  pool.run(
      n,
      [&](std::size_t i, std::size_t) {
        const auto row = static_cast<std::int64_t>(i);
        const Segment& segment = *segment_of[i];
        float* k = cache == nullptr ? segment.keys + (segment.position + row - segment.row) * kv_width
                                    : buffers.k.data() + row * kv_width;
        normalize_and_rotate(context, weights, row, k, buffers);
        if (cache != nullptr) store_in_cache(*cache, segment, row, config, buffers);
      },
      16);
  rotary_timer.stop();
  OpTimer attend_timer(context.profile, Op::kAttend);
  mix(context, segments, buffers, cache);
  attend_timer.stop();

  const OpTimer output_timer(context.profile, Op::kOutput);
  const LinearJob out = {&weights.o, buffers.mixed.data(), rows, q_width, normed, config.hidden};
  linear(context.compute, context.workspace, {&out, 1}, {.bf16 = context.bf16()});
  pool.run(
      n,
      [&](std::size_t i, std::size_t) {
        const std::int64_t at = static_cast<std::int64_t>(i) * config.hidden;
        kernels.add(hidden + at, normed + at, config.hidden, context.bf16());
      },
      16);
}

}  // namespace tetrad
