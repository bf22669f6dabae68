// The forward pass against transformers, and against itself however the work is cut.
#include <algorithm>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "kernels/attention.h"
#include "model/every_way.h"
#include "model/layer_stream_impl.h"
#include "model/model_fixture.h"

namespace tetrad {
namespace {

void expect_logits(const std::string& model_path, const std::string& tensor, const Sequences& sequences,
                   const std::string& file) {
  const Model model = open_model(model_path);
  const Forward got = forward(model, *Compute::create(2), {}, sequences);
  const auto expected = read_tensor<float>(file, tensor);
  ASSERT_EQ(expected.size(), got.logits.size());
  double worst = 0;
  for (std::size_t i = 0; i < expected.size(); ++i)
    worst = std::max(worst, std::abs(static_cast<double>(expected[i]) - static_cast<double>(got.logits[i])));
  EXPECT_LE(worst, 2e-4) << tensor;
  EXPECT_LE(divergence(expected, got.logits, static_cast<std::size_t>(model.config.vocab)), 1e-7) << tensor;
}

TEST(Model, LogitsOfTheBundledModel) {
  const std::string text = *read_file(source_path("models/tiny-minimax-m2/reference/ids.json"));
  const Json ids = take(parse_json(text, "ids.json"));
  Sequences sequences;
  for (const auto& row : ids) sequences.push_back(row.get<std::vector<std::int32_t>>());
  expect_logits(kBundled, "logits", sequences, "models/tiny-minimax-m2/reference/logits_f32.safetensors");
}

TEST(Model, LogitsOfBf16Fp8AndNvfp4) {
  const Sequences all = reference_ids();
  const Sequences last(all.begin() + 6, all.end());
  expect_logits("tests/data/golden/tiny_m2_bf16", "f32.logits", last, kReference);
  expect_logits("tests/data/golden/tiny_m2_fp8", "fp8.logits", last, kReference);
  expect_logits("tests/data/golden/tiny_m2_nvfp4", "nvfp4_dequant_f32.logits", last, kReference);
}

TEST(Model, RoutesEveryTokenAsTransformers) {
  const Model model = open_model("tests/data/golden/tiny_m2_bf16");
  LayerStream stream =
      take(LayerStream::create(model.checkpoint, model.config, *Compute::create(2), {}, reference_ids(), {}));
  for (int layer = 0; layer < 2; ++layer) {
    const LayerActivity activity = take(stream.run_layer());
    const std::string number = std::to_string(layer);
    const auto tokens = read_tensor<std::int32_t>(kReference, "f32.tokens" + number);
    ASSERT_EQ(tokens.size(), activity.experts.size());
    for (std::size_t e = 0; e < tokens.size(); ++e) EXPECT_EQ(tokens[e], activity.experts[e].tokens);
    std::vector<std::int32_t> chosen = stream.impl().routing.experts;
    for (auto at = chosen.begin(); at != chosen.end(); at += 2) std::sort(at, at + 2);
    EXPECT_EQ(chosen, read_tensor<std::int32_t>(kReference, "f32.layer" + number + ".topk_index_sorted"));
  }
}

// What ModelOpt recorded when it ran the models in BF16.
TEST(Model, Bf16InputsReachTheSameMaxima) {
  const auto maxima = [](const std::string& path) {
    std::vector<float> values;
    for (const LayerActivity& layer :
         forward(open_model(path), *Compute::create(2), {.precision = Precision::kBF16}, reference_ids()).activity) {
      values.resize(values.size() + 2);
      for (const ExpertActivity& expert : layer.experts) {
        values[values.size() - 2] = std::max(values[values.size() - 2], expert.gate_up_amax);
        values[values.size() - 1] = std::max(values[values.size() - 1], expert.down_amax);
      }
    }
    return values;
  };
  std::vector<float> expected = read_tensor<float>(kReference, "bf16.amax0");
  for (const float value : read_tensor<float>(kReference, "bf16.amax1")) expected.push_back(value);
  EXPECT_EQ(maxima("tests/data/golden/tiny_m2_bf16"), expected);
  EXPECT_EQ(maxima("tests/data/golden/tiny_m2_fp8"), (std::vector<float>{4.40625F, 6.15625F, 5.15625F, 5.96875F}));
}

Sequences mixed_sequences(std::int64_t vocab) {
  Sequences sequences;
  std::int32_t id = 3;
  for (const std::size_t length : {1U, 30U, 130U, 0U, 17U, 64U, 3U, 200U}) {
    sequences.emplace_back();
    for (std::size_t i = 0; i < length; ++i)
      sequences.back().push_back(id = (id * 31 + 7) % static_cast<std::int32_t>(vocab));
  }
  return sequences;
}

TEST(LayerStream, IsTheSameHoweverTheWorkIsCut) {
  const Model model = open_model(kBundled);
  const Sequences sequences = mixed_sequences(model.config.vocab);
  for (const Precision precision : {Precision::kF32, Precision::kBF16}) {
    const ForwardOptions options{.precision = precision};
    const Sequences first(sequences.begin(), sequences.begin() + 2);
    const Forward scalar = forward(model, *Compute::create(1, "scalar"), options, first);
    for (const std::string& target : available_simd_targets()) {
      if (target == "scalar") continue;
      const Forward base =
          shares_arithmetic(target) ? scalar : forward(model, *Compute::create(1, target), options, first);
      const Forward all = forward(model, *Compute::create(3, target), options, sequences);
      expect_same_bytes(base.logits, std::span(all.logits).first(base.logits.size()), target);
      // So little memory that both stores spill and a sequence goes through in pieces of 64 rows.
      const Forward tight = forward(model, *Compute::create(2, target), options, sequences,
                                    {.memory_bytes = 100'000, .temporary_directory = "/tmp"});
      expect_same_bytes(all.hidden, tight.hidden, target + " tight");
      ASSERT_EQ(all.activity.size(), tight.activity.size());
      for (std::size_t e = 0; e < 32; ++e) {
        EXPECT_EQ(all.activity[3].experts[e].tokens, tight.activity[3].experts[e].tokens);
        EXPECT_EQ(all.activity[3].experts[e].down_amax, tight.activity[3].experts[e].down_amax);
        EXPECT_EQ(all.activity[3].experts[e].route_mass, tight.activity[3].experts[e].route_mass);
      }
    }
  }
}

TEST(LayerStream, SpillsWhatDoesNotFit) {
  const Model model = open_model(kBundled);
  const Compute compute = *Compute::create(1);
  const auto spilled = [&](std::uint64_t limit) {
    return take(LayerStream::create(model.checkpoint, model.config, compute, {}, mixed_sequences(model.config.vocab),
                                    {.memory_bytes = limit, .temporary_directory = "/tmp"}))
        .spilled();
  };
  EXPECT_FALSE(spilled(0));
  EXPECT_FALSE(spilled(1 << 30));
  EXPECT_TRUE(spilled(100'000));
}

TEST(LayerStream, SavesAndRestores) {
  const Model model = open_model(kBundled);
  const Compute compute = *Compute::create(2);
  const Sequences sequences = mixed_sequences(model.config.vocab);
  const std::filesystem::path path = std::filesystem::path(testing::TempDir()) / "tetrad_hidden_state";
  const auto create = [&](const Sequences& s) {
    return take(LayerStream::create(model.checkpoint, model.config, compute, {}, s, {}));
  };
  LayerStream stream = create(sequences);
  for (int layer = 0; layer < 2; ++layer) take(stream.run_layer());
  ASSERT_TRUE(stream.save(path).has_value());
  LayerStream again = create(sequences);
  ASSERT_TRUE(again.restore(path).has_value());
  EXPECT_EQ(again.next_layer(), 2);
  while (again.next_layer() < 4) {
    take(again.run_layer());
    take(stream.run_layer());
  }
  std::vector<float> a(static_cast<std::size_t>(stream.tokens() * model.config.hidden)), b(a.size());
  ASSERT_TRUE(stream.read_hidden(0, stream.tokens(), a).has_value());
  ASSERT_TRUE(again.read_hidden(0, again.tokens(), b).has_value());
  expect_same_bytes(a, b, "resumed");

  Sequences others = sequences;
  others[1][0] ^= 1;
  EXPECT_FALSE(create(others).restore(path).has_value());
  std::fstream damaged(path, std::ios::in | std::ios::out | std::ios::binary);
  damaged.seekp(5000);
  damaged.put('x');
  damaged.close();
  LayerStream third = create(sequences);
  const Status status = third.restore(path);
  ASSERT_FALSE(status.has_value());
  EXPECT_NE(status.error().message.find("checksum"), std::string::npos);
  std::filesystem::resize_file(path, 100);
  EXPECT_FALSE(create(sequences).restore(path).has_value());
  std::filesystem::remove(path);
}

// A copy of the BF16 model whose embedding of token 77 holds a NaN.
std::filesystem::path poisoned_model() {
  const std::filesystem::path from = source_path("tests/data/golden/tiny_m2_bf16");
  const std::filesystem::path to = std::filesystem::path(testing::TempDir()) / "tetrad_poisoned_model";
  std::filesystem::create_directories(to);
  for (const char* name : {"config.json", "model.safetensors"}) {
    std::ofstream(to / name, std::ios::binary) << *read_file(from / name);
  }
  const SafetensorsFile file = take(SafetensorsFile::open(to / "model.safetensors"));
  for (const NamedTensor& tensor : file.tensors())
    if (tensor.name == "model.embed_tokens.weight") {
      std::fstream out(to / "model.safetensors", std::ios::in | std::ios::out | std::ios::binary);
      out.seekp(tensor.view.bytes.data() - file.file().bytes().data() + 77 * 128 * 2);
      out.write("\xC0\x7F", 2);
    }
  return to;
}

TEST(LayerStream, DropsRowsThatAreNotFinite) {
  const std::filesystem::path path = poisoned_model();
  const Checkpoint checkpoint = take(Checkpoint::open(path));
  const Model model{checkpoint, take(ModelConfig::parse(checkpoint.config(), "poisoned"))};
  const Compute compute = *Compute::create(2);
  const Sequences clean = {{1, 2, 3, 4, 5}, {9, 8, 7}};
  Sequences poisoned = clean;
  poisoned.push_back({4, 5, 77});
  poisoned.push_back({6, 6});
  for (const Precision precision : {Precision::kF32, Precision::kBF16}) {
    const ForwardOptions options{.precision = precision, .drop_nonfinite = true};
    const Forward expected = forward(model, compute, options, clean), got = forward(model, compute, options, poisoned);
    expect_same_bytes(expected.hidden, std::span(got.hidden).first(expected.hidden.size()), "clean sequences");
    EXPECT_TRUE(std::isnan(got.hidden[10 * 128]));
    for (const LayerActivity& layer : got.activity) {
      std::int64_t rows = 0, dropped = 0;
      for (const ExpertActivity& expert : layer.experts) {
        rows += expert.tokens;
        dropped += expert.nonfinite_rows;
        EXPECT_TRUE(std::isfinite(expert.gate_up_amax) && std::isfinite(expert.down_amax) &&
                    std::isfinite(expert.route_mass));
      }
      EXPECT_EQ(rows, 2 * 12);
      EXPECT_EQ(dropped, 2);
    }
  }
  std::filesystem::remove_all(path);
}

TEST(LayerStream, RefusesBadIds) {
  const Model model = open_model(kBundled);
  for (const std::int32_t id : {-1, 6144}) {
    const auto stream = LayerStream::create(model.checkpoint, model.config, *Compute::create(1), {}, {{1, id}}, {});
    ASSERT_FALSE(stream.has_value());
    EXPECT_NE(stream.error().message.find(std::to_string(id)), std::string::npos);
  }
}

TEST(LayerStream, RefusesAFamilyItCantRun) {
  const Model model = open_model("tests/data/golden/tiny_glm_bf16");
  const auto stream = LayerStream::create(model.checkpoint, model.config, *Compute::create(1), {}, {{1}}, {});
  ASSERT_FALSE(stream.has_value());
  EXPECT_EQ(stream.error().code, ErrorCode::kUnsupported);
}

TEST(Model, Int8InputsChangeNvfp4ExpertsOnly) {
  const Sequences sequences = {reference_ids()[0]};
  const ForwardOptions fast{.int8_inputs = true};
  for (const auto& [path, changes] :
       {std::pair{"tests/data/golden/tiny_m2_nvfp4", true}, {"tests/data/golden/tiny_m2_bf16", false}}) {
    const Model model = open_model(path);
    const Compute scalar = *Compute::create(1, "scalar");
    const Forward exact = forward(model, scalar, {}, sequences), base = forward(model, scalar, fast, sequences);
    const double kld = divergence(exact.logits, base.logits, 512);
    EXPECT_EQ(kld > 0, changes) << kld;
    EXPECT_LT(kld, 2e-3) << path;  // random weights: a token that goes to another expert is another token
    expect_same_every_way(model, fast, sequences, base.logits);
    // With inputs in NVFP4 the option means nothing.
    const ForwardOptions w4a4{.activations = ActivationFormat::kNvfp4};
    ForwardOptions both = w4a4;
    both.int8_inputs = true;
    expect_same_bytes(forward(model, scalar, w4a4, sequences).logits, forward(model, scalar, both, sequences).logits,
                      "W4A4");
  }
}

TEST(LayerStream, W4A4ChangesNvfp4ExpertsOnly) {
  const Sequences sequences = {reference_ids()[0]};
  const Compute compute = *Compute::create(2);
  const ForwardOptions w4a4{.activations = ActivationFormat::kNvfp4};
  for (const auto& [path, changes] :
       {std::pair{"tests/data/golden/tiny_m2_nvfp4", true}, {"tests/data/golden/tiny_m2_bf16", false}}) {
    const Model model = open_model(path);
    const Forward plain = forward(model, compute, {}, sequences), quantized = forward(model, compute, w4a4, sequences);
    const double kld = divergence(plain.logits, quantized.logits, 512);
    EXPECT_EQ(kld > 1e-6, changes) << kld;
    EXPECT_EQ(kld == 0, !changes) << kld;
    EXPECT_LT(kld, 0.1);
  }
}

TEST(CausalModel, EqualsLayerStreamWhateverTheChunks) {
  const Model model = open_model(kBundled);
  const auto vocab = static_cast<std::size_t>(model.config.vocab);
  const Sequences sequences = {mixed_sequences(model.config.vocab)[2]};
  for (const Precision precision : {Precision::kF32, Precision::kBF16}) {
    const ForwardOptions options{.precision = precision};
    const Compute compute = *Compute::create(2);
    const Forward expected = forward(model, compute, options, sequences);
    const CausalModel causal = take(CausalModel::open(model.checkpoint, model.config, compute, options));
    CausalModel::Context context;
    std::vector<float> logits(vocab);
    std::size_t at = 0;
    for (const std::size_t chunk : {1U, 1U, 60U, 5U, 3U, 1U, 2U, 57U}) {
      ASSERT_TRUE(causal.forward(context, std::span(sequences[0]).subspan(at, chunk), logits).has_value());
      at += chunk;
      EXPECT_EQ(context.length(), static_cast<std::int64_t>(at));
      expect_same_bytes(std::span(expected.logits).subspan((at - 1) * vocab, vocab), logits,
                        "after " + std::to_string(at));
    }
  }
}

TEST(CausalModel, RefusesWhatItCantTake) {
  const Model model = open_model(kBundled);
  const CausalModel causal = take(CausalModel::open(model.checkpoint, model.config, *Compute::create(1), {}));
  CausalModel::Context context;
  std::vector<float> logits(6144);
  EXPECT_FALSE(causal.forward(context, std::vector<std::int32_t>{6144}, logits).has_value());
  EXPECT_FALSE(causal.forward(context, {}, logits).has_value());
  EXPECT_FALSE(causal.forward(context, std::vector<std::int32_t>(2049, 1), logits).has_value());
  EXPECT_EQ(context.length(), 0);
}

// Contexts of more than one part of keys: a prompt at once on one thread, and token by token, where threads share the
// parts out.
TEST(Model, LongContextsAreTheSameInParts) {
  const Model model = open_model("tests/data/golden/tiny_m2_bf16");
  std::vector<std::int32_t> ids(kAttendKeys + 9);
  for (std::size_t i = 0; i < ids.size(); ++i)
    ids[i] = static_cast<std::int32_t>(i * 7919 % static_cast<std::size_t>(model.config.vocab));
  const std::size_t whole[] = {ids.size()}, tokens[] = {kAttendKeys - 2, 1, 1, 1, 1, 5, 1, 1};
  std::vector<std::string> targets = available_simd_targets();
  if (targets.size() > 1) targets.pop_back();  // "scalar" takes long, and shares the code
  for (const std::string& target : targets)
    expect_same_bytes(paged_logits(model, *Compute::create(1, target), {}, ids, whole),
                      paged_logits(model, *Compute::create(9, target), {}, ids, tokens), target);
}

}  // namespace
}  // namespace tetrad
