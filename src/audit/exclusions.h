// What the configuration says about which modules are quantized: quantization_config of config.json and
// hf_quant_config.json. Private to audit/.
#pragma once

#include <string>
#include <vector>

#include "audit/module_check.h"

namespace tetrad {

class Exclusions {
 public:
  // Lists of the config's own form: ModelOpt's and compressed-tensors' `ignore` (patterns), FP8's
  // modules_to_not_convert (names).
  Exclusions(const ModelConfig& config, const Json& json);

  // A fault when the module is stored otherwise than the configuration says. `dtype` for the message.
  void check(const std::string& module, StoredAs stored, const std::string& dtype, std::vector<Fault>& faults) const;
  bool excludes(const std::string& module) const;

 private:
  StoredFormat format_;
  std::vector<std::string> patterns_;
  bool unknown_patterns_ = false;  // regular expressions beyond what is understood here: nothing is said then
};

// Faults between config.json and hf_quant_config.json, when that is there.
void check_quant_config(const Checkpoint& checkpoint, const ModelConfig& config, std::vector<Fault>& faults);

// `pattern` with * for any text, against all of `text`. Linear in time for each *.
bool glob_matches(std::string_view pattern, std::string_view text);

}  // namespace tetrad
