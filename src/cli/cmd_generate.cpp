#include <CLI/CLI.hpp>
#include <chrono>
#include <nlohmann/json.hpp>
#include <optional>

#include "base/interrupt.h"
#include "base/units.h"
#include "chat/chat_template.h"
#include "cli/command.h"
#include "cli/memory_plan.h"
#include "model/causal_model.h"
#include "model/expert_cache.h"
#include "model/paged_model.h"
#include "sampling/sampler.h"
#include "tokenizer/tokenizer.h"

namespace tetrad {
namespace {

struct GenerateFlags {
  std::string model, prompt, json, activations = "bf16", expert_cache = "auto";
  bool chat = false, ignore_eos = false;
  std::int64_t max_tokens = 256;
  std::vector<std::string> stop;
  std::optional<double> temperature, top_p, min_p, repetition_penalty, presence_penalty, frequency_penalty;
  std::optional<std::int64_t> top_k;
  DenseWeights dense = DenseWeights::kStored;
  bool fast = false;
};

Result<SamplingParams> sampling_params(const GenerateFlags& flags, std::uint64_t seed) {
  auto params = TETRAD_TRY(read_generation_config(flags.model));
  params.temperature = flags.temperature.value_or(params.temperature);
  params.top_p = flags.top_p.value_or(params.top_p);
  params.top_k = flags.top_k.value_or(params.top_k);
  params.min_p = flags.min_p.value_or(params.min_p);
  params.repetition_penalty = flags.repetition_penalty.value_or(params.repetition_penalty);
  params.presence_penalty = flags.presence_penalty.value_or(0);
  params.frequency_penalty = flags.frequency_penalty.value_or(0);
  params.seed = seed;
  TETRAD_TRY(params.validate());
  return params;
}

// Text that may be shown: none of it can still become part of a stop string.
class StopFilter {
 public:
  explicit StopFilter(const std::vector<std::string>& stop) : stop_(stop) {}

  // Adds text; returns what is now certain. `stopped` once a stop string is complete: what lies behind it is dropped.
  std::string push(const std::string& text, bool last) {
    held_ += text;
    std::size_t first = std::string::npos;
    for (const auto& s : stop_) first = std::min(first, s.empty() ? first : held_.find(s));
    if (first != std::string::npos) {
      stopped = true;
      return take(first);
    }
    std::size_t keep = 0;
    if (!last)
      for (const auto& s : stop_)
        for (std::size_t n = std::min(s.size(), held_.size()); n > keep; --n)
          if (held_.ends_with(std::string_view(s).substr(0, n))) keep = n;
    return take(held_.size() - keep);
  }

  bool stopped = false;

 private:
  std::string take(std::size_t n) {
    std::string text = held_.substr(0, n);
    held_.erase(0, n);
    return text;
  }
  const std::vector<std::string>& stop_;
  std::string held_;
};

struct Generation {
  std::vector<std::int32_t> ids;
  std::string text, finish_reason = "length";
  double prefill_seconds = 0, decode_seconds = 0;
};

Result<Generation> generate(const CausalModel& model, const Model& opened, const Tokenizer& tokenizer,
                            const std::vector<std::int32_t>& prompt, const SamplingParams& params,
                            const GenerateFlags& flags) {
  Generation out;
  CausalModel::Context context;
  StreamDecoder decoder(tokenizer, false);
  StopFilter filter(flags.stop);
  std::vector<float> logits(static_cast<std::size_t>(opened.config.vocab));
  const auto emit = [&](const std::string& text, bool last) -> Status {
    const std::string sure = filter.push(text, last);
    out.text += sure;
    return flags.json == "-" ? Status{} : write_stdout(sure);
  };
  auto start = std::chrono::steady_clock::now();
  TETRAD_TRY(model.forward(context, prompt, logits));
  out.prefill_seconds = seconds_since(start);
  start = std::chrono::steady_clock::now();
  const auto& eos = opened.config.eos_ids;
  while (static_cast<std::int64_t>(out.ids.size()) < flags.max_tokens) {
    TETRAD_TRY(check_interrupt());
    const std::int32_t id = TETRAD_TRY(sample(logits, params, prompt, out.ids, out.ids.size()));
    out.ids.push_back(id);
    if (!flags.ignore_eos && std::find(eos.begin(), eos.end(), id) != eos.end()) {
      out.finish_reason = "stop";
      break;
    }
    TETRAD_TRY(emit(decoder.push(id), false));
    if (filter.stopped) {
      out.finish_reason = "stop";
      break;
    }
    if (context.length() >= opened.config.max_position || static_cast<std::int64_t>(out.ids.size()) == flags.max_tokens)
      break;
    TETRAD_TRY(model.forward(context, std::span(&id, 1), logits));
  }
  if (!filter.stopped) TETRAD_TRY(emit(decoder.finish(), true));
  out.decode_seconds = seconds_since(start);
  return out;
}

Status run_generate(const GenerateFlags& flags, const CommonFlags& common) {
  TETRAD_TRY(check_result_files({flags.json}));
  const Model opened = TETRAD_TRY(open_model(flags.model));
  const Tokenizer tokenizer = TETRAD_TRY(Tokenizer::load(flags.model));
  const SamplingParams params = TETRAD_TRY(sampling_params(flags, common.seed));
  const Compute compute = TETRAD_TRY(common.compute());
  std::string text = flags.prompt;
  if (flags.chat) {
    const auto chat_template = TETRAD_TRY(ChatTemplate::load(flags.model));
    Json variables;
    variables["messages"] = Json::array({{{"role", "user"}, {"content", flags.prompt}}});
    variables["add_generation_prompt"] = true;
    text = TETRAD_TRY(chat_template.render(variables));
  }
  const auto prompt = tokenizer.encode(text, !flags.chat);
  if (prompt.empty()) return make_error(ErrorCode::kUsage, "empty prompt", "--prompt", "there is nothing to continue");
  if (static_cast<std::int64_t>(prompt.size()) >= opened.config.max_position)
    return invalid_input(
        "prompt too long", "--prompt",
        std::to_string(prompt.size()) + " tokens, the context holds " + std::to_string(opened.config.max_position));
  ForwardOptions options;
  options.activations = flags.activations == "nvfp4" ? ActivationFormat::kNvfp4 : ActivationFormat::kBF16;
  options.dense = flags.dense;
  options.int8_inputs = flags.fast;
  MemoryRequest memory = TETRAD_TRY(memory_request(opened, flags.expert_cache, flags.dense));
  memory.bytes_per_token = PagedModel::bytes_per_slot(opened.config, false);
  memory.step_tokens = std::min<std::int64_t>(memory.step_tokens, static_cast<std::int64_t>(prompt.size()));
  const std::int64_t tokens = static_cast<std::int64_t>(prompt.size()) + flags.max_tokens;
  const std::uint64_t cache =
      TETRAD_TRY(plan_expert_cache(memory, std::min(tokens, opened.config.max_position),
                                   "free memory, lower --max-tokens or --expert-cache, or take --dense-weights int8"));
  const auto model = TETRAD_TRY(CausalModel::open(opened.checkpoint, opened.config, compute, options, cache));
  if (model.expert_cache() != nullptr) model.expert_cache()->set_interruptible(true);
  const Generation out = TETRAD_TRY(generate(model, opened, tokenizer, prompt, params, flags));
  if (flags.json != "-") TETRAD_TRY(write_stdout("\n"));
  if (flags.json.empty()) return {};
  Json json;
  json["model"] = flags.model;
  json["prompt_tokens"] = prompt.size();
  json["text"] = out.text;
  json["ids"] = out.ids;
  json["finish_reason"] = out.finish_reason;
  json["prefill_seconds"] = out.prefill_seconds;
  json["decode_seconds"] = out.decode_seconds;
  if (model.expert_cache() != nullptr) {
    const ExpertCacheStats stats = model.expert_cache()->stats();
    json["expert_cache"] = {{"hit_rate", stats.hit_rate()}, {"bytes_read", stats.bytes_read}};
  }
  return write_json(flags.json, json);
}

}  // namespace

void register_generate(CLI::App& app, const CommonFlags& common, Action& action) {
  auto* command = add_command(app, common, "generate", "continue one prompt, text to stdout as it comes");
  auto flags = std::make_shared<GenerateFlags>();
  command->add_option("model", flags->model, "model directory")->required();
  command->add_option("--prompt", flags->prompt, "the text to continue")->required();
  command->add_flag("--chat", flags->chat, "the prompt is a user's message: render it with the chat template");
  command->add_option("--max-tokens", flags->max_tokens, "at most so many new tokens (default 256)")
      ->check(at_least(1), "POSITIVE");
  command->add_option("--temperature", flags->temperature, "0 is greedy (default: the model's)");
  command->add_option("--top-p", flags->top_p, "(default: the model's)");
  command->add_option("--top-k", flags->top_k, "(default: the model's)");
  command->add_option("--min-p", flags->min_p, "(default 0)");
  command->add_option("--repetition-penalty", flags->repetition_penalty, "over prompt and output (default 1)");
  command->add_option("--presence-penalty", flags->presence_penalty, "over the output (default 0)");
  command->add_option("--frequency-penalty", flags->frequency_penalty, "over the output (default 0)");
  command->add_option("--stop", flags->stop, "end before this text; repeatable")
      ->allow_extra_args(false);  // else it swallows the model
  command->add_flag("--ignore-eos", flags->ignore_eos, "go on behind the end token");
  command->add_option("--activations", flags->activations, "bf16 (default) or nvfp4")
      ->check(CLI::IsMember({"bf16", "nvfp4"}));
  add_dense_weights_option(*command, flags->dense);
  add_fast_flag(*command, flags->fast);
  add_expert_cache_option(*command, flags->expert_cache);
  command->add_option("--json", flags->json, "write ids, text and times as JSON (- is stdout)");
  command->callback([flags, &common, &action] { action = [flags, &common] { return run_generate(*flags, common); }; });
}

}  // namespace tetrad
