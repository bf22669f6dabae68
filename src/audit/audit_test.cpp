#include <fmt/format.h>
#include <gmock/gmock.h>

#include <cstdlib>
#include <cstring>
#include <fstream>
#include <functional>
#include <nlohmann/json.hpp>

#include "audit/exclusions.h"
#include "audit/inspect.h"
#include "audit/row_decode.h"
#include "audit/verify.h"
#include "checkpoint/safetensors_writer.h"
#include "numeric/bf16.h"
#include "numeric/e2m1.h"
#include "numeric/e4m3.h"

namespace tetrad {
namespace {

namespace fs = std::filesystem;
using testing::AllOf;
using testing::AnyOf;
using testing::Contains;
using testing::Field;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr const char* kBundled = "models/tiny-minimax-m2";

// Tensors by name; what the tests break and write out.
using Tensors = std::vector<std::pair<TensorSpec, std::string>>;

std::string bytes_of(const std::vector<float>& values) {
  return {reinterpret_cast<const char*>(values.data()), values.size() * 4};
}

// A MiniMax-M2 of one layer and two experts: BF16, or with ModelOpt's NVFP4 experts.
Json tiny_config(bool nvfp4) {
  Json config = {{"model_type", "minimax_m2"},
                 {"architectures", {"MiniMaxM2ForCausalLM"}},
                 {"vocab_size", 8},
                 {"hidden_size", 32},
                 {"intermediate_size", 16},
                 {"num_hidden_layers", 1},
                 {"num_attention_heads", 2},
                 {"num_key_value_heads", 1},
                 {"head_dim", 8},
                 {"rotary_dim", 8},
                 {"num_local_experts", 2},
                 {"num_experts_per_tok", 1},
                 {"max_position_embeddings", 64}};
  if (nvfp4)
    config["quantization_config"] = {
        {"quant_method", "modelopt"},
        {"quant_algo", "NVFP4"},
        {"ignore",
         {"lm_head", "model.embed_tokens", "model.layers.0.block_sparse_moe.gate", "model.layers.0.self_attn*"}}};
  return config;
}

// Values of the tiny model: w(i) repeats, so that NVFP4's scales are exact and its error small but not zero.
float weight_at(std::size_t i) { return round_to_bf16(0.01F * static_cast<float>(static_cast<int>(i * 7 % 23) - 11)); }

std::string bf16_bytes(std::size_t count) {
  std::string bytes;
  for (std::size_t i = 0; i < count; ++i) {
    const std::uint16_t bits = bf16_from_float(weight_at(i));
    bytes += static_cast<char>(bits & 0xFF);
    bytes += static_cast<char>(bits >> 8);
  }
  return bytes;
}

void add_nvfp4(Tensors& tensors, const std::string& module, const Shape& shape) {
  const auto count = static_cast<std::size_t>(shape[0] * shape[1]);
  const float scale2 = 0.11F / 2688;
  std::string codes, scales;
  for (std::size_t block = 0; block < count / 16; ++block) {
    const std::uint8_t scale = e4m3_from_float(0.11F / 6 / scale2);
    scales += static_cast<char>(scale);
    const float step = e4m3_to_float(scale) * scale2;
    for (std::size_t i = block * 16; i < block * 16 + 16; i += 2)
      codes +=
          static_cast<char>(e2m1_from_float(weight_at(i) / step) | (e2m1_from_float(weight_at(i + 1) / step) << 4));
  }
  tensors.push_back({{module + ".weight", DType::kU8, {shape[0], shape[1] / 2}}, codes});
  tensors.push_back({{module + ".weight_scale", DType::kF8E4M3, {shape[0], shape[1] / 16}}, scales});
  tensors.push_back({{module + ".weight_scale_2", DType::kF32, {}}, bytes_of({scale2})});
  tensors.push_back({{module + ".input_scale", DType::kF32, {}}, bytes_of({0.5F})});
}

Tensors tiny_tensors(bool nvfp4) {
  Tensors tensors;
  for (const TensorRow& row : tensor_table(ModelConfig::parse(tiny_config(false), "config.json").value())) {
    if (nvfp4 && row.role == Role::kExpert) {
      add_nvfp4(tensors, row.module, row.shape);
      continue;
    }
    const TensorSpec spec{row.module + row.suffix, DType::kBF16, row.shape};
    tensors.push_back({spec, bf16_bytes(spec.bytes() / 2)});
  }
  return tensors;
}

class AuditTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string name = (fs::temp_directory_path() / "tetrad-audit-XXXXXX").string();
    ASSERT_NE(::mkdtemp(name.data()), nullptr);
    directory_ = name;
  }
  void TearDown() override { fs::remove_all(directory_); }

  fs::path write(const char* name, const Json& config, const Tensors& tensors) {
    const fs::path path = directory_ / name;
    fs::create_directories(path);
    std::ofstream(path / "config.json") << config.dump();
    std::vector<TensorSpec> specs;
    for (const auto& [spec, bytes] : tensors) specs.push_back(spec);
    auto writer = SafetensorsWriter::open(path, ShardLayout::plan(specs, 4096).value(), false).value();
    for (std::size_t i = 0; i < tensors.size(); ++i)
      EXPECT_TRUE(writer.write(i, 0, std::as_bytes(std::span(tensors[i].second))).has_value());
    EXPECT_TRUE(writer.finish().has_value());
    return path;
  }
  Verification verified(const fs::path& path, std::optional<fs::path> against = {}) {
    ThreadPool pool(2);
    auto result = verify_directory(path, against, pool);
    EXPECT_TRUE(result.has_value()) << (result ? "" : result.error().message);
    return result ? *result : Verification{};
  }
  // Faults of the NVFP4 model after `change`.
  std::vector<Fault> faults_after(const std::function<void(Tensors&, Json&)>& change) {
    Tensors tensors = tiny_tensors(true);
    Json config = tiny_config(true);
    change(tensors, config);
    fs::remove_all(directory_ / "broken");
    return verified(write("broken", config, tensors)).faults;
  }
  fs::path directory_;
};

std::pair<TensorSpec, std::string>& at(Tensors& tensors, const std::string& name) {
  for (auto& one : tensors)
    if (one.first.name == name) return one;
  ADD_FAILURE() << name;
  return tensors.front();
}

void drop(Tensors& tensors, const std::string& name) {
  std::erase_if(tensors, [&](const auto& one) { return one.first.name == name; });
}

auto fault(const std::string& where, const std::string& what) {
  return AllOf(Field(&Fault::where, HasSubstr(where)), Field(&Fault::what, HasSubstr(what)));
}

const std::string kExpert = "model.layers.0.block_sparse_moe.experts.1.";

TEST_F(AuditTest, TheBundledModelHasNoFaults) {
  const Verification verification = verified(kBundled, kBundled);
  EXPECT_TRUE(verification.good()) << to_text(verification);
  EXPECT_EQ(verification.matrices.size(), 4U * (32 * 3 + 4));  // every FP8 matrix against itself
  for (const MatrixError& matrix : verification.matrices) EXPECT_EQ(matrix.relative_error, 0.0);
  EXPECT_THAT(to_text(verification), HasSubstr("no faults"));
}

TEST_F(AuditTest, InspectsTheBundledModel) {
  const Checkpoint checkpoint = Checkpoint::open(kBundled).value();
  const Inspection inspection = inspect(checkpoint, ModelConfig::parse(checkpoint.config(), "config.json").value());
  // By hand: 2 x 6144 x 256 for embedding and head; a layer: 2 x 512 x 256 + 2 x 128 x 256 attention, 512 + 128 + 2 x
  // 256 norms, 32 x 256 + 32 router, 32 x 3 x 128 x 256 experts; and the last norm.
  const std::uint64_t layer = 2 * 512 * 256 + 2 * 128 * 256 + 512 + 128 + 512 + 32 * 256 + 32,
                      experts = 32 * 3 * 128 * 256;
  EXPECT_EQ(inspection.parameters, 2U * 6144 * 256 + 4 * (layer + experts) + 256);
  EXPECT_EQ(inspection.active_parameters, 6144U * 256 + 4 * (layer + experts * 4 / 32) + 256);
  EXPECT_EQ(inspection.kv_bytes_per_token, 4U * 2 * 2 * 64 * 2);
  EXPECT_EQ(inspection.context_tokens_per_gib, (1U << 30) / 2048);
  ASSERT_FALSE(inspection.by_format.empty());
  EXPECT_EQ(inspection.by_format.front().name, "FP8");
  EXPECT_THAT(to_text(inspection, true), AllOf(HasSubstr("MiniMaxM2ForCausalLM"), HasSubstr("lm_head.weight")));
  EXPECT_EQ(to_json(inspection, true)["tensors"].size(), checkpoint.entries().size());
  EXPECT_FALSE(to_json(inspection, false).contains("tensors"));
}

TEST_F(AuditTest, InspectionsCountTwoCodesAByte) {
  const auto count = [&](bool nvfp4) {
    const Checkpoint checkpoint =
        Checkpoint::open(write(nvfp4 ? "q" : "p", tiny_config(nvfp4), tiny_tensors(nvfp4))).value();
    return inspect(checkpoint, ModelConfig::parse(checkpoint.config(), "config.json").value());
  };
  const Inspection quantized = count(true), plain = count(false);
  EXPECT_EQ(quantized.parameters, plain.parameters);
  EXPECT_LT(quantized.bytes, plain.bytes);
  EXPECT_THAT(quantized.by_format, Contains(Field(&Tally::name, "NVFP4")));
}

TEST_F(AuditTest, AGoodNvfp4ModelHasNoFaultsAndASmallError) {
  const fs::path source = write("source", tiny_config(false), tiny_tensors(false));
  const Verification verification = verified(write("good", tiny_config(true), tiny_tensors(true)), source);
  EXPECT_TRUE(verification.good()) << to_text(verification);
  ASSERT_EQ(verification.matrices.size(), 6U);
  // Computed here once more, from the values.
  double error = 0, norm = 0;
  const float scale2 = 0.11F / 2688, step = e4m3_to_float(e4m3_from_float(0.11F / 6 / scale2)) * scale2;
  for (std::size_t i = 0; i < 16 * 32; ++i) {
    const double w = weight_at(i), q = static_cast<double>(kE2m1Values[e2m1_from_float(weight_at(i) / step)] * step);
    error += (w - q) * (w - q);
    norm += w * w;
  }
  EXPECT_NEAR(verification.matrices[0].relative_error, std::sqrt(error / norm), 1e-9);
  EXPECT_GT(verification.matrices[0].relative_error, 0.01);
  EXPECT_EQ(to_json(verification)["against"]["matrices"], 6);
}

TEST_F(AuditTest, WhatIsNotFiniteInTheSourceCountsAsZero) {
  Tensors source = tiny_tensors(false);
  auto& bytes = at(source, "model.layers.0.block_sparse_moe.experts.0.w1.weight").second;
  bytes[0] = '\xC0';  // with the next one a NaN in BF16
  bytes[1] = '\x7F';
  const Verification verification =
      verified(write("good", tiny_config(true), tiny_tensors(true)), write("source", tiny_config(false), source));
  ASSERT_EQ(verification.matrices.size(), 6U);
  EXPECT_TRUE(std::isfinite(verification.matrices[0].relative_error));
}

TEST_F(AuditTest, ReportsWhatDiffersFromTheSource) {
  Tensors source = tiny_tensors(false);
  at(source, "model.layers.0.self_attn.q_proj.weight").second[0] ^= 1;
  at(source, "model.norm.weight").second[1] ^= 1;
  source.push_back({{"model.layers.1.enorm.weight", DType::kBF16, {4}}, bf16_bytes(4)});
  const Verification verification =
      verified(write("good", tiny_config(true), tiny_tensors(true)), write("source", tiny_config(false), source));
  EXPECT_THAT(verification.faults, Contains(fault("q_proj.weight", "1 of its values are not the source's")));
  EXPECT_THAT(verification.faults, Contains(fault("model.norm.weight", "not the source's")));
  EXPECT_THAT(verification.faults, Contains(fault("model.layers.1.enorm.weight", "the source has it")));
  EXPECT_EQ(verification.fault_count, 3U);
}

TEST_F(AuditTest, FindsMissingAndExtraTensorsAndWrongShapes) {
  EXPECT_THAT(faults_after([](Tensors& t, Json&) { drop(t, "model.norm.weight"); }),
              Contains(fault("model.norm.weight", "missing tensor")));
  EXPECT_THAT(faults_after([](Tensors& t, Json&) { drop(t, kExpert + "w1.weight_scale"); }),
              Contains(fault("w1.weight_scale", "missing tensor")));
  EXPECT_THAT(faults_after([](Tensors& t, Json&) { drop(t, kExpert + "w2.input_scale"); }),
              Contains(fault("w2.input_scale", "missing tensor")));
  EXPECT_THAT(faults_after([](Tensors& t, Json&) { drop(t, kExpert + "w2.weight"); }),
              Contains(fault("w2.weight", "missing tensor")));
  EXPECT_THAT(
      faults_after([](Tensors& t, Json&) { t.push_back({{"model.layers.0.mlp.x.weight", DType::kU8, {1}}, "a"}); }),
      Contains(fault("model.layers.0.mlp.x.weight", "extra tensor")));
  EXPECT_THAT(
      faults_after([](Tensors& t, Json&) { t.push_back({{"lm_head.input_scale", DType::kF32, {}}, bytes_of({1})}); }),
      Contains(fault("lm_head.input_scale", "extra tensor")));
  EXPECT_THAT(faults_after([](Tensors& t, Json&) { at(t, "lm_head.weight").first.shape = {32, 8}; }),
              Contains(fault("lm_head.weight", "wrong shape: [32, 8]")));
  EXPECT_THAT(faults_after([](Tensors& t, Json&) { at(t, kExpert + "w3.weight_scale").first.dtype = DType::kU8; }),
              Contains(fault("w3.weight_scale", "wrong dtype: U8 instead of F8_E4M3")));
  EXPECT_THAT(faults_after([](Tensors& t, Json&) {
                t.push_back({{"model.layers.0.self_attn.k_proj.k_scale", DType::kF32, {}}, bytes_of({1})});
              }),
              IsEmpty());
}

TEST_F(AuditTest, FindsUnusableScales) {
  const auto with_scale = [&](const char* suffix, float value) {
    return faults_after([&](Tensors& t, Json&) {
      for (const char* projection : {"w1", "w3"}) at(t, kExpert + projection + suffix).second = bytes_of({value});
    });
  };
  for (const char* suffix : {".weight_scale_2", ".input_scale"})
    for (const float value : {0.0F, -1.0F, INFINITY, NAN})
      EXPECT_THAT(with_scale(suffix, value), Contains(fault(std::string("w1") + suffix, "not a usable scale")))
          << value;
  const auto with_byte = [&](char byte) {
    return faults_after([&](Tensors& t, Json&) { at(t, kExpert + "w2.weight_scale").second[5] = byte; });
  };
  EXPECT_THAT(with_byte('\x7f'), Contains(fault("w2.weight_scale", "1 of its scales are NaN, the first at [5, 0]")));
  EXPECT_THAT(with_byte('\xff'), Contains(fault("w2.weight_scale", "NaN")));
  EXPECT_THAT(with_byte('\x81'), Contains(fault("w2.weight_scale", "negative")));
  EXPECT_THAT(with_byte('\0'), Contains(fault("w2.weight_scale", "zero over values that are not")));
  EXPECT_THAT(faults_after([&](Tensors& t, Json&) {  // a zero scale over zeros is no fault
                at(t, kExpert + "w2.weight_scale").second[5] = 0;
                at(t, kExpert + "w2.weight").second.replace(40, 8, std::string("\0\x08\0\0\0\0\0\x80", 8));
              }),
              IsEmpty());
  EXPECT_THAT(faults_after([](Tensors& t, Json&) { at(t, kExpert + "w3.weight_scale_2").second = bytes_of({1.0F}); }),
              Contains(fault(kExpert + "w1", "gate and up have different tensor scales")));
  EXPECT_THAT(faults_after([](Tensors& t, Json&) { at(t, kExpert + "w3.input_scale").second = bytes_of({1.0F}); }),
              Contains(fault(kExpert + "w1", "gate and up have different input scales")));
  EXPECT_THAT(faults_after([](Tensors& t, Json&) {
                at(t, "model.norm.weight").second[1] = '\x7f', at(t, "model.norm.weight").second[0] = '\x80';
              }),
              Contains(fault("model.norm.weight", "1 of its values are not finite")));
}

TEST_F(AuditTest, ChecksTheExcludeListAgainstWhatIsStored) {
  EXPECT_THAT(
      faults_after([](Tensors&, Json& c) { c["quantization_config"]["ignore"].erase(3); }),
      Contains(fault("self_attn.q_proj", "stored in BF16, but the exclude list of config.json does not name it")));
  EXPECT_THAT(faults_after([](Tensors&, Json& c) {
                c["quantization_config"]["ignore"].push_back("model.layers.0.block_sparse_moe.experts.1.*");
              }),
              Contains(fault(kExpert + "w1", "quantized (U8), but the exclude list")));
  EXPECT_THAT(faults_after([](Tensors&, Json& c) { c.erase("quantization_config"); }),
              Contains(fault(kExpert + "w1", "has no quantization_config")));
  EXPECT_THAT(faults_after([](Tensors&, Json& c) { c["quantization_config"]["quant_algo"] = "W4A16_NVFP4"; }),
              IsEmpty());
}

TEST_F(AuditTest, ComparesTheTwoConfigurations) {
  const fs::path path = write("m", tiny_config(true), tiny_tensors(true));
  Json quant = {{"producer", {{"name", "modelopt"}}},
                {"quantization",
                 {{"quant_algo", "NVFP4"},
                  {"kv_cache_quant_algo", nullptr},
                  {"group_size", 16},
                  {"exclude_modules", tiny_config(true)["quantization_config"]["ignore"]}}}};
  const auto faults = [&](const std::string& text) {
    std::ofstream(path / "hf_quant_config.json") << text;
    return verified(path).faults;
  };
  EXPECT_THAT(faults(quant.dump()), IsEmpty());
  Json other = quant;
  other["quantization"]["quant_algo"] = "FP8";
  EXPECT_THAT(faults(other.dump()), Contains(fault("hf_quant_config.json", "quant_algo is FP8, in config.json NVFP4")));
  other = quant;
  other["quantization"]["kv_cache_quant_algo"] = "FP8";
  EXPECT_THAT(faults(other.dump()), Contains(fault("hf_quant_config.json", "kv_cache_quant_algo is FP8")));
  other = quant;
  other["quantization"]["exclude_modules"].erase(0);
  EXPECT_THAT(faults(other.dump()), Contains(fault("hf_quant_config.json", "does not name lm_head")));
  EXPECT_THAT(faults("[]"), Contains(fault("hf_quant_config.json", "no object")));
  EXPECT_THAT(faults("{"), Contains(fault("hf_quant_config.json", "malformed JSON")));
}

TEST_F(AuditTest, FindsStaleIndexEntriesAndUnlistedTensors) {
  const fs::path path = write("m", tiny_config(true), tiny_tensors(true));
  Json index = read_json_file(path / "model.safetensors.index.json").value();
  index["weight_map"].erase("model.norm.weight");
  index["weight_map"]["model.old.weight"] = index["weight_map"]["lm_head.weight"];
  std::ofstream(path / "model.safetensors.index.json") << index.dump();
  const Verification verification = verified(path);
  EXPECT_THAT(verification.faults, Contains(fault("files", "tensor model.old.weight")));
  EXPECT_THAT(verification.faults, Contains(fault("model.norm.weight", "the index does not list it")));
  EXPECT_EQ(verification.fault_count, 2U) << to_text(verification);
}

TEST_F(AuditTest, FindsFp8Faults) {
  const Json config = [] {
    Json json = tiny_config(false);
    json["quantization_config"] = {
        {"quant_method", "fp8"}, {"weight_block_size", {16, 16}}, {"modules_to_not_convert", {"gate", "lm_head"}}};
    return json;
  }();
  const auto faults = [&](const std::function<void(Tensors&)>& change) {
    Tensors tensors = tiny_tensors(false);
    for (auto& [spec, bytes] : Tensors(tensors)) {
      if (spec.shape.size() != 2 || spec.name.find("_proj") + spec.name.find("experts.") == 2 * std::string::npos)
        continue;
      auto& stored = at(tensors, spec.name);
      stored.first.dtype = DType::kF8E4M3;
      stored.second.assign(stored.first.bytes(), '\x38');
      const TensorSpec scale{
          spec.name + "_scale_inv", DType::kF32, {(spec.shape[0] + 15) / 16, (spec.shape[1] + 15) / 16}};
      tensors.push_back({scale, bytes_of(std::vector<float>(scale.bytes() / 4, 0.5F))});
    }
    change(tensors);
    fs::remove_all(directory_ / "fp8");
    return verified(write("fp8", config, tensors)).faults;
  };
  const std::string weight = kExpert + "w1.weight";
  EXPECT_THAT(faults([](Tensors&) {}), IsEmpty());
  EXPECT_THAT(faults([&](Tensors& t) { drop(t, weight + "_scale_inv"); }),
              Contains(fault(weight + "_scale_inv", "missing tensor")));
  EXPECT_THAT(faults([&](Tensors& t) { at(t, weight + "_scale_inv").first.shape = {2, 1}; }),
              Contains(fault(weight + "_scale_inv", "wrong shape: [2, 1]")));
  EXPECT_THAT(faults([&](Tensors& t) { at(t, weight + "_scale_inv").second = bytes_of({NAN, 1}); }),
              Contains(fault(weight + "_scale_inv", "not finite")));
  EXPECT_THAT(faults([&](Tensors& t) { at(t, weight + "_scale_inv").second = bytes_of({0, 1}); }),
              Contains(fault(weight + "_scale_inv", "zero over values")));
  EXPECT_THAT(faults([&](Tensors& t) { at(t, weight).second[33] = '\x7f'; }),
              Contains(fault(weight, "1 of its values are NaN, the first at [1, 1]")));
}

// compressed-tensors: other names, reciprocal scales of shape [1], an exclude list that may hold regular expressions.
TEST_F(AuditTest, ReadsCompressedTensors) {
  Tensors tensors = tiny_tensors(true);
  for (auto& [spec, bytes] : tensors) {
    const bool quantized = spec.name.find("experts.") != std::string::npos;
    float value = 0;
    if (spec.shape.empty()) {
      std::memcpy(&value, bytes.data(), 4);
      bytes = bytes_of({1.0F / value});
      spec.shape = {1};
    }
    if (quantized && spec.name.ends_with(".weight")) spec.name += "_packed";
    if (spec.name.ends_with(".weight_scale_2")) spec.name.replace(spec.name.size() - 8, 8, "_global_scale");
    if (spec.name.ends_with(".input_scale")) spec.name.replace(spec.name.size() - 6, 6, "_global_scale");
  }
  Json config = tiny_config(false);
  config["quantization_config"] = {{"quant_method", "compressed-tensors"},
                                   {"format", "nvfp4-pack-quantized"},
                                   {"config_groups",
                                    {{"group_0",
                                      {{"weights", {{"num_bits", 4}, {"type", "float"}, {"group_size", 16}}},
                                       {"input_activations", {{"num_bits", 4}}}}}}},
                                   {"ignore", {"lm_head", "re:.*self_attn.*", "re:.*block_sparse_moe\\.gate$"}}};
  const fs::path source = write("source", tiny_config(false), tiny_tensors(false));
  const Verification verification = verified(write("ct", config, tensors), source);
  EXPECT_TRUE(verification.good()) << to_text(verification);
  EXPECT_EQ(verification.matrices.size(), 6U);
  const Verification modelopt = verified(write("modelopt", tiny_config(true), tiny_tensors(true)), source);
  for (std::size_t i = 0; i < 6; ++i)
    EXPECT_NEAR(verification.matrices[i].relative_error, modelopt.matrices[i].relative_error, 1e-6);
  config["quantization_config"]["ignore"].erase(1);
  EXPECT_THAT(verified(write("ct2", config, tensors)).faults, Contains(fault("self_attn.q_proj", "does not name it")));
}

TEST_F(AuditTest, CannotLookAtNothing) {
  ThreadPool pool(1);
  EXPECT_FALSE(verify_directory(directory_ / "none", {}, pool).has_value());
  EXPECT_FALSE(verify_directory(directory_, {}, pool).has_value());
}

TEST(Glob, MatchesWholeTexts) {
  EXPECT_TRUE(glob_matches("model.layers.0*", "model.layers.0.x"));
  EXPECT_TRUE(glob_matches("a*c*e", "abcde"));
  EXPECT_TRUE(glob_matches("*", ""));
  EXPECT_TRUE(glob_matches("a**", "a"));
  EXPECT_FALSE(glob_matches("a*c", "abcd"));
  EXPECT_FALSE(glob_matches("lm_head", "lm_head2"));
  EXPECT_FALSE(glob_matches("", "a"));
}

}  // namespace
}  // namespace tetrad
