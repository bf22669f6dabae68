// What `tetrad quantize` is asked to do; a direct image of its flags.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "calib/calibration_set.h"
#include "model/layer_stream.h"
#include "quant/quantizer.h"

namespace tetrad {

struct QuantizeOptions {
  std::filesystem::path source, destination;
  std::string recipe = "nvfp4-experts";  // the only recipe so far
  Algorithm algorithm = Algorithm::kMse;
  CalibrationOptions calibration;  // no files and no ids: no calibration, input_scale becomes 1
  Precision calibration_precision = Precision::kF32;
  bool input_scale_per_expert = false;  // ModelOpt shares one a layer and projection
  std::uint64_t memory_limit = 0;       // bytes; 0: half of the machine's memory
  std::uint64_t shard_size = 10'000'000'000;
  bool resume = false, overwrite = false;
};

}  // namespace tetrad
