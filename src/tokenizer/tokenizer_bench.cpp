// Speed of the bundled model's tokenizer (its split and alphabet are MiniMax-M2's; its vocabulary is smaller): run from
// the repository's root. Other tokenizers: TETRAD_BENCH_MODEL=DIR, other text: TETRAD_BENCH_TEXT=FILE.
#include <benchmark/benchmark.h>

#include <cstdlib>
#include <string>
#include <vector>

#include "base/files.h"
#include "tokenizer/tokenizer.h"

namespace tetrad {
namespace {

std::string setting(const char* name, const char* otherwise) {
  const char* value = std::getenv(name);
  return value != nullptr ? value : otherwise;
}

std::string sample_text() {
  const auto text = read_file(setting("TETRAD_BENCH_TEXT", "models/tiny-minimax-m2/README.md"));
  std::string out = text.has_value() ? *text : "The quick brown fox jumps over the lazy dog, doesn't it? ";
  while (out.size() < 300'000) out += out;
  return out;
}

void encode(benchmark::State& state, const std::string& text) {
  const auto tokenizer = Tokenizer::load(setting("TETRAD_BENCH_MODEL", "models/tiny-minimax-m2"));
  if (!tokenizer.has_value()) return state.SkipWithError(tokenizer.error().message.c_str());
  for (auto _ : state) benchmark::DoNotOptimize(tokenizer->encode(text, false));
  state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(text.size()));
}

void BM_EncodeText(benchmark::State& state) { encode(state, sample_text()); }
BENCHMARK(BM_EncodeText)->Unit(benchmark::kMillisecond);

void BM_EncodeOneLongWord(benchmark::State& state) { encode(state, std::string(1'000'000, 'a')); }
BENCHMARK(BM_EncodeOneLongWord)->Unit(benchmark::kMillisecond);

void BM_Decode(benchmark::State& state) {
  const auto tokenizer = Tokenizer::load(setting("TETRAD_BENCH_MODEL", "models/tiny-minimax-m2"));
  if (!tokenizer.has_value()) return state.SkipWithError(tokenizer.error().message.c_str());
  const std::vector<TokenId> ids = tokenizer->encode(sample_text(), false);
  for (auto _ : state) benchmark::DoNotOptimize(tokenizer->decode(ids, true));
  state.SetItemsProcessed(state.iterations() * static_cast<std::int64_t>(ids.size()));
}
BENCHMARK(BM_Decode)->Unit(benchmark::kMillisecond);

void BM_Load(benchmark::State& state) {
  for (auto _ : state)
    benchmark::DoNotOptimize(Tokenizer::load(setting("TETRAD_BENCH_MODEL", "models/tiny-minimax-m2")));
}
BENCHMARK(BM_Load)->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace tetrad

BENCHMARK_MAIN();
