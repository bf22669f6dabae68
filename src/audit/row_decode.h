// The values of stored weights, one row at a time and one value at a time: an independent, simple decoder, so that
// checking a checkpoint does not rely on the kernels that made it. Private to audit/.
#pragma once

#include <span>

#include "tensor/tensor_view.h"
#include "tensor/weight_view.h"

namespace tetrad {

// Row `row` of `weight` as F32 into out[0, cols), as tensor/weight_view.h defines the values.
void decode_row(const WeightView& weight, std::int64_t row, std::span<float> out);

// Elements [begin, begin + out.size()) of a tensor of any floating type.
void decode_elements(const TensorView& view, std::int64_t begin, std::span<float> out);

}  // namespace tetrad
