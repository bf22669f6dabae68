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
  const std::int64_t fit = std::max<std::int64_t>(kPanelFloats / padded(job.weight->cols), 1);
  const std::int64_t share = job.weight->rows / static_cast<std::int64_t>(4 * threads) + 1;
  const std::int64_t rows = std::min({fit, std::max<std::int64_t>(share, 48), std::int64_t{192}});
  return rows >= 12 ? rows / 12 * 12 : rows;
}

struct Tile {
  const LinearJob* job;
  std::int64_t row, rows;
};

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

float* Workspace::get(std::size_t worker, std::int64_t floats) {
  Buffer& buffer = buffers_[worker];
  if (buffer.size < floats) {
    buffer.data.reset();
    buffer.data.reset(static_cast<float*>(
        ::operator new[](static_cast<std::size_t>(floats) * sizeof(float), std::align_val_t{kAlignment})));
    buffer.size = floats;
  }
  return buffer.data.get();
}

void linear(const Compute& compute, Workspace& workspace, std::span<const LinearJob> jobs, bool bf16) {
  std::vector<Tile> tiles;
  for (const LinearJob& job : jobs) {
    if (job.m == 0) continue;
    const std::int64_t rows = tile_rows(job, compute.pool().size());
    for (std::int64_t row = 0; row < job.weight->rows; row += rows)
      tiles.push_back({&job, row, std::min(rows, job.weight->rows - row)});
  }
  compute.pool().run(tiles.size(), [&](std::size_t i, std::size_t worker) {
    run_tile(compute.kernels(), tiles[i], workspace, worker, bf16);
  });
}

}  // namespace tetrad
