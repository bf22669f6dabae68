// For tests: one model by all ways through it, LayerStream, PagedModel in chunks and CausalModel, on every SIMD target.
#pragma once

#include "model/model_fixture.h"
#include "model/paged_model.h"

namespace tetrad {

// A sequence's logits by PagedModel, in chunks, which may leave some of its end out.
inline std::vector<float> paged_logits(const Model& model, const Compute& compute, const ForwardOptions& options,
                                       const std::vector<std::int32_t>& ids, std::span<const std::size_t> chunks) {
  PagedModel paged = take(
      PagedModel::open(model.checkpoint, model.config, compute, options, static_cast<std::int64_t>(ids.size()), false));
  std::vector<std::int32_t> slots(ids.size());
  for (std::size_t i = 0; i < slots.size(); ++i) slots[i] = static_cast<std::int32_t>(slots.size() - 1 - i);
  std::vector<float> logits;
  const auto keep = [&](std::size_t, std::int64_t, std::span<float> row) -> Status {
    logits.insert(logits.end(), row.begin(), row.end());
    return {};
  };
  std::size_t at = 0;
  for (const std::size_t chunk : chunks) {
    const BatchPart part = {.ids = std::span(ids).subspan(at, chunk),
                            .position = static_cast<std::int64_t>(at),
                            .slots = std::span(slots).first(at + chunk),
                            .logit_rows = static_cast<std::int64_t>(chunk)};
    EXPECT_TRUE(paged.forward({&part, 1}, keep).has_value());
    at += chunk;
  }
  return logits;
}

// `sequences`: one, of 63 tokens or more; `by_others`: its logits by a target that computes as all but "amx" do.
inline void expect_same_every_way(const Model& model, const ForwardOptions& options, const Sequences& sequences,
                                  std::span<const float> by_others) {
  ASSERT_GE(sequences.at(0).size(), 63U);
  for (const std::string& target : available_simd_targets()) {
    const Compute compute = *Compute::create(3, target);
    std::vector<float> own;
    if (!shares_arithmetic(target)) own = forward(model, *Compute::create(1, target), options, sequences).logits;
    const std::span<const float> expected = own.empty() ? by_others : std::span<const float>(own);
    expect_same_bytes(expected, forward(model, compute, options, sequences).logits, target);
    constexpr std::size_t kChunks[] = {1, 3, 50, 1, 8};
    const std::vector<float> paged = paged_logits(model, compute, options, sequences[0], kChunks);
    expect_same_bytes(expected.first(paged.size()), paged, "paged, " + target);
    const CausalModel causal = take(CausalModel::open(model.checkpoint, model.config, compute, options));
    CausalModel::Context context;
    std::vector<float> logits(static_cast<std::size_t>(model.config.vocab));
    ASSERT_TRUE(causal.forward(context, sequences[0], logits).has_value());
    expect_same_bytes(expected.last(logits.size()), logits, "causal, " + target);
  }
}

}  // namespace tetrad
