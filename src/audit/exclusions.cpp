#include "audit/exclusions.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>

namespace tetrad {
namespace {

Json quantization_of(const Json& config) {
  for (const char* key : {"quantization_config", "compression_config"})
    if (const auto found = config.find(key); found != config.end() && found->is_object()) return *found;
  return Json::object();
}

std::vector<std::string> strings_of(const Json& object, const char* key) {
  std::vector<std::string> list;
  const auto found = object.find(key);
  if (found == object.end() || !found->is_array()) return list;
  for (const Json& value : *found)
    if (value.is_string()) list.push_back(value.get<std::string>());
  return list;
}

// compressed-tensors' "re:..." as a pattern with stars, for the expressions in use (".*" and escaped dots); empty when
// it is more than that.
std::string glob_of_regex(std::string_view expression) {
  std::string glob;
  for (std::size_t i = 0; i < expression.size(); ++i) {
    if (expression.substr(i, 2) == ".*")
      glob += '*', ++i;
    else if (expression.substr(i, 2) == "\\.")
      glob += '.', ++i;
    else if ((expression[i] == '^' && i == 0) || (expression[i] == '$' && i + 1 == expression.size()))
      continue;
    else if (std::string_view("[](){}|+?\\^$*").find(expression[i]) != std::string_view::npos)
      return {};
    else
      glob += expression[i];
  }
  return glob;
}

// FP8's names match a whole name, its end, or a dotted part in the middle ("gate" is no part of "gate_proj").
bool name_matches(const std::string& module, const std::string& name) {
  return module == name || module.ends_with("." + name) || module.starts_with(name + ".") ||
         module.find("." + name + ".") != std::string::npos;
}

std::string text_of(const Json& object, const char* key) {
  const auto found = object.find(key);
  return found == object.end() || found->is_null()
             ? "none"
             : printable(found->is_string() ? found->get<std::string>() : found->dump(), 60);
}

}  // namespace

bool glob_matches(std::string_view pattern, std::string_view text) {
  std::size_t p = 0, t = 0, star = std::string_view::npos, mark = 0;
  while (t < text.size()) {
    if (p < pattern.size() && pattern[p] == '*') {
      star = p++;
      mark = t;
    } else if (p < pattern.size() && pattern[p] == text[t]) {
      ++p, ++t;
    } else if (star != std::string_view::npos) {
      p = star + 1;
      t = ++mark;
    } else {
      return false;
    }
  }
  return pattern.find_first_not_of('*', p) == std::string_view::npos;
}

Exclusions::Exclusions(const ModelConfig& config, const Json& json) : format_(config.stored) {
  const Json quantization = quantization_of(json);
  patterns_ = strings_of(quantization, format_ == StoredFormat::kFp8Block ? "modules_to_not_convert" : "ignore");
  if (format_ == StoredFormat::kNvfp4ModelOpt)
    for (std::string& name : strings_of(quantization, "exclude_modules")) patterns_.push_back(std::move(name));
  for (std::string& pattern : patterns_) {
    if (!pattern.starts_with("re:")) continue;
    pattern = glob_of_regex(std::string_view(pattern).substr(3));
    unknown_patterns_ = unknown_patterns_ || pattern.empty();
  }
}

// As SGLang matches: the whole name, or any one of its dotted parts.
bool Exclusions::excludes(const std::string& module) const {
  return std::any_of(patterns_.begin(), patterns_.end(), [&](const std::string& pattern) {
    if (format_ == StoredFormat::kFp8Block) return name_matches(module, pattern);
    if (glob_matches(pattern, module)) return true;
    if (pattern.find('.') != std::string::npos) return false;
    for (std::size_t at = 0; at <= module.size();) {
      const std::size_t end = std::min(module.find('.', at), module.size());
      if (glob_matches(pattern, std::string_view(module).substr(at, end - at))) return true;
      at = end + 1;
    }
    return false;
  });
}

void Exclusions::check(const std::string& module, StoredAs stored, const std::string& dtype,
                       std::vector<Fault>& faults) const {
  if (stored == StoredAs::kMissing || stored == StoredAs::kUnknown || unknown_patterns_) return;
  const bool quantized = stored != StoredAs::kPlain;
  if (format_ == StoredFormat::kPlain) {
    if (quantized)
      faults.push_back({module, fmt::format("stored in {}, but config.json has no quantization_config", dtype)});
    return;
  }
  const char* list = format_ == StoredFormat::kFp8Block ? "modules_to_not_convert" : "the exclude list";
  const bool excluded = excludes(module);
  if (quantized && excluded)
    faults.push_back({module, fmt::format("quantized ({}), but {} of config.json names it", dtype, list)});
  if (!quantized && !excluded)
    faults.push_back({module, fmt::format("stored in {}, but {} of config.json does not name it", dtype, list)});
  const StoredAs promised = format_ == StoredFormat::kFp8Block ? StoredAs::kFp8 : StoredAs::kNvfp4;
  if (quantized && !excluded && stored != promised)
    faults.push_back({module, fmt::format("stored in {}, which is not what quantization_config says", dtype)});
}

void check_quant_config(const Checkpoint& checkpoint, const ModelConfig& config, std::vector<Fault>& faults) {
  const std::filesystem::path path = checkpoint.directory() / "hf_quant_config.json";
  std::error_code failed;
  if (!std::filesystem::exists(path, failed)) return;
  const std::string where = path.filename().string();
  const auto read = read_json_file(path);
  if (!read) {
    faults.push_back({where, read.error().message});
    return;
  }
  const auto found = read->is_object() ? read->find("quantization") : read->end();
  if (!read->is_object() || found == read->end() || !found->is_object()) {
    faults.push_back({where, "it has no object \"quantization\""});
    return;
  }
  if (config.stored != StoredFormat::kNvfp4ModelOpt) {
    faults.push_back({where, fmt::format("it says {}, but config.json has no quantization_config of ModelOpt",
                                         text_of(*found, "quant_algo"))});
    return;
  }
  const Json quantization = quantization_of(checkpoint.config());
  if (text_of(*found, "quant_algo") != text_of(quantization, "quant_algo"))
    faults.push_back({where, fmt::format("quant_algo is {}, in config.json {}", text_of(*found, "quant_algo"),
                                         text_of(quantization, "quant_algo"))});
  if (const auto size = found->find("group_size"); size != found->end() && *size != 16)
    faults.push_back({where, fmt::format("group_size is {}, NVFP4 has 16", text_of(*found, "group_size"))});
  const bool fp8_cache = text_of(*found, "kv_cache_quant_algo") != "none",
             fp8_scheme = text_of(quantization, "kv_cache_scheme") != "none";
  if (fp8_cache != fp8_scheme)
    faults.push_back(
        {where, fmt::format("kv_cache_quant_algo is {}, but kv_cache_scheme in config.json is {}",
                            text_of(*found, "kv_cache_quant_algo"), text_of(quantization, "kv_cache_scheme"))});
  const auto listed = strings_of(*found, "exclude_modules"), ignored = strings_of(quantization, "ignore");
  const std::set<std::string> a(listed.begin(), listed.end()), b(ignored.begin(), ignored.end());
  for (const std::string& name : a)
    if (!b.contains(name))
      faults.push_back(
          {where, fmt::format("exclude_modules names {}, ignore in config.json does not", printable(name))});
  for (const std::string& name : b)
    if (!a.contains(name))
      faults.push_back(
          {where, fmt::format("exclude_modules does not name {}, ignore in config.json does", printable(name))});
}

}  // namespace tetrad
