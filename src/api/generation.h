// From a plan of what to generate to the bytes of an answer, whole or as a stream of server-sent events. The routes
// make plans and bring an Answer that knows their API's shape.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "api/choice.h"
#include "api/context.h"

namespace tetrad {

struct Plan {
  std::vector<EngineRequest> requests;  // one a choice; `copies` neighbours share a prompt
  std::size_t copies = 1;
  ChoiceOptions choice;
  ApiStyle style = ApiStyle::kOpenAi;
  std::string id;            // for /abort_request: the client's rid, or the answer's id
  std::string prompt_field;  // named when the engine finds the prompt bad
  bool stream = false;
};

struct Usage {
  std::int64_t prompt_tokens = 0, cached_tokens = 0, completion_tokens = 0, reasoning_tokens = 0;
};

// The shape of an answer. A stream takes what begin, step and end return, one after the other; a whole answer is what
// end returns.
class Answer {
 public:
  virtual ~Answer() = default;
  virtual std::string begin() { return {}; }
  virtual std::string step(std::size_t index, const Choice& choice, ChoiceStep step, const Usage& usage) = 0;
  virtual std::string end(const Usage& usage) = 0;
  virtual std::string failure(const ApiError& error) = 0;  // after the stream began; ends it
};

std::unique_ptr<Exchange> generate(Context& context, Generator& generator, Plan plan, std::unique_ptr<Answer> answer);

// "data: JSON\n\n", and with a name "event: NAME\n" before it.
std::string event_text(const Json& data, const std::string& name = {});

}  // namespace tetrad
