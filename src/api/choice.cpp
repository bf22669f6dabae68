#include "api/choice.h"

#include <algorithm>

namespace tetrad {

using Kind = ParsedEvent::Kind;

Choice::Choice(const Tokenizer& tokenizer, ChoiceOptions options)
    : options_(std::move(options)),
      decoder_(tokenizer, options_.skip_special_tokens),
      filter_(options_.stop, options_.keep_stop),
      thinking_(options_.think_end >= 0) {
  if (options_.parser) parser_.emplace(*options_.parser);
}

ChoiceStep Choice::take(OutputEvent event) {
  ChoiceStep step;
  cached_tokens_ = std::max(cached_tokens_, event.cached_tokens);
  if (finished_) return step;
  step.prompt = std::move(event.prompt);
  for (std::size_t t = 0; t < event.tokens.size() && !over(); ++t) {
    OutputToken& token = event.tokens[t];
    ++completion_tokens_;
    if (thinking_) ++reasoning_tokens_;
    if (token.id == options_.think_end) thinking_ = false;
    const bool ends = event.finish == FinishReason::kStop && t + 1 == event.tokens.size();
    if (ends) end_token_ = token.id;
    if (!ends || options_.keep_stop) add_text(decoder_.push(token.id), step.events);
    step.tokens.push_back(std::move(token));
  }
  if (event.finish != FinishReason::kNone || over()) end(step.events);
  step.finish = over() ? FinishReason::kStop : event.finish;
  if (over()) end_token_.reset();
  step.error = std::move(event.error);
  return step;
}

// Lets go of what is held back.
void Choice::end(std::vector<ParsedEvent>& out) {
  finished_ = true;
  if (!over()) add_text(decoder_.finish(), out);
  if (!options_.stop_in_content_only && !over()) parse(filter_.release(), out);
  if (parser_) add_events(parser_->finish(), out);
  if (options_.stop_in_content_only && !over()) add_content(filter_.release(), out);
}

// Text as the model wrote it.
void Choice::add_text(const std::string& text, std::vector<ParsedEvent>& out) {
  const bool match = !options_.stop_in_content_only && completion_tokens_ > options_.min_tokens;
  parse(match ? filter_.push(text) : text, out);
}

void Choice::parse(const std::string& text, std::vector<ParsedEvent>& out) {
  if (text.empty()) return;
  add_events(parser_ ? parser_->push(text) : std::vector<ParsedEvent>{{Kind::kContent, text, 0}}, out);
}

void Choice::add_events(std::vector<ParsedEvent> events, std::vector<ParsedEvent>& out) {
  const bool in_content = options_.stop_in_content_only;
  for (ParsedEvent& event : events) {
    if (call_ended_ || (in_content && filter_.stopped())) return;
    if (event.kind == Kind::kContent) {
      const bool match = in_content && completion_tokens_ > options_.min_tokens;
      add_content(match ? filter_.push(event.text) : event.text, out);
      continue;
    }
    if (in_content) add_content(filter_.release(), out);  // a block of text ends here
    if (event.kind == Kind::kCallBegin) called_ = true;
    if (event.kind == Kind::kCallEnd && options_.single_call) call_ended_ = true;
    out.push_back(std::move(event));
  }
}

void Choice::add_content(const std::string& text, std::vector<ParsedEvent>& out) {
  if (!text.empty()) out.push_back({Kind::kContent, text, 0});
}

}  // namespace tetrad
