// Pieces that OpenAI's answers share. Used by chat.cpp and completions.cpp.
#pragma once

#include "api/generation.h"
#include "base/json.h"

namespace tetrad {

Json openai_usage(const Usage& usage);
// stop, length, tool_calls, abort; null for kNone.
Json openai_finish(FinishReason reason, bool called);
// What ended it: the stop string, or the token's id; null when it was neither.
Json matched_stop(const Choice& choice);

}  // namespace tetrad
