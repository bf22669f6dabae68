// What a Checkpoint holds. Private to checkpoint/: checkpoint.cpp fills it, stored_weight.cpp reads it.
#pragma once

#include <map>
#include <mutex>
#include <nlohmann/json.hpp>
#include <unordered_map>

#include "checkpoint/checkpoint.h"
#include "checkpoint/safetensors_file.h"

namespace tetrad {

struct Checkpoint::Impl {
  std::filesystem::path directory;
  Json config;
  std::vector<std::filesystem::path> shards;
  std::vector<SafetensorsFile> files;  // of each shard
  std::vector<Entry> entries;
  std::unordered_map<std::string, std::size_t> names;  // -> entries
  std::vector<std::string> indexed;

  // BF16 scales widened to F32, by tensor name. The vectors never change once they are in the map, so spans of them
  // hold.
  mutable std::mutex widened_mutex;
  mutable std::map<std::string, std::vector<float>> widened;
};

}  // namespace tetrad
