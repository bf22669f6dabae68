// POST /v1/chat/completions, whole and as a stream, as OpenAI has it with reasoning_content beside content.
#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "api/chat_prompt.h"
#include "api/logprobs_json.h"
#include "api/openai_json.h"
#include "api/reply.h"
#include "api/routes.h"

namespace tetrad {
namespace {

using Kind = ParsedEvent::Kind;
constexpr std::int64_t kMaxPromptLogprobs = 20;

struct Chat {
  std::string id, model;
  std::int64_t created = 0;
  bool logprobs = false, stream = false, include_usage = false, continuous_usage = false;
  bool stream_reasoning = true, include_reasoning = true;
  std::int64_t prompt_logprobs = -1;
  std::size_t choices = 1;
};

Json logprobs_json(Json list) { return {{"content", std::move(list)}, {"refusal", nullptr}}; }

class WholeChat final : public Answer {
 public:
  WholeChat(Context& context, Chat chat) : context_(context), chat_(std::move(chat)), choices_(chat_.choices) {}

  std::string step(std::size_t index, const Choice& choice, ChoiceStep step, const Usage&) override {
    Message& message = choices_[index];
    if (chat_.prompt_logprobs >= 0 && prompt_logprobs_.is_null())
      prompt_logprobs_ = prompt_logprobs(context_.tokenizer, step.prompt, chat_.prompt_logprobs);
    for (ParsedEvent& event : step.events) add(message, event);
    if (chat_.logprobs)
      for (const OutputToken& token : step.tokens) message.logprobs.push_back(chat_logprob(context_.tokenizer, token));
    if (step.finish != FinishReason::kNone) {
      message.finish = openai_finish(step.finish, choice.called());
      message.stop = matched_stop(choice);
    }
    return {};
  }

  std::string end(const Usage& usage) override {
    Json list = Json::array();
    for (std::size_t i = 0; i < choices_.size(); ++i) list.push_back(choice_json(i));
    Json all = {{"id", chat_.id},       {"object", "chat.completion"}, {"created", chat_.created},
                {"model", chat_.model}, {"choices", std::move(list)},  {"usage", openai_usage(usage)}};
    if (!prompt_logprobs_.is_null()) all["prompt_logprobs"] = std::move(prompt_logprobs_);
    return to_text(all);
  }

  std::string failure(const ApiError&) override { return {}; }

 private:
  struct Call {
    std::string id, name, arguments;
  };
  struct Message {
    std::string reasoning, content;
    std::vector<Call> calls;
    Json logprobs = Json::array(), finish, stop;
  };

  void add(Message& message, const ParsedEvent& event) {
    switch (event.kind) {
      case Kind::kReasoning:
        if (chat_.include_reasoning) message.reasoning += event.text;
        break;
      case Kind::kContent:
        message.content += event.text;
        break;
      case Kind::kCallBegin:
        message.calls.push_back({context_.new_id("call_"), event.text, {}});
        break;
      case Kind::kArguments:
        message.calls.back().arguments += event.text;
        break;
      case Kind::kCallEnd:
        break;
    }
  }

  Json choice_json(std::size_t index) {
    Message& message = choices_[index];
    const bool no_content = message.content.empty() && !message.calls.empty();
    Json body = {{"role", "assistant"},
                 {"content", no_content ? Json() : Json(message.content)},
                 {"refusal", nullptr},
                 {"reasoning_content", message.reasoning.empty() ? Json() : Json(message.reasoning)}};
    if (!message.calls.empty()) body["tool_calls"] = Json::array();
    for (const Call& call : message.calls)
      body["tool_calls"].push_back(
          {{"id", call.id}, {"type", "function"}, {"function", {{"name", call.name}, {"arguments", call.arguments}}}});
    return {{"index", index},
            {"message", std::move(body)},
            {"logprobs", chat_.logprobs ? logprobs_json(std::move(message.logprobs)) : Json()},
            {"finish_reason", std::move(message.finish)},
            {"matched_stop", std::move(message.stop)}};
  }

  Context& context_;
  const Chat chat_;
  std::vector<Message> choices_;
  Json prompt_logprobs_;  // once for all choices
};

class StreamedChat final : public Answer {
 public:
  StreamedChat(Context& context, Chat chat) : context_(context), chat_(std::move(chat)), choices_(chat_.choices) {}

  std::string begin() override {
    std::string text;
    for (std::size_t i = 0; i < choices_.size(); ++i)
      text += event_text(chunk(i, {{"role", "assistant"}, {"content", ""}}));
    return text;
  }

  std::string step(std::size_t index, const Choice& choice, ChoiceStep step, const Usage& usage) override {
    State& state = choices_[index];
    if (chat_.logprobs)
      for (const OutputToken& token : step.tokens) state.logprobs.push_back(chat_logprob(context_.tokenizer, token));
    std::string text;
    usage_ = chat_.continuous_usage ? openai_usage(usage) : Json();
    for (const ParsedEvent& event : step.events) text += delta(index, event);
    if (step.finish == FinishReason::kNone) return text;
    text += send_reasoning(index);
    Json last = chunk(index, Json::object());
    last["choices"][0]["finish_reason"] = openai_finish(step.finish, choice.called());
    last["choices"][0]["matched_stop"] = matched_stop(choice);
    if (++finished_ == choices_.size() && !chat_.include_usage) last["usage"] = openai_usage(usage);
    return text + event_text(last);
  }

  std::string end(const Usage& usage) override {
    std::string text;
    if (chat_.include_usage) {
      Json last = head();
      last["choices"] = Json::array();
      last["usage"] = openai_usage(usage);
      text = event_text(last);
    }
    return text + "data: [DONE]\n\n";
  }

  std::string failure(const ApiError& error) override {
    return "data: " + error_body(error, ApiStyle::kOpenAi) + "\n\ndata: [DONE]\n\n";
  }

 private:
  struct State {
    std::string reasoning;          // held back: stream_reasoning is false
    Json logprobs = Json::array();  // not yet sent
  };

  std::string delta(std::size_t index, const ParsedEvent& event) {
    if (event.kind == Kind::kReasoning && !chat_.include_reasoning) return {};
    if (event.kind == Kind::kReasoning && !chat_.stream_reasoning) {
      choices_[index].reasoning += event.text;
      return {};
    }
    std::string text = event.kind == Kind::kReasoning ? std::string() : send_reasoning(index);
    switch (event.kind) {
      case Kind::kReasoning:
        return event_text(chunk(index, {{"reasoning_content", event.text}}));
      case Kind::kContent:
        return text + event_text(chunk(index, {{"content", event.text}}));
      case Kind::kCallBegin:
        return text + event_text(call_chunk(index, {{"index", event.call},
                                                    {"id", context_.new_id("call_")},
                                                    {"type", "function"},
                                                    {"function", {{"name", event.text}, {"arguments", ""}}}}));
      case Kind::kArguments:
        return text + event_text(call_chunk(index, {{"index", event.call}, {"function", {{"arguments", event.text}}}}));
      case Kind::kCallEnd:
        break;
    }
    return text;
  }

  std::string send_reasoning(std::size_t index) {
    std::string& held = choices_[index].reasoning;
    if (held.empty()) return {};
    return event_text(chunk(index, {{"reasoning_content", std::exchange(held, {})}}));
  }

  Json call_chunk(std::size_t index, Json call) {
    return chunk(index, {{"tool_calls", Json::array({std::move(call)})}});
  }

  Json chunk(std::size_t index, Json delta) {
    Json& pending = choices_[index].logprobs;
    Json logprobs;
    if (!pending.empty()) logprobs = logprobs_json(std::exchange(pending, Json::array()));
    Json result = head();
    result["choices"] = Json::array({{{"index", index},
                                      {"delta", std::move(delta)},
                                      {"logprobs", std::move(logprobs)},
                                      {"finish_reason", nullptr}}});
    if (chat_.include_usage || chat_.continuous_usage) result["usage"] = usage_;
    return result;
  }

  Json head() const {
    return {{"id", chat_.id}, {"object", "chat.completion.chunk"}, {"created", chat_.created}, {"model", chat_.model}};
  }

  Context& context_;
  const Chat chat_;
  std::vector<State> choices_;
  Json usage_;  // in each chunk: null unless stream_options asked for it
  std::size_t finished_ = 0;
};

// -1: no logprobs.
ApiResult<std::int64_t> read_chat_logprobs(const Fields& fields) {
  const bool wanted = TETRAD_API_TRY(fields.boolean("logprobs", false));
  const auto tops = TETRAD_API_TRY(fields.integer("top_logprobs", 0, kMaxTopLogprobs));
  if (!wanted && tops.value_or(0) > 0) return bad_field("top_logprobs", "wants logprobs to be true");
  return wanted ? tops.value_or(0) : -1;
}

}  // namespace

OpenResult open_chat(Context& context, const HttpRequest&, const Json& body) {
  const Fields fields(body);
  Generator* const generator = TETRAD_API_TRY(context.ready());
  Chat chat;
  const auto model = TETRAD_API_TRY(fields.text("model"));
  chat.model = TETRAD_API_TRY(context.model_name(model));
  const GenerationFields wanted = TETRAD_API_TRY(read_generation(fields, context));
  if (wanted.max_tokens == 0) return bad_field(wanted.max_tokens_field, "must be at least 1");
  const std::int64_t logprobs = TETRAD_API_TRY(read_chat_logprobs(fields));
  chat.prompt_logprobs = TETRAD_API_TRY(fields.integer("prompt_logprobs", 0, kMaxPromptLogprobs)).value_or(-1);
  if (chat.prompt_logprobs >= 0 && wanted.stream) return bad_field("prompt_logprobs", "does not go with stream");
  ChatPrompt prompt = TETRAD_API_TRY(read_chat_prompt(body, context));
  chat.id = context.new_id("chatcmpl-");
  chat.created = unix_seconds();
  chat.logprobs = logprobs >= 0;
  chat.stream = wanted.stream;
  chat.include_usage = wanted.include_usage;
  chat.continuous_usage = wanted.continuous_usage;
  chat.stream_reasoning = prompt.stream_reasoning;
  chat.include_reasoning = prompt.include_reasoning;
  chat.choices = static_cast<std::size_t>(wanted.n);

  Plan plan = make_plan(wanted, chat.id);
  plan.prompt_field = "messages";
  set_parser(context, prompt, plan.choice);
  TETRAD_API_TRY(add_requests(*generator, std::move(prompt.ids), wanted, plan));
  TETRAD_API_TRY(constrain_chat(context, wanted, prompt, plan));
  for (EngineRequest& request : plan.requests) request.logprobs = logprobs;
  plan.requests.front().prompt_logprobs = chat.prompt_logprobs;
  std::unique_ptr<Answer> answer;
  if (chat.stream)
    answer = std::make_unique<StreamedChat>(context, std::move(chat));
  else
    answer = std::make_unique<WholeChat>(context, std::move(chat));
  return generate(context, *generator, std::move(plan), std::move(answer));
}

}  // namespace tetrad
