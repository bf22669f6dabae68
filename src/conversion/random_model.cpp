#include "conversion/random_model.h"

#include <fmt/format.h>

#include <chrono>
#include <mutex>
#include <nlohmann/json.hpp>

#include "base/interrupt.h"
#include "base/log.h"
#include "base/units.h"
#include "conversion/carried_files.h"
#include "conversion/random_config.h"
#include "conversion/random_weights.h"
#include "conversion/workplace.h"
#include "quant/quant_config.h"

namespace tetrad {
namespace fs = std::filesystem;
namespace {

// A piece is what one thread writes at a time; a batch what all of them write between two looks at the progress bar.
constexpr std::uint64_t kPieceBytes = 4 << 20, kBatchBytes = 256 << 20;
constexpr std::size_t kBatchPieces = 4096;  // most tensors of a small model, and all scales, are tiny

struct Piece {
  std::size_t tensor;
  std::uint64_t offset, bytes;
};

Status write_piece(SafetensorsWriter& writer, const RandomTensor& tensor, const Piece& piece) {
  if (tensor.ring == nullptr) return writer.write(piece.tensor, 0, std::as_bytes(std::span(&tensor.scalar, 1)));
  const std::uint64_t end = piece.offset + piece.bytes;
  for (std::uint64_t at = piece.offset; at < end;) {
    const auto part = tensor.ring->piece(tensor.start, at, end - at);
    TETRAD_TRY(writer.write(piece.tensor, at, part));
    at += part.size();
  }
  return {};
}

class WeightWriter {
 public:
  WeightWriter(SafetensorsWriter& writer, const RandomWeights& weights, ThreadPool& threads)
      : writer_(writer), weights_(weights), threads_(threads), progress_("writing", writer.layout().total_bytes()) {}

  Status run() {
    for (std::size_t i = 0; i < weights_.specs.size(); ++i) {
      const std::uint64_t bytes = weights_.specs[i].bytes();
      for (std::uint64_t at = 0; at < bytes; at += kPieceBytes) {
        pieces_.push_back({i, at, std::min(kPieceBytes, bytes - at)});
        waiting_ += pieces_.back().bytes;
        if (waiting_ >= kBatchBytes || pieces_.size() >= kBatchPieces) TETRAD_TRY(write_batch());
      }
    }
    return write_batch();
  }

 private:
  Status write_batch() {
    TETRAD_TRY(check_interrupt());
    std::mutex mutex;
    Status first;
    threads_.run(pieces_.size(), [&](std::size_t i, std::size_t) {
      Status status = write_piece(writer_, weights_.tensors[pieces_[i].tensor], pieces_[i]);
      if (status) return;
      const std::lock_guard lock(mutex);
      if (first) first = std::move(status);
    });
    written_ += waiting_;
    waiting_ = 0;
    pieces_.clear();
    progress_.advance(written_, format_bytes(written_));
    return first;
  }

  SafetensorsWriter& writer_;
  const RandomWeights& weights_;
  ThreadPool& threads_;
  Progress progress_;
  std::vector<Piece> pieces_;
  std::uint64_t waiting_ = 0, written_ = 0;
};

// Of a tokenizer's directory only what has to do with text.
Result<std::vector<std::string>> text_files(const fs::path& directory) {
  std::vector<std::string> names = TETRAD_TRY(list_carried_files(directory));
  std::erase_if(names, [](const std::string& name) {
    for (const char* known : {"tokenizer.json", "tokenizer_config.json", "chat_template.jinja", "chat_template.json",
                              "special_tokens_map.json", "added_tokens.json", "generation_config.json"})
      if (name == known) return false;
    return true;
  });
  return names;
}

// Before anything is reserved: to fill a disk up and then say so would trouble whoever else writes there.
Status check_space(const fs::path& destination, std::uint64_t bytes) {
  std::error_code unknown;
  fs::path parent = fs::absolute(destination).lexically_normal().parent_path();
  while (!fs::exists(parent, unknown) && parent.has_relative_path()) parent = parent.parent_path();
  const fs::space_info space = fs::space(parent, unknown);
  if (unknown || space.available >= bytes) return {};
  return make_error(ErrorCode::kIo, "not enough space", parent.string(),
                    fmt::format("the model has {}, {} are free", format_bytes(bytes), format_bytes(space.available)),
                    "choose fewer --layers or --experts, or another directory");
}

Status write_configs(const RandomModelOptions& options, const Json& json, const ModelConfig& config,
                     const fs::path& directory) {
  if (!options.tokenizer.empty()) {
    const auto names = TETRAD_TRY(text_files(options.tokenizer));
    TETRAD_TRY(copy_carried_files(options.tokenizer, directory, names));
  }
  if (options.format != StoredFormat::kNvfp4ModelOpt)
    return write_file_atomically(directory / "config.json", json.dump(4) + "\n");
  const QuantConfigs configs = make_quant_configs(json, config, 0);
  TETRAD_TRY(write_file_atomically(directory / "config.json", configs.config_json));
  return write_file_atomically(directory / "hf_quant_config.json", configs.hf_quant_config_json);
}

Status write_model(const RandomModelOptions& options, const Json& json, const RandomModelResult& result,
                   const RandomWeights& weights, ShardLayout layout, ThreadPool& threads) {
  Workplace place = TETRAD_TRY(Workplace::open(options.destination, false, options.overwrite, false));
  const auto work = [&]() -> Status {
    auto writer = TETRAD_TRY(SafetensorsWriter::open(place.checkpoint(), std::move(layout), false));
    TETRAD_TRY(WeightWriter(writer, weights, threads).run());
    TETRAD_TRY(write_configs(options, json, result.config, place.checkpoint()));
    return writer.finish();
  };
  const Status status = work();
  if (status) return place.publish();
  // Nobody can continue it, and it may be as large as the disk.
  TETRAD_TRY(place.abandon());
  return status;
}

}  // namespace

Result<RandomModelResult> make_random_model(const RandomModelOptions& options, ThreadPool& threads) {
  const auto start = std::chrono::steady_clock::now();
  if (options.shard_size == 0)
    return make_error(ErrorCode::kUsage, "wrong --shard-size", "0", "a shard of 0 bytes holds nothing");
  const Json json = TETRAD_TRY(random_config(options));
  RandomModelResult result;
  result.config = TETRAD_TRY(ModelConfig::parse(json, "config.json"));
  result.config.stored = options.format;
  ValuePool pool(options.seed, threads);
  const RandomWeights weights = random_weights(result.config, options.seed, pool);
  const ShardLayout layout = TETRAD_TRY(ShardLayout::plan(weights.specs, options.shard_size));
  TETRAD_TRY(check_space(options.destination, layout.total_bytes()));
  TETRAD_TRY(write_model(options, json, result, weights, layout, threads));
  result.destination = options.destination.string();
  result.like = options.like;
  result.format = random_format_name(options.format);
  result.seed = options.seed;
  result.tensors = weights.specs.size();
  result.parameters = weights.parameters;
  result.shards = layout.shards();
  result.bytes = layout.total_bytes();
  result.peak_rss_bytes = peak_resident_bytes();
  result.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  return result;
}

Json to_json(const RandomModelResult& r) {
  Json json;
  json["destination"] = r.destination;
  json["like"] = r.like;
  json["format"] = r.format;
  json["seed"] = r.seed;
  json["layers"] = r.config.layers;
  json["experts"] = r.config.experts;
  json["vocab"] = r.config.vocab;
  json["parameters"] = r.parameters;
  json["tensors"] = r.tensors;
  json["shards"] = r.shards;
  json["bytes"] = r.bytes;
  json["seconds"] = r.seconds;
  json["peak_rss_bytes"] = r.peak_rss_bytes;
  return json;
}

std::string to_text(const RandomModelResult& r) {
  std::string text = r.destination + "\n";
  const auto line = [&](const char* name, const std::string& value) {
    text += fmt::format("  {:<14} {}\n", name, value);
  };
  line("model", fmt::format("like {}: {} layers, {} experts, top-{}, hidden {}, vocabulary {}", r.like, r.config.layers,
                            r.config.experts, r.config.experts_per_token, r.config.hidden, r.config.vocab));
  line("weights", fmt::format("{} random parameters, {}, seed {}", format_count(r.parameters), r.format, r.seed));
  line("bytes", fmt::format("{} in {} tensors, {} shard{}", format_bytes(r.bytes), r.tensors, r.shards,
                            r.shards == 1 ? "" : "s"));
  line("time, memory",
       fmt::format("{} ({}/s), peak {}", format_seconds(r.seconds),
                   format_bytes(static_cast<std::uint64_t>(static_cast<double>(r.bytes) / std::max(1e-9, r.seconds))),
                   format_bytes(r.peak_rss_bytes)));
  return text;
}

}  // namespace tetrad
