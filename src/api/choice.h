// One answer in the making: token ids from the engine in, pieces of text and calls out. Used by generation.cpp; not
// thread-safe.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "api/stop_filter.h"
#include "chat/output_parser.h"
#include "engine/request.h"
#include "tokenizer/tokenizer.h"

namespace tetrad {

struct ChoiceOptions {
  bool skip_special_tokens = true;
  bool keep_stop = false;  // the stop string, or the token of stop_token_ids, is part of the text
  std::vector<std::string> stop;
  std::int64_t min_tokens = 0;        // stop strings don't count in the text of so many tokens
  bool stop_in_content_only = false;  // as on /v1/messages; else anywhere
  std::optional<OutputParser::Options> parser;
  bool single_call = false;     // the first tool call ends the answer
  std::int32_t think_end = -1;  // the token that ends the thought, for counting; -1: there is no thought
};

// News of a choice.
struct ChoiceStep {
  std::vector<ParsedEvent> events;
  std::vector<OutputToken> tokens;  // all that count as generated, the end token too
  std::vector<OutputToken> prompt;  // as OutputEvent's
  FinishReason finish = FinishReason::kNone;
  std::string error;
};

class Choice {
 public:
  Choice(const Tokenizer& tokenizer, ChoiceOptions options);

  // After an event that ended the choice (a stop string may do so before the engine knows) nothing more comes out.
  ChoiceStep take(OutputEvent event);

  bool finished() const { return finished_; }
  const std::string& stop_string() const { return filter_.matched(); }  // empty: none matched
  std::optional<std::int32_t> end_token() const { return end_token_; }  // the stop or end token that ended it
  bool called() const { return called_; }                               // a tool call was begun
  std::int64_t completion_tokens() const { return completion_tokens_; }
  std::int64_t reasoning_tokens() const { return reasoning_tokens_; }
  std::int64_t cached_tokens() const { return cached_tokens_; }

 private:
  void add_text(const std::string& text, std::vector<ParsedEvent>& out);
  void parse(const std::string& text, std::vector<ParsedEvent>& out);
  void add_events(std::vector<ParsedEvent> events, std::vector<ParsedEvent>& out);
  void add_content(const std::string& text, std::vector<ParsedEvent>& out);
  void end(std::vector<ParsedEvent>& out);

  ChoiceOptions options_;
  StreamDecoder decoder_;
  StopFilter filter_;
  std::optional<OutputParser> parser_;
  // Nothing that comes now belongs to the answer any more.
  bool over() const { return filter_.stopped() || call_ended_; }

  bool finished_ = false, called_ = false, call_ended_ = false, thinking_;
  std::optional<std::int32_t> end_token_;
  std::int64_t completion_tokens_ = 0, reasoning_tokens_ = 0, cached_tokens_ = 0;
};

}  // namespace tetrad
