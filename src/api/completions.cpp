// POST /v1/completions: text or token ids in, text out; with echo and logprobs, as evaluation harnesses need them.
#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "api/generation_fields.h"
#include "api/logprobs_json.h"
#include "api/openai_json.h"
#include "api/reply.h"
#include "api/routes.h"

namespace tetrad {
namespace {

constexpr std::size_t kMaxChoices = 4096;
constexpr std::int64_t kDefaultCompletionTokens = 16, kMaxLogprobs = 20;

struct Prompt {
  std::vector<std::int32_t> ids;
  std::string text;  // for the echo
};

struct Completion {
  std::string id, model;
  std::int64_t created = 0, logprobs = -1, prompt_logprobs = -1;
  bool echo = false, stream = false, include_usage = false, continuous_usage = false;
  std::size_t copies = 1;
  std::vector<Prompt> prompts;
};

class CompletionAnswer final : public Answer {
 public:
  CompletionAnswer(const Tokenizer& tokenizer, Completion shape) : tokenizer_(tokenizer), shape_(std::move(shape)) {
    for (std::size_t i = 0; i < shape_.prompts.size() * shape_.copies; ++i)
      parts_.push_back({{}, LegacyLogprobs(tokenizer, shape_.logprobs), {}, false, nullptr, nullptr});
  }

  std::string step(std::size_t index, const Choice& choice, ChoiceStep step, const Usage& usage) override {
    Part& part = parts_[index];
    if (!part.begun) begin_part(index, step);
    for (const ParsedEvent& event : step.events) part.text += event.text;
    if (shape_.logprobs >= 0)
      for (const OutputToken& token : step.tokens) part.logprobs.add(token);
    if (step.finish != FinishReason::kNone) {
      part.finish = openai_finish(step.finish, false);
      part.stop = matched_stop(choice);
    }
    if (!shape_.stream || (part.text.empty() && part.finish.is_null())) return {};
    Json chunk = body(Json::array({take_choice(index)}));
    if (shape_.continuous_usage) chunk["usage"] = openai_usage(usage);
    if (!chunk["choices"][0]["finish_reason"].is_null() && ++finished_ == parts_.size() && !shape_.include_usage)
      chunk["usage"] = openai_usage(usage);
    return event_text(chunk);
  }

  std::string end(const Usage& usage) override {
    Json choices = Json::array();
    if (!shape_.stream)
      for (std::size_t i = 0; i < parts_.size(); ++i) choices.push_back(take_choice(i));
    Json all = body(std::move(choices));
    all["usage"] = openai_usage(usage);
    if (!shape_.stream) return to_text(all);
    return (shape_.include_usage ? event_text(all) : "") + "data: [DONE]\n\n";
  }

  std::string failure(const ApiError& error) override {
    return "data: " + error_body(error, ApiStyle::kOpenAi) + "\n\ndata: [DONE]\n\n";
  }

 private:
  struct Part {  // of a choice: what has not been sent
    std::string text;
    LegacyLogprobs logprobs;
    std::optional<Json> prompt_logprobs;
    bool begun;
    Json finish, stop;
  };

  void begin_part(std::size_t index, const ChoiceStep& step) {
    Part& part = parts_[index];
    const Prompt& prompt = shape_.prompts[index / shape_.copies];
    part.begun = true;
    if (shape_.echo) part.text = prompt.text;
    if (shape_.echo && shape_.logprobs >= 0) {
      part.logprobs.add_first(prompt.ids.front());
      for (const OutputToken& token : step.prompt) part.logprobs.add(token);
    }
    if (shape_.prompt_logprobs < 0) return;
    part.prompt_logprobs = prompt_logprobs(tokenizer_, step.prompt, shape_.prompt_logprobs);
  }

  Json take_choice(std::size_t index) {
    Part& part = parts_[index];
    Json choice = {{"index", index},
                   {"text", std::exchange(part.text, {})},
                   {"logprobs", shape_.logprobs >= 0 ? part.logprobs.take() : Json()},
                   {"finish_reason", part.finish},
                   {"matched_stop", part.stop}};
    if (part.prompt_logprobs) choice["prompt_logprobs"] = *std::exchange(part.prompt_logprobs, std::nullopt);
    return choice;
  }

  Json body(Json choices) const {
    return {{"id", shape_.id},
            {"object", "text_completion"},
            {"created", shape_.created},
            {"model", shape_.model},
            {"choices", std::move(choices)}};
  }

  const Tokenizer& tokenizer_;
  const Completion shape_;
  std::vector<Part> parts_;
  std::size_t finished_ = 0;
};

ApiResult<Prompt> read_prompt(const Json& value, const std::string& name, const Context& context, bool special,
                              bool skip) {
  if (value.is_string()) {
    const auto& text = value.get_ref<const std::string&>();
    return Prompt{context.tokenizer.encode(text, special), text};
  }
  if (!value.is_array()) return bad_field(name, "must be a text or a list of token ids");
  const Json holder = {{"prompt", value}};
  auto ids = TETRAD_API_TRY(Fields(holder, name.substr(0, name.size() - 6)).ids("prompt", context.options.vocab));
  std::string text = context.tokenizer.decode(ids, skip);
  return Prompt{std::move(ids), std::move(text)};
}

ApiResult<std::vector<Prompt>> read_prompts(const Fields& fields, const Context& context, bool skip) {
  const Json* value = fields.find("prompt");
  if (value == nullptr) return bad_field("prompt", "is missing");
  const bool special = TETRAD_API_TRY(fields.boolean("add_special_tokens", true));
  const bool many = value->is_array() && !value->empty() && !value->front().is_number();
  std::vector<Prompt> prompts;
  if (!many) {
    prompts.push_back(TETRAD_API_TRY(read_prompt(*value, "prompt", context, special, skip)));
    return prompts;
  }
  if (value->size() > kMaxChoices) return bad_field("prompt", fmt::format("has more than {} entries", kMaxChoices));
  for (const Json& item : *value)
    prompts.push_back(TETRAD_API_TRY(read_prompt(item, "prompt", context, special, skip)));
  return prompts;
}

ApiStatus check_best_of(const Fields& fields, const GenerationFields& wanted) {
  const auto best_of = TETRAD_API_TRY(fields.integer("best_of", 1));
  if (best_of && *best_of != wanted.n)
    return bad_field("best_of", "must be n, more is not supported by this build yet");
  return {};
}

}  // namespace

OpenResult open_completions(Context& context, const HttpRequest&, const Json& body) {
  const Fields fields(body);
  Generator* const generator = TETRAD_API_TRY(context.ready());
  Completion shape;
  const auto model = TETRAD_API_TRY(fields.text("model"));
  shape.model = TETRAD_API_TRY(context.model_name(model));
  GenerationFields wanted = TETRAD_API_TRY(read_generation(fields, context));
  if (!wanted.max_tokens) wanted.max_tokens = kDefaultCompletionTokens;
  TETRAD_API_TRY(check_best_of(fields, wanted));
  shape.logprobs = TETRAD_API_TRY(fields.integer("logprobs", 0, kMaxLogprobs)).value_or(-1);
  shape.prompt_logprobs = TETRAD_API_TRY(fields.integer("prompt_logprobs", 0, kMaxLogprobs)).value_or(-1);
  shape.echo = TETRAD_API_TRY(fields.boolean("echo", false));
  shape.prompts = TETRAD_API_TRY(read_prompts(fields, context, wanted.skip_special_tokens));
  shape.id = context.new_id("cmpl-");
  shape.created = unix_seconds();
  shape.stream = wanted.stream;
  shape.include_usage = wanted.include_usage;
  shape.continuous_usage = wanted.continuous_usage;
  shape.copies = static_cast<std::size_t>(wanted.n);
  if (shape.prompts.size() * shape.copies > kMaxChoices)
    return bad_field("n", fmt::format("asks for more than {} choices", kMaxChoices));

  Plan plan = make_plan(wanted, shape.id);
  plan.prompt_field = "prompt";
  for (const Prompt& prompt : shape.prompts) TETRAD_API_TRY(add_requests(*generator, prompt.ids, wanted, plan));
  if (wanted.format) TETRAD_API_TRY(constrain(context, *wanted.format, -1, plan));
  for (EngineRequest& request : plan.requests) {
    request.logprobs = shape.logprobs;
    request.prompt_logprobs = std::max(shape.prompt_logprobs, shape.echo ? shape.logprobs : -1);
  }
  auto answer = std::make_unique<CompletionAnswer>(context.tokenizer, std::move(shape));
  return generate(context, *generator, std::move(plan), std::move(answer));
}

}  // namespace tetrad
