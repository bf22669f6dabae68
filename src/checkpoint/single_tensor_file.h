// One tensor as a safetensors file, written piece by piece in order beside its final name and renamed when whole. Used
// by `tetrad logits`.
#pragma once

#include <filesystem>
#include <functional>

#include "checkpoint/safetensors_writer.h"

namespace tetrad {

using TensorSink = std::function<Status(std::span<const std::byte>)>;

// `produce` hands the tensor's bytes to the sink in order; giving more or fewer than its shape holds is a bug. An
// existing file is an error unless `overwrite`; whatever fails, nothing half-written is left behind.
Status write_single_tensor_file(const std::filesystem::path& path, const TensorSpec& tensor, bool overwrite,
                                const std::function<Status(const TensorSink&)>& produce);

}  // namespace tetrad
