// What an answer's text has to be: fields of structured output, and calls that tool_choice or strict tools demand, as
// grammars. Used by the routes that generate.
#pragma once

#include <optional>
#include <string>

#include "api/chat_messages.h"
#include "api/context.h"
#include "api/generation.h"
#include "grammar/grammar.h"

namespace tetrad {

struct OutputFormat {
  GrammarSpec spec;
  std::string field;  // that asked for it
};

// response_format, regex, ebnf, grammar, json_schema, structural_tag, structured_outputs, guided_*: at most one of
// them. Nothing when all is free.
ApiResult<std::optional<OutputFormat>> read_output_format(const Fields& fields);

// What the answer has to be when there are tools as well: calls for tool_choice required and named functions, either
// calls or `format` where both may come, free text whose calls hold to their schemas for strict tools.
ApiResult<std::optional<OutputFormat>> with_tools(std::optional<OutputFormat> format, const ToolUse& tools,
                                                  ToolParser parser);

// Gives each request of the plan its constraint. think_end: see GrammarCompiler::compile's free_until. Compiles on the
// calling thread, up to a second for large schemas.
ApiStatus constrain(Context& context, const OutputFormat& format, std::int32_t think_end, Plan& plan);

}  // namespace tetrad
