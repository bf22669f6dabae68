#include "kernels/linear.h"

#include <unistd.h>

#include <algorithm>
#include <cstring>

namespace tetrad {
namespace {

constexpr std::int64_t kPanelFloats =
    160 * 1024;  // 640 KiB of decoded weights: most of a 1 MiB L2; x is read once a panel
// Of weights that are read as they are stored, and of those that are packed for a matrix unit's panels.
constexpr std::int64_t kMaxTaskRows = 384, kMaxPanelTaskRows = 192;

constexpr std::int64_t kStreamedRows = 4;  // rows of x for which reading the weight takes longer than products
constexpr std::int64_t kLeastTaskBytes = 192 * 1024;  // then: shorter streams cost more than they balance

std::int64_t padded(std::int64_t cols) { return (cols + 15) / 16 * 16; }
std::int64_t spread_stride(std::int64_t cols) { return padded(cols) + 16; }

bool direct(const KernelTable& kernels, const LinearJob& job) {
  const WeightView& w = *job.weight;
  const bool fp8 = w.format == WeightFormat::kFp8Block;
  if (fp8 && w.block_cols % 16 != 0) return false;
  return job.m <= (fp8 ? kernels.max_direct_fp8_rows : kernels.max_direct_rows) && w.cols % 16 == 0;
}

// How a job's x is laid out before the product.
enum class Packing {
  kNone,
  kSpread,      // rows apart by no multiple of 4096 bytes: those would share their L1 sets
  kPlanes,      // NVFP4 weights, few rows
  kNvfp4Tiles,  // NVFP4 weights, many rows
  kTiles,       // all others, many rows
  kMatrix       // what a matrix unit takes
};

// What runs all jobs of a call.
struct Ways {
  const KernelTable& kernels;
  const Nvfp4Kernels& nvfp4;
};

Packing packing_of(const Ways& ways, const LinearJob& job) {
  const KernelTable& kernels = ways.kernels;
  const Nvfp4Kernels& nvfp4 = ways.nvfp4;
  const bool planes = job.weight->format == WeightFormat::kNvfp4 && job.m <= nvfp4.max_plane_rows;
  if (!planes && kernels.matrix.multiply != nullptr && kernels.matrix.takes(raw_weight(*job.weight)))
    return Packing::kMatrix;
  if (job.weight->format == WeightFormat::kNvfp4 && nvfp4.multiply != nullptr)
    return job.m <= nvfp4.max_plane_rows || nvfp4.multiply_panel == nullptr ? Packing::kPlanes : Packing::kNvfp4Tiles;
  const bool packs_bf16 = job.weight->format == WeightFormat::kBF16 && kernels.pack_bf16_w_tile != nullptr;
  if (kernels.multiply_panel != nullptr && job.m >= (packs_bf16 ? kMinBf16TileRows : kMinTileRows))
    return Packing::kTiles;
  return direct(kernels, job) && job.m > 2 ? Packing::kSpread : Packing::kNone;
}

bool packs_pairs(const KernelTable& kernels, const WeightView& w) {
  return kernels.tile_pairs && (w.format == WeightFormat::kBF16 || w.format == WeightFormat::kFp8Block);
}

std::int64_t w_tile_floats(const KernelTable& kernels, const WeightView& w) {
  return 16 * tile_class_floats(w.cols, packs_pairs(kernels, w) ? kernels.tile_lanes : kernels.tile_n);
}

// Weight rows of a panel: it takes half of L2, the rest is for x and for the rows it is made from.
std::int64_t panel_rows(const KernelTable& kernels, const WeightView& w) {
  static const std::int64_t kL2Bytes =
      std::max<std::int64_t>(::sysconf(_SC_LEVEL2_CACHE_SIZE), std::int64_t{512} << 10);
  const std::int64_t tiles = kL2Bytes / 2 / (4 * w_tile_floats(kernels, w));
  return std::clamp<std::int64_t>(tiles, 1, kernels.panel_n / kernels.tile_n) * kernels.tile_n;
}

std::int64_t matrix_rows(const LinearJob& job, std::int64_t share) {
  const std::int64_t most = job.m > 2 * kMatrixGroupRows ? kMaxPanelTaskRows : kMaxTaskRows;
  return std::clamp(share / kMatrixBlockRows * kMatrixBlockRows, kMatrixBlockRows, most);
}

// Weight rows a task takes: as many as the panel holds, not more than `share`, for every thread to have work; a
// multiple of 48 fills the register blocks of all.
std::int64_t task_rows(const Ways& ways, const LinearJob& job, Packing packing, std::int64_t share) {
  if (packing == Packing::kMatrix) return matrix_rows(job, share);
  if (packing == Packing::kTiles) return panel_rows(ways.kernels, *job.weight);
  if (packing == Packing::kNvfp4Tiles) return std::max<std::int64_t>(96 / ways.nvfp4.panel_n, 1) * ways.nvfp4.panel_n;
  // What is read as it is stored needs no room, and the longer a task, the fewer bytes that nothing has fetched ahead.
  const bool stored = packing == Packing::kPlanes || direct(ways.kernels, job);
  const std::int64_t fit = stored ? kMaxTaskRows : std::max<std::int64_t>(kPanelFloats / padded(job.weight->cols), 1);
  const std::int64_t rows = std::min({fit, std::max<std::int64_t>(share, 48), kMaxTaskRows});
  return rows >= 48 ? rows / 48 * 48 : rows;
}

// The packed rows of a job's x; jobs with the same x share them.
struct Packed {
  const LinearJob* job;
  Packing packing;
  std::int64_t offset = 0, stride = 0, unit = 1;  // bytes; stride: of `unit` rows
  bool nvfp4 = false;                             // kMatrix: the weight's format
};

struct Tile {
  const LinearJob* job;
  const Packed* packed;
  std::int64_t row, rows;
};

// Sets offsets in `packs`, one a job; returns the bytes that all need.
std::int64_t plan_packing(const Ways& ways, std::span<const LinearJob> jobs, std::vector<Packed>& packs) {
  const KernelTable& kernels = ways.kernels;
  const Nvfp4Kernels& nvfp4 = ways.nvfp4;
  std::int64_t bytes = 0;
  for (const LinearJob& job : jobs) {
    Packed pack{&job, job.m > 0 ? packing_of(ways, job) : Packing::kNone};
    if (pack.packing == Packing::kSpread) pack.stride = spread_stride(job.weight->cols) * 4;
    if (pack.packing == Packing::kPlanes) pack.stride = nvfp4.plane_bytes(job.weight->cols);
    if (pack.packing == Packing::kNvfp4Tiles) {
      pack.unit = nvfp4.tile_m;
      pack.stride = nvfp4.x_tile_bytes(job.weight->cols);
    }
    if (pack.packing == Packing::kTiles) {
      pack.unit = kernels.tile_m;
      pack.stride = 16 * tile_class_floats(job.weight->cols, kernels.tile_m) * 4;
    }
    if (pack.packing == Packing::kMatrix) {
      pack.nvfp4 = job.weight->format == WeightFormat::kNvfp4;
      pack.unit = kMatrixGroupRows;
      pack.stride = matrix_group_bytes(job.weight->cols);
    }
    if (pack.packing != Packing::kNone) {
      const Packed* last = packs.empty() ? nullptr : &packs.back();
      const bool same = last != nullptr && last->packing == pack.packing && last->job->x == job.x &&
                        last->job->m == job.m && last->job->x_stride == job.x_stride && last->stride == pack.stride &&
                        last->nvfp4 == pack.nvfp4;
      pack.offset = same ? last->offset : bytes;
      if (!same) bytes += (job.m + pack.unit - 1) / pack.unit * pack.stride;
    }
    packs.push_back(pack);
  }
  return bytes;
}

void pack_inputs(const Compute& compute, const Ways& ways, std::span<const Packed> packs, std::byte* to) {
  struct Unit {
    const Packed* pack;
    std::int64_t row;
  };
  std::vector<Unit> units;
  std::int64_t end = -1;  // what lies before it is packed already
  for (const Packed& pack : packs) {
    if (pack.packing == Packing::kNone || pack.offset < end) continue;
    for (std::int64_t row = 0; row < pack.job->m; row += pack.unit) units.push_back({&pack, row});
    end = pack.offset + (pack.job->m + pack.unit - 1) / pack.unit * pack.stride;
  }
  compute.pool().run(
      units.size(),
      [&](std::size_t i, std::size_t) {
        const auto [pack, row] = units[i];
        const LinearJob& job = *pack->job;
        const float* x = job.x + row * job.x_stride;
        std::byte* out = to + pack->offset + row / pack->unit * pack->stride;
        const std::int64_t count = std::min(pack->unit, job.m - row), cols = job.weight->cols;
        if (pack->packing == Packing::kTiles)
          ways.kernels.pack_x_tile(x, job.x_stride, count, cols, reinterpret_cast<float*>(out));
        else if (pack->packing == Packing::kNvfp4Tiles)
          ways.nvfp4.pack_x_tile(x, job.x_stride, count, cols, out);
        else if (pack->packing == Packing::kMatrix)
          ways.kernels.matrix.pack_x(x, job.x_stride, count, cols, pack->nvfp4, out);
        else if (pack->packing == Packing::kSpread)
          std::memcpy(out, x, static_cast<std::size_t>(cols) * 4);
        else
          ways.nvfp4.pack_row(x, cols, out);
      },
      units.empty() || units.front().pack->unit > 1 ? 1 : 4);
}

// What every kernel's arguments say of a task.
template <class Args>
Args args_of(const Tile& tile, bool bf16) {
  Args args;
  args.m = tile.job->m;
  args.n = tile.rows;
  args.y = tile.job->y + tile.row;
  args.y_stride = tile.job->y_stride;
  args.bf16 = bf16;
  return args;
}

// Rows of a weight with many rows of x: decoded and packed tile_n rows at a time, so that they stay in L2.
void run_packed_tile(const KernelTable& kernels, const Tile& tile, const std::byte* packed, Workspace& workspace,
                     std::size_t worker, bool bf16) {
  const LinearJob& job = *tile.job;
  const RawWeight weight = raw_weight(*job.weight);
  const std::int64_t stride = spread_stride(weight.cols), unit = kernels.tile_n;
  const std::int64_t tile_floats = w_tile_floats(kernels, *job.weight), tiles = (tile.rows + unit - 1) / unit;
  float* panel = workspace.get(worker, tiles * tile_floats + unit * stride);
  float* decoded = panel + tiles * tile_floats;
  auto args = args_of<TileArgs>(tile, bf16);
  args.x = reinterpret_cast<const float*>(packed + tile.packed->offset);
  args.w = panel;
  args.pairs = packs_pairs(kernels, *job.weight);
  args.cols = weight.cols;
  for (std::int64_t t = 0; t < tiles; ++t) {
    const std::int64_t count = std::min(unit, tile.rows - t * unit);
    if (weight.format == WeightFormat::kBF16 && kernels.pack_bf16_w_tile != nullptr) {
      kernels.pack_bf16_w_tile(weight, tile.row + t * unit, count, panel + t * tile_floats);
      continue;
    }
    kernels.decode_rows(weight, tile.row + t * unit, count, decoded, stride);
    std::fill(decoded + count * stride, decoded + unit * stride, 0.0F);
    kernels.pack_w_tile(decoded, stride, weight.cols, args.pairs, panel + t * tile_floats);
  }
  kernels.multiply_panel(args);
}

void run_nvfp4_tile(const Nvfp4Kernels& nvfp4, const Tile& tile, const std::byte* packed, Workspace& workspace,
                    std::size_t worker, bool bf16) {
  const LinearJob& job = *tile.job;
  const RawWeight weight = raw_weight(*job.weight);
  auto args = args_of<Nvfp4Args>(tile, bf16);
  args.x = packed + tile.packed->offset;
  args.x_stride = tile.packed->stride;
  args.factor = nvfp4_factor(weight);
  if (tile.packed->packing == Packing::kPlanes) return nvfp4.multiply(weight, tile.row, args);
  const std::int64_t unit = nvfp4.tile_n, tile_bytes = nvfp4.w_tile_bytes(weight.cols);
  auto* panel = reinterpret_cast<std::byte*>(workspace.get(worker, nvfp4.panel_n / unit * tile_bytes / 4));
  args.panel = panel;
  for (std::int64_t begin = 0; begin < tile.rows; begin += nvfp4.panel_n) {
    args.n = std::min(nvfp4.panel_n, tile.rows - begin);
    args.y = job.y + tile.row + begin;
    for (std::int64_t n = 0; n < args.n; n += unit)
      nvfp4.pack_w_tile(weight, tile.row + begin + n, std::min(unit, args.n - n), panel + n / unit * tile_bytes);
    nvfp4.multiply_panel(weight.cols, args);
  }
}

void run_matrix_tile(const MatrixKernels& matrix, const Tile& tile, const std::byte* packed, Workspace& workspace,
                     std::size_t worker, bool bf16) {
  const LinearJob& job = *tile.job;
  auto args = args_of<MatrixArgs>(tile, bf16);
  args.x = packed + tile.packed->offset;
  args.x_stride = tile.packed->stride;
  args.scratch = reinterpret_cast<std::byte*>(workspace.get(worker, matrix_scratch_bytes(job.m, tile.rows) / 4));
  matrix.multiply(raw_weight(*job.weight), tile.row, args);
}

void run_tile(const KernelTable& kernels, const Tile& tile, const std::byte* packed, Workspace& workspace,
              std::size_t worker, bool bf16) {
  const LinearJob& job = *tile.job;
  const RawWeight weight = raw_weight(*job.weight);
  const bool spread = tile.packed->packing == Packing::kSpread;
  auto args = args_of<MultiplyArgs>(tile, bf16);
  args.x = spread ? reinterpret_cast<const float*>(packed + tile.packed->offset) : job.x;
  args.x_stride = spread ? spread_stride(weight.cols) : job.x_stride;
  if (direct(kernels, job)) return kernels.multiply_stored(weight, tile.row, args);

  const std::int64_t k = padded(weight.cols);
  constexpr std::int64_t kPadRows = 64;  // rows of x copied at a time where k needs padding
  const std::int64_t stride = spread_stride(weight.cols);
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

// Where reading weights is what takes time, tasks become smaller towards the end: threads then stop within
// microseconds of each other.
std::vector<Tile> cut_into_tiles(const Ways& ways, std::span<const LinearJob> jobs, std::span<const Packed> packs,
                                 std::int64_t threads) {
  std::int64_t left = 0;
  for (const LinearJob& job : jobs) left += job.m > 0 ? job.weight->rows : 0;
  const std::int64_t share = left / (4 * threads) + 1;
  std::vector<Tile> tiles;
  for (std::size_t j = 0; j < jobs.size(); ++j) {
    const LinearJob& job = jobs[j];
    if (job.m == 0 || job.weight->rows == 0) continue;
    const std::int64_t row_bytes = static_cast<std::int64_t>(job.weight->bytes()) / job.weight->rows + 1;
    const std::int64_t least = std::min(share, kLeastTaskBytes / row_bytes + 1);
    for (std::int64_t row = 0, rows = 0; row < job.weight->rows; row += rows) {
      const std::int64_t most = job.m <= kStreamedRows ? std::max(left / (2 * threads), least) : share;
      rows = std::min(task_rows(ways, job, packs[j].packing, most), job.weight->rows - row);
      tiles.push_back({&job, &packs[j], row, rows});
      left -= rows;
    }
  }
  return tiles;
}

}  // namespace

void linear(const Compute& compute, Workspace& workspace, std::span<const LinearJob> jobs,
            const LinearOptions& options) {
  const KernelTable& kernels = compute.kernels();
  const Nvfp4Kernels& nvfp4 = options.int8 ? kernels.nvfp4_int8 : kernels.nvfp4;
  const bool bf16 = options.bf16;
  const Ways ways = {kernels, nvfp4};
  std::vector<Packed> packs;
  packs.reserve(jobs.size());
  std::byte* packed = nullptr;
  if (const std::int64_t bytes = plan_packing(ways, jobs, packs); bytes > 0) {
    packed = workspace.shared(bytes);
    pack_inputs(compute, ways, packs, packed);
  }
  const std::vector<Tile> tiles = cut_into_tiles(ways, jobs, packs, static_cast<std::int64_t>(compute.pool().size()));
  compute.pool().run(tiles.size(), [&](std::size_t i, std::size_t worker) {
    const Tile& tile = tiles[i];
    const Packing packing = tile.packed->packing;
    if (packing == Packing::kNone || packing == Packing::kSpread)
      run_tile(kernels, tile, packed, workspace, worker, bf16);
    else if (packing == Packing::kMatrix)
      run_matrix_tile(kernels.matrix, tile, packed, workspace, worker, bf16);
    else if (packing == Packing::kTiles)
      run_packed_tile(kernels, tile, packed, workspace, worker, bf16);
    else
      run_nvfp4_tile(nvfp4, tile, packed, workspace, worker, bf16);
  });
}

}  // namespace tetrad
