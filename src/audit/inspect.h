// What a checkpoint is: sizes, formats, and what serving it takes. Reads names, types and shapes only, never the
// tensors' bytes. Used by the command line (inspect). Works on damaged checkpoints too: it describes what is there.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "arch/tensor_table.h"
#include "checkpoint/checkpoint.h"

namespace tetrad {

// A group of tensors. Scales count as bytes of the matrix they belong to, not as parameters.
struct Tally {
  std::string name;
  std::uint64_t tensors = 0, parameters = 0, bytes = 0;
};

struct InspectedTensor {
  std::string name;
  DType dtype;
  Shape shape;
  std::uint64_t bytes;
  Role role;
  std::string file;
};

struct Inspection {
  std::string directory;
  ModelConfig config;
  std::uint64_t shards = 0, bytes = 0;
  std::int64_t mtp_layers = 0;   // stored ones
  std::uint64_t parameters = 0;  // without MTP layers
  std::uint64_t active_parameters =
      0;  // read for one token: without the embedding table, with experts_per_token of the experts
  std::vector<Tally> by_role, by_format;  // formats: "NVFP4", "FP8", "BF16", ...; largest first
  std::uint64_t kv_bytes_per_token =
      0;  // keys and values of all layers in BF16 (GLM: latent, rotary part and indexer keys)
  std::uint64_t context_tokens_per_gib = 0;
  std::uint64_t weight_bytes = 0;        // to hold to serve: everything but MTP layers
  std::vector<InspectedTensor> tensors;  // in file order
};

Inspection inspect(const Checkpoint& checkpoint, const ModelConfig& config);
std::string_view stored_format_name(StoredFormat format);

std::string to_text(const Inspection& inspection, bool with_tensors);
Json to_json(const Inspection& inspection, bool with_tensors);

}  // namespace tetrad
