// POST /generate: SGLang's own route. text or input_ids, one or many; sampling_params; logprobs.
#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "api/generation_fields.h"
#include "api/openai_json.h"
#include "api/reply.h"
#include "api/routes.h"

namespace tetrad {
namespace {

constexpr std::size_t kMaxPrompts = 4096;
constexpr std::int64_t kDefaultNewTokens = 128, kMaxTops = 20;

struct Native {
  std::vector<std::string> ids;  // of the answers
  std::vector<std::vector<std::int32_t>> prompts;
  std::size_t copies = 1;
  bool many = false, stream = false, logprobs = false, texts = false;
  std::int64_t tops = 0, prompt_start = -1;  // of input_token_logprobs; -1: none
};

Json finish_json(FinishReason finish, const Choice& choice, std::int64_t tokens) {
  if (finish == FinishReason::kStop) {
    Json reason = {{"type", "stop"}};
    if (const Json matched = matched_stop(choice); !matched.is_null()) reason["matched"] = matched;
    return reason;
  }
  if (finish == FinishReason::kLength) return {{"type", "length"}, {"length", tokens}};
  return {{"type", "abort"}, {"message", "Aborted"}};
}

// A stream's events carry all text and logprobs up to then, as SGLang's do.
class NativeAnswer final : public Answer {
 public:
  NativeAnswer(const Tokenizer& tokenizer, Native native)
      : tokenizer_(tokenizer), native_(std::move(native)), parts_(native_.ids.size()) {}

  std::string step(std::size_t index, const Choice& choice, ChoiceStep step, const Usage&) override {
    Part& part = parts_[index];
    for (const ParsedEvent& event : step.events) part.text += event.text;
    for (const OutputToken& token : step.tokens) {
      part.ids.push_back(token.id);
      if (native_.logprobs) add(token, part.output, part.output_tops);
    }
    if (native_.logprobs && native_.prompt_start >= 0 && !std::exchange(part.begun, true))
      add_prompt(index, step.prompt);
    part.cached = choice.cached_tokens();
    if (step.finish != FinishReason::kNone) part.finish = finish_json(step.finish, choice, choice.completion_tokens());
    if (!native_.stream) return {};
    Json event = part_json(index);
    if (native_.many) event["index"] = index;
    return event_text(event);
  }

  std::string end(const Usage&) override {
    if (native_.stream) return "data: [DONE]\n\n";
    Json all = Json::array();
    for (std::size_t i = 0; i < parts_.size(); ++i) all.push_back(part_json(i));
    return to_text(native_.many ? all : all[0]);
  }

  std::string failure(const ApiError& error) override {
    return "data: " + error_body(error, ApiStyle::kOpenAi) + "\n\ndata: [DONE]\n\n";
  }

 private:
  struct Part {
    std::string text;
    std::vector<std::int32_t> ids;
    Json output = Json::array(), output_tops = Json::array(), input = Json::array(), input_tops = Json::array();
    Json finish;
    std::int64_t cached = 0;
    bool begun = false;
  };

  Json triple(std::int32_t id, float logprob) const {
    return Json::array({logprob, id, native_.texts ? Json(tokenizer_.token_bytes(id)) : Json()});
  }

  void add(const OutputToken& token, Json& list, Json& tops) const {
    list.push_back(triple(token.id, token.logprob));
    Json alternatives = Json::array();
    for (const TokenLogprob& top : token.top) alternatives.push_back(triple(top.id, top.logprob));
    tops.push_back(std::move(alternatives));
  }

  void add_prompt(std::size_t index, const std::vector<OutputToken>& tokens) {
    const auto start = static_cast<std::size_t>(native_.prompt_start);
    const auto& prompt = native_.prompts[index / native_.copies];
    Part& part = parts_[index];
    if (start == 0) {
      part.input.push_back(
          Json::array({nullptr, prompt[0], native_.texts ? Json(tokenizer_.token_bytes(prompt[0])) : Json()}));
      part.input_tops.push_back(nullptr);
    }
    for (std::size_t t = 0; t < tokens.size(); ++t)
      if (t + 1 >= start) add(tokens[t], part.input, part.input_tops);
  }

  Json part_json(std::size_t index) const {
    const Part& part = parts_[index];
    Json meta = {{"id", native_.ids[index]},
                 {"finish_reason", part.finish},
                 {"prompt_tokens", native_.prompts[index / native_.copies].size()},
                 {"completion_tokens", part.ids.size()},
                 {"cached_tokens", part.cached}};
    if (native_.logprobs) {
      meta["output_token_logprobs"] = part.output;
      if (native_.tops > 0) meta["output_top_logprobs"] = part.output_tops;
      meta["input_token_logprobs"] = part.input;  // SGLang's clients read it even if they asked for none
      if (native_.tops > 0) meta["input_top_logprobs"] = part.input_tops;
    }
    return {{"text", part.text}, {"output_ids", part.ids}, {"meta_info", std::move(meta)}};
  }

  const Tokenizer& tokenizer_;
  const Native native_;
  std::vector<Part> parts_;
};

ApiStatus read_native_prompts(const Fields& fields, const Context& context, Native& native) {
  const Json *text = fields.find("text"), *ids = fields.find("input_ids");
  if ((text == nullptr) == (ids == nullptr)) return bad_field("text", "give either text or input_ids");
  if (text != nullptr) {
    native.many = text->is_array();
    const auto texts = TETRAD_API_TRY(fields.texts("text", kMaxPrompts));
    for (const std::string& one : texts) native.prompts.push_back(context.tokenizer.encode(one, true));
  } else {
    native.many = ids->is_array() && !ids->empty() && ids->front().is_array();
    if (!native.many) {
      native.prompts.push_back(TETRAD_API_TRY(fields.ids("input_ids", context.options.vocab)));
      return {};
    }
    if (ids->size() > kMaxPrompts) return bad_field("input_ids", fmt::format("has more than {} entries", kMaxPrompts));
    for (const Json& list : *ids) {
      const Json one = {{"input_ids", list}};
      native.prompts.push_back(TETRAD_API_TRY(Fields(one).ids("input_ids", context.options.vocab)));
    }
  }
  if (native.prompts.empty()) return bad_field("text", "is empty");
  return {};
}

ApiStatus name_answers(const Fields& fields, Context& context, Native& native) {
  const std::size_t count = native.prompts.size() * native.copies;
  const Json* rid = fields.find("rid");
  if (count > kMaxPrompts)
    return bad_field("sampling_params.n", fmt::format("asks for more than {} answers", kMaxPrompts));
  for (std::size_t i = 0; i < count; ++i)
    native.ids.push_back(rid != nullptr && rid->is_string() ? rid->get<std::string>() : context.new_id(""));
  return {};
}

}  // namespace

OpenResult open_generate(Context& context, const HttpRequest&, const Json& body) {
  const Fields fields(body);
  Generator* const generator = TETRAD_API_TRY(context.ready());
  GenerationFields wanted = TETRAD_API_TRY(read_generation(fields, context));
  if (const Json* params = TETRAD_API_TRY(fields.object("sampling_params")))
    TETRAD_API_TRY(read_sampling(Fields(*params, "sampling_params."), context, wanted));
  if (!wanted.max_tokens) wanted.max_tokens = kDefaultNewTokens;
  Native native;
  TETRAD_API_TRY(read_native_prompts(fields, context, native));
  native.copies = static_cast<std::size_t>(wanted.n);
  native.many = native.many || native.copies > 1;
  native.stream = wanted.stream;
  native.logprobs = TETRAD_API_TRY(fields.boolean("return_logprob", false));
  native.texts = TETRAD_API_TRY(fields.boolean("return_text_in_logprobs", false));
  native.tops = TETRAD_API_TRY(fields.integer("top_logprobs_num", 0, kMaxTops)).value_or(0);
  native.prompt_start = TETRAD_API_TRY(fields.integer("logprob_start_len", -1)).value_or(-1);
  TETRAD_API_TRY(name_answers(fields, context, native));

  Plan plan = make_plan(wanted, native.ids.front());
  plan.prompt_field = fields.find("text") != nullptr ? "text" : "input_ids";
  for (const auto& prompt : native.prompts) TETRAD_API_TRY(add_requests(*generator, prompt, wanted, plan));
  if (wanted.format) TETRAD_API_TRY(constrain(context, *wanted.format, -1, plan));
  for (EngineRequest& request : plan.requests) {
    if (native.logprobs) request.logprobs = native.tops;
    if (native.logprobs && native.prompt_start >= 0) request.prompt_logprobs = native.tops;
  }
  auto answer = std::make_unique<NativeAnswer>(context.tokenizer, std::move(native));
  return generate(context, *generator, std::move(plan), std::move(answer));
}

}  // namespace tetrad
