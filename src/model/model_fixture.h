// For this folder's tests: models and reference results that the repository holds.
#pragma once

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <string>
#include <vector>

#include "checkpoint/safetensors_file.h"
#include "model/causal_model.h"
#include "model/layer_stream.h"

namespace tetrad {

using Sequences = std::vector<std::vector<std::int32_t>>;

template <class T>
T take(Result<T> result) {
  if (!result.has_value()) ADD_FAILURE() << result.error().message;
  return std::move(result).value();
}

inline std::string source_path(const std::string& path) { return std::string(TETRAD_SOURCE_DIR) + "/" + path; }
inline const char* const kBundled = "models/tiny-minimax-m2";
inline const char* const kReference = "tests/data/model/reference.safetensors";

struct Model {
  Checkpoint checkpoint;
  ModelConfig config;
};
inline Model open_model(const std::string& path) {
  Checkpoint checkpoint = take(Checkpoint::open(source_path(path)));
  ModelConfig config = take(ModelConfig::parse(checkpoint.config(), path));
  return {std::move(checkpoint), std::move(config)};
}

template <class T>
std::vector<T> read_tensor(const std::string& path, const std::string& name) {
  const SafetensorsFile file = take(SafetensorsFile::open(source_path(path)));
  for (const NamedTensor& tensor : file.tensors())
    if (tensor.name == name) {
      std::vector<T> values(tensor.view.bytes.size() / sizeof(T));
      std::memcpy(values.data(), tensor.view.bytes.data(), tensor.view.bytes.size());
      return values;
    }
  ADD_FAILURE() << "no tensor " << name;
  return {};
}

inline Sequences reference_ids() {
  const auto ids = read_tensor<std::int32_t>(kReference, "ids");
  Sequences sequences;
  for (std::size_t i = 0; i < ids.size(); i += 64)
    sequences.emplace_back(ids.begin() + static_cast<std::ptrdiff_t>(i),
                           ids.begin() + static_cast<std::ptrdiff_t>(i) + 64);
  return sequences;
}

struct Forward {
  std::vector<float> hidden, logits;
  std::vector<LayerActivity> activity;
};
inline Forward forward(const Model& model, const Compute& compute, const ForwardOptions& options,
                       const Sequences& sequences, const LayerStream::Limits& limits = {}) {
  LayerStream stream = take(LayerStream::create(model.checkpoint, model.config, compute, options, sequences, limits));
  Forward result;
  while (stream.next_layer() < model.config.layers) result.activity.push_back(take(stream.run_layer()));
  result.hidden.resize(static_cast<std::size_t>(stream.tokens() * model.config.hidden));
  result.logits.resize(static_cast<std::size_t>(stream.tokens() * model.config.vocab));
  EXPECT_TRUE(stream.read_hidden(0, stream.tokens(), result.hidden).has_value());
  take(OutputHead::create(model.checkpoint, model.config, compute, options))
      .logits(result.hidden, stream.tokens(), result.logits);
  return result;
}

// Mean KL divergence of rows of logits, in double.
inline double divergence(std::span<const float> reference, std::span<const float> got, std::size_t vocab) {
  double total = 0;
  const auto log_sum = [](std::span<const float> row) {
    double largest = -1e300, sum = 0;
    for (const float v : row) largest = std::max(largest, static_cast<double>(v));
    for (const float v : row) sum += std::exp(static_cast<double>(v) - largest);
    return largest + std::log(sum);
  };
  for (std::size_t begin = 0; begin < reference.size(); begin += vocab) {
    const auto p = reference.subspan(begin, vocab), q = got.subspan(begin, vocab);
    const double p_sum = log_sum(p), q_sum = log_sum(q);
    for (std::size_t i = 0; i < vocab; ++i) {
      const double log_p = static_cast<double>(p[i]) - p_sum;
      total += std::exp(log_p) * (log_p - (static_cast<double>(q[i]) - q_sum));
    }
  }
  return total / static_cast<double>(reference.size() / vocab);
}

inline void expect_same_bytes(std::span<const float> a, std::span<const float> b, const std::string& what) {
  ASSERT_EQ(a.size(), b.size()) << what;
  EXPECT_EQ(std::memcmp(a.data(), b.data(), a.size_bytes()), 0) << what;
}

}  // namespace tetrad
