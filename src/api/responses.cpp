// POST /v1/responses: OpenAI's Responses API without a memory, whole and as a stream of its events.
#include <nlohmann/json.hpp>

#include "api/chat_prompt.h"
#include "api/logprobs_json.h"
#include "api/reply.h"
#include "api/responses_request.h"
#include "api/routes.h"

namespace tetrad {
namespace {

using Kind = ParsedEvent::Kind;

struct Response {
  Json echo;  // fields of the request that the answer repeats
  bool stream = false, logprobs = false;
};

Json responses_usage(const Usage& usage) {
  return {{"input_tokens", usage.prompt_tokens},
          {"input_tokens_details", {{"cached_tokens", usage.cached_tokens}, {"cache_write_tokens", 0}}},
          {"output_tokens", usage.completion_tokens},
          {"output_tokens_details", {{"reasoning_tokens", usage.reasoning_tokens}}},
          {"total_tokens", usage.prompt_tokens + usage.completion_tokens}};
}

// Keeps the items for a whole answer and makes the events of a stream, by the same steps.
class ResponseAnswer final : public Answer {
 public:
  ResponseAnswer(Context& context, Response response) : context_(context), response_(std::move(response)) {}

  std::string begin() override {
    emit("response.created", {{"response", json("in_progress", nullptr)}});
    emit("response.in_progress", {{"response", json("in_progress", nullptr)}});
    return std::exchange(out_, {});
  }

  std::string step(std::size_t, const Choice&, ChoiceStep step, const Usage&) override {
    if (response_.logprobs)
      for (const OutputToken& token : step.tokens) logprobs_.push_back(chat_logprob(context_.tokenizer, token));
    for (const ParsedEvent& event : step.events) add(event);
    if (step.finish != FinishReason::kNone) {
      cut_ = step.finish == FinishReason::kLength;
      aborted_ = step.finish == FinishReason::kAbort;
      close(cut_ || aborted_ ? "incomplete" : "completed");
    }
    return std::exchange(out_, {});
  }

  std::string end(const Usage& usage) override {
    const char* const status = aborted_ ? "cancelled" : cut_ ? "incomplete" : "completed";
    const Json whole = json(status, responses_usage(usage));
    if (!response_.stream) return to_text(whole);
    emit(cut_ || aborted_ ? "response.incomplete" : "response.completed", {{"response", whole}});
    return std::exchange(out_, {});
  }

  std::string failure(const ApiError& error) override {
    Json failed = json("failed", nullptr);
    failed["error"] = {{"code", "server_error"}, {"message", error.message}};
    emit("response.failed", {{"response", std::move(failed)}});
    return std::exchange(out_, {});
  }

 private:
  enum class Item : std::uint8_t { kNone, kReasoning, kMessage, kCall };

  void add(const ParsedEvent& event) {
    switch (event.kind) {
      case Kind::kReasoning:
        append(Item::kReasoning, event.text);
        break;
      case Kind::kContent:
        append(Item::kMessage, event.text);
        break;
      case Kind::kCallBegin:
        close("completed");
        open(Item::kCall, {{"id", context_.new_id("fc_")},
                           {"type", "function_call"},
                           {"status", "in_progress"},
                           {"call_id", context_.new_id("call_")},
                           {"name", event.text},
                           {"arguments", ""}});
        break;
      case Kind::kArguments:
        text_ += event.text;
        emit_item("response.function_call_arguments.delta", {{"delta", event.text}});
        break;
      case Kind::kCallEnd:
        close("completed");
        break;
    }
  }

  // An item of blanks alone doesn't come out.
  void append(Item kind, const std::string& text) {
    if (kind != item_) {
      blanks_ = kind == blanks_of_ ? blanks_ + text : text;
      blanks_of_ = kind;
      if (blanks_.find_first_not_of(" \t\r\n") == std::string::npos) return;
      const std::string all = std::exchange(blanks_, {});
      close("completed");
      if (kind == Item::kReasoning)
        open(kind, {{"id", context_.new_id("rs_")},
                    {"type", "reasoning"},
                    {"summary", Json::array()},
                    {"content", Json::array()},
                    {"status", "in_progress"}});
      else
        open(kind, {{"id", context_.new_id("msg_")},
                    {"type", "message"},
                    {"status", "in_progress"},
                    {"role", "assistant"},
                    {"content", Json::array()}});
      emit_part("response.content_part.added", part(""));
      append(kind, all);
      return;
    }
    text_ += text;
    if (kind == Item::kReasoning)
      emit_content("response.reasoning_text.delta", {{"delta", text}});
    else
      emit_content("response.output_text.delta", {{"delta", text}, {"logprobs", Json::array()}});
  }

  Json part(const std::string& text) const {
    if (item_ == Item::kReasoning) return {{"type", "reasoning_text"}, {"text", text}};
    Json its = {{"type", "output_text"}, {"text", text}, {"annotations", Json::array()}};
    its["logprobs"] = text.empty() ? Json::array() : logprobs_;
    return its;
  }

  void open(Item kind, Json item) {
    item_ = kind;
    blanks_.clear();
    output_.push_back(std::move(item));
    emit("response.output_item.added", {{"output_index", output_.size() - 1}, {"item", output_.back()}});
  }

  void close(const char* status) {
    if (item_ == Item::kNone) return;
    Json& item = output_.back();
    if (item_ == Item::kCall) {
      item["arguments"] = text_;
      emit_item("response.function_call_arguments.done", {{"name", item["name"]}, {"arguments", text_}});
    } else {
      const Json whole = part(text_);
      if (item_ == Item::kReasoning)
        emit_content("response.reasoning_text.done", {{"text", text_}});
      else
        emit_content("response.output_text.done", {{"text", text_}, {"logprobs", Json::array()}});
      emit_part("response.content_part.done", whole);
      item["content"].push_back(whole);
    }
    item["status"] = status;
    emit("response.output_item.done", {{"output_index", output_.size() - 1}, {"item", item}});
    item_ = Item::kNone;
    text_.clear();
  }

  void emit(const char* type, Json fields) {
    if (!response_.stream) return;
    Json event = {{"type", type}, {"sequence_number", sequence_++}};
    event.update(fields);
    out_ += event_text(event, type);
  }
  void emit_item(const char* type, Json fields) {
    fields["item_id"] = output_.back()["id"];
    fields["output_index"] = output_.size() - 1;
    emit(type, std::move(fields));
  }
  void emit_content(const char* type, Json fields) {
    fields["content_index"] = 0;
    emit_item(type, std::move(fields));
  }
  void emit_part(const char* type, Json its) { emit_content(type, {{"part", std::move(its)}}); }

  Json json(const char* status, Json usage) const {
    Json whole = response_.echo;
    whole["status"] = status;
    whole["output"] = output_;
    whole["usage"] = std::move(usage);
    if (cut_) whole["incomplete_details"] = {{"reason", "max_output_tokens"}};
    return whole;
  }

  Context& context_;
  const Response response_;
  Json output_ = Json::array(), logprobs_ = Json::array();
  Item item_ = Item::kNone, blanks_of_ = Item::kNone;
  std::string text_, blanks_;  // of the open item; blanks that may begin one
  bool cut_ = false, aborted_ = false;
  std::int64_t sequence_ = 0;
  std::string out_;  // events of this step
};

Json echo_json(const Json& body, const std::string& id, const std::string& model, const GenerationFields& wanted) {
  const auto or_else = [&](const char* key, Json otherwise) {
    return body.contains(key) && !body[key].is_null() ? body[key] : otherwise;
  };
  return {{"id", id},
          {"object", "response"},
          {"created_at", unix_seconds()},
          {"status", "in_progress"},
          {"background", false},
          {"error", nullptr},
          {"incomplete_details", nullptr},
          {"instructions", or_else("instructions", nullptr)},
          {"max_output_tokens", or_else("max_output_tokens", nullptr)},
          {"max_tool_calls", nullptr},
          {"model", model},
          {"output", Json::array()},
          {"parallel_tool_calls", or_else("parallel_tool_calls", true)},
          {"previous_response_id", nullptr},
          {"reasoning", or_else("reasoning", {{"effort", nullptr}, {"summary", nullptr}})},
          {"service_tier", "default"},
          {"store", false},
          {"temperature", wanted.sampling.temperature},
          {"text", or_else("text", {{"format", {{"type", "text"}}}})},
          {"tool_choice", or_else("tool_choice", "auto")},
          {"tools", or_else("tools", Json::array())},
          {"top_logprobs", or_else("top_logprobs", 0)},
          {"top_p", wanted.sampling.top_p},
          {"truncation", "disabled"},
          {"usage", nullptr},
          {"user", or_else("user", nullptr)},
          {"metadata", or_else("metadata", Json::object())}};
}

// -1: no logprobs. They come when `include` or top_logprobs asks for them.
ApiResult<std::int64_t> read_responses_logprobs(const Fields& fields) {
  const Json* include = TETRAD_API_TRY(fields.array("include"));
  const auto tops = TETRAD_API_TRY(fields.integer("top_logprobs", 0, kMaxTopLogprobs));
  bool wanted = tops.value_or(0) > 0;
  if (include != nullptr)
    for (const Json& one : *include) wanted = wanted || one == "message.output_text.logprobs";
  return wanted ? tops.value_or(0) : -1;
}

}  // namespace

OpenResult open_responses(Context& context, const HttpRequest&, const Json& body) {
  const Fields fields(body);
  Generator* const generator = TETRAD_API_TRY(context.ready());
  const auto asked = TETRAD_API_TRY(fields.text("model"));
  const std::string model = TETRAD_API_TRY(context.model_name(asked));
  const Json chat = TETRAD_API_TRY(read_responses_request(body));
  GenerationFields wanted = TETRAD_API_TRY(read_generation(fields, context));
  if (wanted.n != 1) return bad_field("n", "must be 1");
  if (const auto most = TETRAD_API_TRY(fields.integer("max_output_tokens", 1))) {
    wanted.max_tokens = most;
    wanted.max_tokens_field = "max_output_tokens";
  }
  if (chat.contains("response_format")) wanted.format = TETRAD_API_TRY(read_output_format(Fields(chat)));
  const std::int64_t logprobs = TETRAD_API_TRY(read_responses_logprobs(fields));
  TETRAD_API_TRY(fields.object("metadata"));
  ChatPrompt prompt = TETRAD_API_TRY(read_chat_prompt(chat, context));
  const std::string id = context.new_id("resp_");

  Plan plan = make_plan(wanted, id);
  plan.prompt_field = "input";
  set_parser(context, prompt, plan.choice);
  TETRAD_API_TRY(add_requests(*generator, std::move(prompt.ids), wanted, plan));
  TETRAD_API_TRY(constrain_chat(context, wanted, prompt, plan));
  for (EngineRequest& request : plan.requests) request.logprobs = logprobs;
  Response response{echo_json(body, id, model, wanted), wanted.stream, logprobs >= 0};
  return generate(context, *generator, std::move(plan), std::make_unique<ResponseAnswer>(context, std::move(response)));
}

}  // namespace tetrad
