#include <fmt/format.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <iostream>
#include <mutex>
#include <nlohmann/json.hpp>

#include "base/files.h"
#include "base/interrupt.h"
#include "base/log.h"
#include "chat/chat_template.h"
#include "chat/output_parser.h"
#include "cli/command.h"
#include "cli/memory_plan.h"
#include "engine/engine.h"
#include "model/dense_weights.h"
#include "model/paged_model.h"
#include "tokenizer/tokenizer.h"

namespace tetrad {
namespace {

struct ChatFlags {
  std::string model, system, expert_cache = "auto";
  std::optional<double> temperature, top_p, min_p;
  std::optional<std::int64_t> top_k;
  DenseWeights dense = DenseWeights::kStored;
  bool fast = false;
  std::int64_t max_tokens = 0;
};

constexpr std::string_view kHelp =
    "/new            forget the conversation\n"
    "/retry          answer the last question again\n"
    "/system TEXT    set the system prompt and begin anew\n"
    "/save FILE      write the conversation as a line of JSON, as --calibration takes it\n"
    "/quit           end; so does Ctrl-D. Ctrl-C stops an answer, or ends when none runs. A line that ends with \\ "
    "goes on in the next.\n";

// What the engine says, handed from its thread to this one.
class Inbox {
 public:
  void put(OutputEvent event) {
    const std::lock_guard lock(mutex_);
    events_.push_back(std::move(event));
    news_.notify_one();
  }
  // Nothing when none came for a while: time to look for signals.
  std::optional<OutputEvent> take() {
    std::unique_lock lock(mutex_);
    if (!news_.wait_for(lock, std::chrono::milliseconds(50), [&] { return !events_.empty(); })) return std::nullopt;
    OutputEvent event = std::move(events_.front());
    events_.pop_front();
    return event;
  }

 private:
  std::mutex mutex_;
  std::condition_variable news_;
  std::deque<OutputEvent> events_;
};

class Chat {
 public:
  Chat(Engine& engine, const Tokenizer& tokenizer, const ChatTemplate& chat_template, SamplingParams sampling,
       const ChatFlags& flags, bool thinks)
      : engine_(engine),
        tokenizer_(tokenizer),
        template_(chat_template),
        sampling_(std::move(sampling)),
        flags_(flags),
        thinks_(thinks) {
    begin(flags.system);
  }

  Status run() {
    const bool terminal = ::isatty(STDIN_FILENO) != 0;
    if (terminal) TETRAD_TRY(write_stdout("/help lists the commands.\n"));
    for (std::string line; read(terminal, line);) {
      if (line.empty()) continue;
      if (line == "/quit") break;
      TETRAD_TRY(line[0] == '/' ? command(line) : ask(line));
    }
    return terminal ? write_stdout("\n") : Status{};
  }

 private:
  void begin(const std::string& system) {
    messages_ = Json::array();
    if (!system.empty()) messages_.push_back({{"role", "system"}, {"content", system}});
  }

  static bool read(bool terminal, std::string& line) {
    line.clear();
    for (std::string part;; line += '\n') {
      if (terminal) std::cout << (line.empty() ? "> " : ". ") << std::flush;
      if (!std::getline(std::cin, part) || interrupted()) return false;
      const bool more = part.ends_with('\\');
      if (more) part.pop_back();
      line += part;
      if (!more) return true;
    }
  }

  Status command(const std::string& line) {
    const std::size_t space = line.find(' ');
    const std::string name = line.substr(0, space), rest = space == std::string::npos ? "" : line.substr(space + 1);
    if (name == "/help") return write_stdout(kHelp);
    if (name == "/new") begin(flags_.system);
    if (name == "/system") begin(rest);
    if (name == "/save") return save(rest);
    if (name == "/retry") return retry();
    if (name == "/new" || name == "/system") return {};
    return write_stdout(fmt::format("there is no {}; /help lists the commands\n", printable(name)));
  }

  Status save(const std::string& path) const {
    const Status status = write_file_atomically(path, Json{{"messages", messages_}}.dump() + "\n");
    return status ? write_stdout("saved\n") : write_stdout(status.error().message + "\n");
  }

  Status retry() {
    while (!messages_.empty() && messages_.back()["role"] == "assistant") messages_.erase(messages_.size() - 1);
    if (messages_.empty() || messages_.back()["role"] != "user") return write_stdout("there is no question yet\n");
    sampling_.seed += 1;
    return answer();
  }

  Status ask(const std::string& text) {
    messages_.push_back({{"role", "user"}, {"content", text}});
    return answer();
  }

  Status answer() {
    const auto prompt = template_.render(Json{{"messages", messages_}, {"add_generation_prompt", true}});
    if (!prompt) return write_stdout(prompt.error().message + "\n");
    EngineRequest request;
    request.prompt = tokenizer_.encode(*prompt, false);
    request.sampling = sampling_;
    request.max_tokens = flags_.max_tokens > 0 ? flags_.max_tokens : engine_.context_length();
    const auto inbox = std::make_shared<Inbox>();
    const auto start = std::chrono::steady_clock::now();
    const auto id = engine_.submit(std::move(request), [inbox](OutputEvent event) { inbox->put(std::move(event)); });
    if (!id) {
      messages_.erase(messages_.size() - 1);
      return write_stdout(id.error().message + "\n");
    }
    return print(*inbox, *id, start);
  }

  Status print(Inbox& inbox, RequestId id, std::chrono::steady_clock::time_point start) {
    OutputParser::Options options;
    if (thinks_) options.reasoning = ReasoningParser::kMinimax;
    OutputParser parser(std::move(options));
    StreamDecoder decoder(tokenizer_, true);
    Json message = {{"role", "assistant"}, {"content", ""}};
    std::size_t tokens = 0;
    for (bool cancelled = false;;) {
      if (interrupted() && !std::exchange(cancelled, true)) engine_.cancel(id);
      const auto event = inbox.take();
      if (!event) continue;
      std::string text;
      for (const OutputToken& token : event->tokens) text += decoder.push(token.id);
      tokens += event->tokens.size();
      TETRAD_TRY(show(parser.push(text), message));
      if (event->finish == FinishReason::kNone) continue;
      TETRAD_TRY(show(parser.push(decoder.finish()), message));
      TETRAD_TRY(show(parser.finish(), message));
      TETRAD_TRY(write_stdout(dim_ ? "\033[0m\n" : "\n"));
      last_ = ParsedEvent::Kind::kContent;
      dim_ = false;
      if (cancelled) take_interrupt();
      const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
      log_note(fmt::format("{} tokens, {:.1f} tokens/s, {} of the prompt from the cache{}", tokens,
                           static_cast<double>(tokens) / seconds, event->cached_tokens,
                           event->error.empty() ? "" : ": " + event->error));
      messages_.push_back(std::move(message));
      return interrupted() ? check_interrupt() : Status{};
    }
  }

  // The thought is grey on a terminal.
  Status show(const std::vector<ParsedEvent>& events, Json& message) {
    static const bool kTerminal = ::isatty(STDOUT_FILENO) != 0;
    for (const ParsedEvent& event : events) {
      if (event.text.empty()) continue;
      const bool thought = event.kind == ParsedEvent::Kind::kReasoning;
      if (!thought && last_ == ParsedEvent::Kind::kReasoning) TETRAD_TRY(write_stdout("\n"));
      last_ = event.kind;
      if (kTerminal && thought != dim_) TETRAD_TRY(write_stdout(thought ? "\033[2m" : "\033[0m"));
      dim_ = kTerminal && thought;
      Json& field = message[thought ? "reasoning_content" : "content"];
      if (!field.is_string()) field = "";
      field = field.get<std::string>() + event.text;
      TETRAD_TRY(write_stdout(event.text));
    }
    return {};
  }

  Engine& engine_;
  const Tokenizer& tokenizer_;
  const ChatTemplate& template_;
  SamplingParams sampling_;
  const ChatFlags& flags_;
  const bool thinks_;
  Json messages_;
  ParsedEvent::Kind last_ = ParsedEvent::Kind::kContent;
  bool dim_ = false;
};

Result<SamplingParams> sampling_of(const ChatFlags& flags, std::uint64_t seed) {
  SamplingParams params = TETRAD_TRY(read_generation_config(flags.model));
  params.temperature = flags.temperature.value_or(params.temperature);
  params.top_p = flags.top_p.value_or(params.top_p);
  params.top_k = flags.top_k.value_or(params.top_k);
  params.min_p = flags.min_p.value_or(params.min_p);
  params.seed = seed;
  TETRAD_TRY(params.validate());
  return params;
}

Status run_chat(const ChatFlags& flags, const CommonFlags& common) {
  const Model opened = TETRAD_TRY(open_model(flags.model));
  const Tokenizer tokenizer = TETRAD_TRY(Tokenizer::load(flags.model));
  const ChatTemplate chat_template = TETRAD_TRY(ChatTemplate::load(flags.model));
  const Compute compute = TETRAD_TRY(common.compute());
  MemoryRequest memory = TETRAD_TRY(memory_request(opened, flags.expert_cache, flags.dense));
  memory.bytes_per_token = PagedModel::bytes_per_slot(opened.config, false);
  EngineOptions options;
  auto planned = plan_memory(memory);
  if (!planned)
    return Unexpected(std::move(planned).error().with_hint(
        "free memory, or take --dense-weights int8; --expert-cache auto takes what is left"));
  const MemoryPlan plan = std::move(*planned);
  options.max_total_tokens = std::min(plan.pool_tokens, 2 * opened.config.max_position);
  options.expert_cache_bytes = plan.expert_cache_bytes;
  options.ngram_speculation = true;
  options.forward.dense = flags.dense;
  options.forward.int8_inputs = flags.fast;
  for (const std::int64_t id : opened.config.eos_ids) options.end_tokens.push_back(static_cast<std::int32_t>(id));
  const auto engine = TETRAD_TRY(Engine::create(opened.checkpoint, opened.config, compute, options));
  SamplingParams sampling = TETRAD_TRY(sampling_of(flags, common.seed));
  return Chat(*engine, tokenizer, chat_template, std::move(sampling), flags, opened.config.family == Family::kMiniMaxM2)
      .run();
}

}  // namespace

void register_chat(CLI::App& app, const CommonFlags& common, Action& action) {
  auto* command = add_command(app, common, "chat", "a conversation in the terminal");
  auto flags = std::make_shared<ChatFlags>();
  command->add_option("model", flags->model, "model directory")->required();
  command->add_option("--system", flags->system, "the system prompt");
  command->add_option("--temperature", flags->temperature, "0 is greedy (default: the model's)");
  command->add_option("--top-p", flags->top_p, "(default: the model's)");
  command->add_option("--top-k", flags->top_k, "(default: the model's)");
  command->add_option("--min-p", flags->min_p, "(default 0)");
  command->add_option("--max-tokens", flags->max_tokens, "of an answer (default: what the context takes)")
      ->check(CLI::PositiveNumber);
  add_dense_weights_option(*command, flags->dense);
  add_fast_flag(*command, flags->fast);
  add_expert_cache_option(*command, flags->expert_cache);
  command->callback([flags, &common, &action] { action = [flags, &common] { return run_chat(*flags, common); }; });
}

}  // namespace tetrad
