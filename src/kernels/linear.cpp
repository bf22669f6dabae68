#include "kernels/linear.h"

#include <algorithm>
#include <cstring>
#include <new>

namespace tetrad {
namespace {

constexpr std::int64_t kPanelFloats =
    160 * 1024;  // 640 KiB of decoded weights: most of a 1 MiB L2; x is read once a panel
constexpr std::int64_t kAlignment = 64;

std::int64_t padded(std::int64_t cols) { return (cols + 15) / 16 * 16; }

bool direct(const LinearJob& job) {
  const WeightView& w = *job.weight;
  return job.m <= kMaxDirectRows && w.cols % 16 == 0 && (w.format != WeightFormat::kFp8Block || w.block_cols % 16 == 0);
}

// Weight rows a task takes: as many as the panel holds, fewer when that leaves threads without work; a multiple of 12
// fills the register blocks.
std::int64_t tile_rows(const LinearJob& job, std::size_t threads) {
  const bool words = job.weight->format == WeightFormat::kNvfp4;
  const std::int64_t row = words ? nvfp4_groups(job.weight->cols) * kNvfp4WordBytes / 4 : padded(job.weight->cols);
  const std::int64_t fit = std::max<std::int64_t>(kPanelFloats / row, 1);
  const std::int64_t share = job.weight->rows / static_cast<std::int64_t>(4 * threads) + 1;
  const std::int64_t rows = std::min({fit, std::max<std::int64_t>(share, 48), std::int64_t{192}});
  return rows >= 12 ? rows / 12 * 12 : rows;
}

// The packed rows of an NVFP4 job's x; jobs with the same x share them.
struct Packed {
  const LinearJob* job;
  std::int64_t offset, stride;  // bytes; stride 0: the job needs none
  bool planes;
};

struct Tile {
  const LinearJob* job;
  const Packed* packed;
  std::int64_t row, rows;
};

// Sets offsets in `packs`, one a job; returns the bytes that all need.
std::int64_t plan_packing(std::span<const LinearJob> jobs, std::vector<Packed>& packs) {
  std::int64_t bytes = 0;
  for (const LinearJob& job : jobs) {
    Packed pack{&job, 0, 0, job.m <= kMaxPlaneRows};
    if (job.weight->format == WeightFormat::kNvfp4 && job.m > 0) {
      pack.stride = nvfp4_groups(job.weight->cols) * (pack.planes ? kNvfp4PlaneBytes : kNvfp4WordBytes);
      const Packed* last = packs.empty() ? nullptr : &packs.back();
      const bool same = last != nullptr && last->job->x == job.x && last->job->m == job.m &&
                        last->job->x_stride == job.x_stride && last->stride == pack.stride;
      pack.offset = same ? last->offset : bytes;
      if (!same) bytes += job.m * pack.stride;
    }
    packs.push_back(pack);
  }
  return bytes;
}

void pack_inputs(const Compute& compute, std::span<const Packed> packs, std::byte* to) {
  struct Row {
    const Packed* pack;
    std::int64_t row;
  };
  std::vector<Row> rows;
  std::int64_t end = -1;  // what lies before it is packed already
  for (const Packed& pack : packs) {
    if (pack.stride == 0 || pack.offset < end) continue;
    for (std::int64_t i = 0; i < pack.job->m; ++i) rows.push_back({&pack, i});
    end = pack.offset + pack.job->m * pack.stride;
  }
  compute.pool().run(
      rows.size(),
      [&](std::size_t i, std::size_t) {
        const auto [pack, row] = rows[i];
        const LinearJob& job = *pack->job;
        compute.kernels().pack_nvfp4_row(job.x + row * job.x_stride, job.weight->cols, pack->planes,
                                         to + pack->offset + row * pack->stride);
      },
      4);
}

void run_nvfp4_tile(const KernelTable& kernels, const Tile& tile, const std::byte* packed, Workspace& workspace,
                    std::size_t worker, bool bf16) {
  const LinearJob& job = *tile.job;
  const RawWeight weight = raw_weight(*job.weight);
  Nvfp4Args args;
  args.x = packed + tile.packed->offset;
  args.x_stride = tile.packed->stride;
  args.m = job.m;
  args.n = tile.rows;
  args.y = job.y + tile.row;
  args.y_stride = job.y_stride;
  args.factor = nvfp4_factor(weight);
  args.bf16 = bf16;
  if (tile.packed->planes) return kernels.multiply_nvfp4(weight, tile.row, args);
  auto* panel = reinterpret_cast<std::byte*>(workspace.get(worker, tile.rows * tile.packed->stride / 4));
  kernels.decode_nvfp4_panel(weight, tile.row, tile.rows, panel);
  args.panel = panel;
  kernels.multiply_nvfp4_panel(weight.cols, args);
}

void run_tile(const KernelTable& kernels, const Tile& tile, Workspace& workspace, std::size_t worker, bool bf16) {
  const LinearJob& job = *tile.job;
  const RawWeight weight = raw_weight(*job.weight);
  MultiplyArgs args;
  args.x = job.x;
  args.x_stride = job.x_stride;
  args.m = job.m;
  args.n = tile.rows;
  args.y = job.y + tile.row;
  args.y_stride = job.y_stride;
  args.bf16 = bf16;
  if (direct(job)) return kernels.multiply_stored(weight, tile.row, args);

  const std::int64_t k = padded(weight.cols);
  constexpr std::int64_t kPadRows = 64;  // rows of x copied at a time where k needs padding
  const std::int64_t stride = k + 16;    // rows that are 4096 bytes apart would share their L1 sets
  float* panel = workspace.get(worker, tile.rows * stride + (k != weight.cols ? kPadRows * k : 0));
  kernels.decode_rows(weight, tile.row, tile.rows, panel, stride);
  args.w = panel;
  args.w_stride = stride;
  args.k = k;
  if (k == weight.cols) return kernels.multiply(args);

  float* copy = panel + tile.rows * stride;
  for (std::int64_t begin = 0; begin < job.m; begin += kPadRows) {
    args.m = std::min(kPadRows, job.m - begin);
    for (std::int64_t i = 0; i < args.m; ++i) {
      std::memcpy(copy + i * k, job.x + (begin + i) * job.x_stride,
                  static_cast<std::size_t>(weight.cols) * sizeof(float));
      std::fill(copy + i * k + weight.cols, copy + (i + 1) * k, 0.0F);
    }
    args.x = copy;
    args.x_stride = k;
    args.y = job.y + begin * job.y_stride + tile.row;
    kernels.multiply(args);
  }
}

}  // namespace

void Workspace::Free::operator()(float* p) const { ::operator delete[](p, std::align_val_t{kAlignment}); }

float* Workspace::grow(Buffer& buffer, std::int64_t floats) {
  if (buffer.size < floats) {
    buffer.data.reset();
    buffer.data.reset(static_cast<float*>(
        ::operator new[](static_cast<std::size_t>(floats) * sizeof(float), std::align_val_t{kAlignment})));
    buffer.size = floats;
  }
  return buffer.data.get();
}

float* Workspace::get(std::size_t worker, std::int64_t floats) { return grow(buffers_[worker], floats); }
std::byte* Workspace::shared(std::int64_t bytes) {
  return reinterpret_cast<std::byte*>(grow(shared_, (bytes + 3) / 4));
}

void linear(const Compute& compute, Workspace& workspace, std::span<const LinearJob> jobs, bool bf16) {
  std::vector<Packed> packs;
  std::byte* packed = nullptr;
  if (compute.kernels().multiply_nvfp4 != nullptr) {
    packs.reserve(jobs.size());
    if (const std::int64_t bytes = plan_packing(jobs, packs); bytes > 0) {
      packed = workspace.shared(bytes);
      pack_inputs(compute, packs, packed);
    }
  }
  std::vector<Tile> tiles;
  for (std::size_t j = 0; j < jobs.size(); ++j) {
    const LinearJob& job = jobs[j];
    if (job.m == 0) continue;
    const std::int64_t rows = tile_rows(job, compute.pool().size());
    const Packed* pack = !packs.empty() && packs[j].stride > 0 ? &packs[j] : nullptr;
    for (std::int64_t row = 0; row < job.weight->rows; row += rows)
      tiles.push_back({&job, pack, row, std::min(rows, job.weight->rows - row)});
  }
  compute.pool().run(tiles.size(), [&](std::size_t i, std::size_t worker) {
    if (tiles[i].packed != nullptr)
      run_nvfp4_tile(compute.kernels(), tiles[i], packed, workspace, worker, bf16);
    else
      run_tile(compute.kernels(), tiles[i], workspace, worker, bf16);
  });
}

}  // namespace tetrad
