// POST /v1/messages and /v1/messages/count_tokens: Anthropic's API, whole and as a stream of its events.
#include <nlohmann/json.hpp>

#include "api/chat_prompt.h"
#include "api/messages_request.h"
#include "api/reply.h"
#include "api/routes.h"

namespace tetrad {
namespace {

using Kind = ParsedEvent::Kind;

struct Message {
  std::string id, model;
  std::int64_t prompt_tokens = 0;
  bool stream = false, show_thinking = true;
};

Json messages_usage(const Usage& usage) {
  return {{"input_tokens", usage.prompt_tokens - usage.cached_tokens},
          {"cache_creation_input_tokens", 0},
          {"cache_read_input_tokens", usage.cached_tokens},
          {"output_tokens", usage.completion_tokens}};
}

const char* stop_reason(const Choice& choice, FinishReason finish) {
  if (!choice.stop_string().empty()) return "stop_sequence";
  if (finish == FinishReason::kLength) return "max_tokens";
  return choice.called() ? "tool_use" : "end_turn";
}

// Keeps the blocks for a whole answer and makes the events of a stream, by the same steps.
class MessageAnswer final : public Answer {
 public:
  MessageAnswer(Context& context, Message message) : context_(context), message_(std::move(message)) {}

  std::string begin() override {
    Usage usage;
    usage.prompt_tokens = message_.prompt_tokens;
    emit({{"type", "message_start"}, {"message", message_json(usage)}});
    emit({{"type", "ping"}});
    return std::exchange(out_, {});
  }

  std::string step(std::size_t, const Choice& choice, ChoiceStep step, const Usage&) override {
    for (const ParsedEvent& event : step.events) add(event);
    if (step.finish != FinishReason::kNone) {
      close();
      reason_ = stop_reason(choice, step.finish);
      if (!choice.stop_string().empty()) sequence_ = choice.stop_string();
    }
    return std::exchange(out_, {});
  }

  std::string end(const Usage& usage) override {
    if (!message_.stream) return to_text(message_json(usage));
    emit({{"type", "message_delta"},
          {"delta", {{"stop_reason", reason_}, {"stop_sequence", sequence_}}},
          {"usage", messages_usage(usage)}});
    emit({{"type", "message_stop"}});
    return std::exchange(out_, {});
  }

  std::string failure(const ApiError& error) override {
    return "event: error\ndata: " + error_body(error, ApiStyle::kAnthropic) + "\n\n";
  }

 private:
  enum class Block : std::uint8_t { kNone, kThinking, kText, kTool };

  void add(const ParsedEvent& event) {
    switch (event.kind) {
      case Kind::kReasoning:
        if (message_.show_thinking) append(Block::kThinking, event.text);
        break;
      case Kind::kContent:
        append(Block::kText, event.text);
        break;
      case Kind::kCallBegin:
        open(
            Block::kTool,
            {{"type", "tool_use"}, {"id", context_.new_id("toolu_")}, {"name", event.text}, {"input", Json::object()}});
        break;
      case Kind::kArguments:
        text_ += event.text;
        delta({{"type", "input_json_delta"}, {"partial_json", event.text}});
        break;
      case Kind::kCallEnd:
        close();
        break;
    }
  }

  // A block of blanks alone never comes out: Anthropic's API doesn't take it back.
  void append(Block kind, const std::string& text) {
    if (kind != block_) {
      blanks_ = kind == blanks_of_ ? blanks_ + text : text;
      blanks_of_ = kind;
      if (blanks_.find_first_not_of(" \t\r\n") == std::string::npos) return;
      const std::string all = std::exchange(blanks_, {});
      if (kind == Block::kThinking)
        open(kind, {{"type", "thinking"}, {"thinking", ""}, {"signature", ""}});
      else
        open(kind, {{"type", "text"}, {"text", ""}});
      append(kind, all);
      return;
    }
    text_ += text;
    if (kind == Block::kThinking)
      delta({{"type", "thinking_delta"}, {"thinking", text}});
    else
      delta({{"type", "text_delta"}, {"text", text}});
  }

  void open(Block kind, Json start) {
    close();
    block_ = kind;
    blanks_.clear();
    emit({{"type", "content_block_start"}, {"index", content_.size()}, {"content_block", start}});
    content_.push_back(std::move(start));
  }

  void delta(Json change) {
    emit({{"type", "content_block_delta"}, {"index", content_.size() - 1}, {"delta", std::move(change)}});
  }

  void close() {
    if (block_ == Block::kNone) return;
    Json& last = content_.back();
    if (block_ == Block::kThinking) {
      delta({{"type", "signature_delta"}, {"signature", ""}});
      last["thinking"] = std::move(text_);
    } else if (block_ == Block::kText) {
      last["text"] = std::move(text_);
    } else if (auto input = parse_json(text_, "arguments"); input) {
      last["input"] = std::move(*input);
    }
    emit({{"type", "content_block_stop"}, {"index", content_.size() - 1}});
    block_ = Block::kNone;
    text_.clear();
  }

  void emit(const Json& event) {
    if (message_.stream) out_ += event_text(event, event["type"].get<std::string>());
  }

  Json message_json(const Usage& usage) const {
    return {{"id", message_.id},          {"type", "message"},
            {"role", "assistant"},        {"model", message_.model},
            {"content", content_},        {"stop_reason", reason_},
            {"stop_sequence", sequence_}, {"usage", messages_usage(usage)}};
  }

  Context& context_;
  const Message message_;
  Json content_ = Json::array();  // the blocks so far
  Block block_ = Block::kNone, blanks_of_ = Block::kNone;
  std::string text_, blanks_;  // of the open block; blanks that may begin one
  Json reason_, sequence_;
  std::string out_;  // events of this step
};

}  // namespace

OpenResult open_messages(Context& context, const HttpRequest&, const Json& body) {
  const Fields fields(body);
  Generator* const generator = TETRAD_API_TRY(context.ready());
  Message message;
  const auto model = TETRAD_API_TRY(fields.text("model"));
  message.model = TETRAD_API_TRY(context.model_name(model));
  GenerationFields wanted = TETRAD_API_TRY(read_generation(fields, context));
  if (!wanted.max_tokens) return bad_field("max_tokens", "is missing");
  if (*wanted.max_tokens == 0) return bad_field("max_tokens", "must be at least 1");
  if (wanted.n != 1) return bad_field("n", "must be 1");
  TETRAD_API_TRY(fields.array("stop_sequences"));
  const auto stops = TETRAD_API_TRY(fields.texts("stop_sequences", 32));
  for (const std::string& stop : stops) {
    if (stop.empty()) return bad_field("stop_sequences", "holds an empty text");
    wanted.stop.push_back(stop);
  }
  const Json chat = TETRAD_API_TRY(read_messages_request(body));
  if (chat.contains("response_format")) wanted.format = TETRAD_API_TRY(read_output_format(Fields(chat)));
  ChatPrompt prompt = TETRAD_API_TRY(read_chat_prompt(chat, context));
  message.id = context.new_id("msg_");
  message.stream = wanted.stream;
  message.show_thinking = shows_thinking(body);
  message.prompt_tokens = static_cast<std::int64_t>(prompt.ids.size());

  Plan plan = make_plan(wanted, message.id);
  plan.style = ApiStyle::kAnthropic;
  plan.prompt_field = "messages";
  set_parser(context, prompt, plan.choice);
  plan.choice.stop_in_content_only = true;
  TETRAD_API_TRY(add_requests(*generator, std::move(prompt.ids), wanted, plan));
  TETRAD_API_TRY(constrain_chat(context, wanted, prompt, plan));
  return generate(context, *generator, std::move(plan), std::make_unique<MessageAnswer>(context, std::move(message)));
}

OpenResult open_count_tokens(Context& context, const HttpRequest&, const Json& body) {
  const auto model = TETRAD_API_TRY(Fields(body).text("model"));
  TETRAD_API_TRY(context.model_name(model));
  const Json chat = TETRAD_API_TRY(read_messages_request(body));
  const ChatPrompt prompt = TETRAD_API_TRY(read_chat_prompt(chat, context));
  return reply({{"input_tokens", prompt.ids.size()}});
}

}  // namespace tetrad
