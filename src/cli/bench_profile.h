// `tetrad bench --profile`: where the passes of one measurement spent their time, as text and as JSON.
#pragma once

#include <cstdint>
#include <string>

#include "base/json.h"
#include "model/op_profile.h"

namespace tetrad {

struct PassProfile {
  std::string name;  // "prefill 512", "decode 1"
  std::int64_t passes = 0;
  OpProfile times;
};

std::string profile_text(const PassProfile& profile);
Json profile_json(const PassProfile& profile);

}  // namespace tetrad
