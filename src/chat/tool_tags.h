// The tags of MiniMax-M2's tool calls, found in text that may still be growing. Used by output_parser.cpp. Pure
// functions; texts are views, nothing is owned.
#pragma once

#include <cstddef>
#include <string_view>

namespace tetrad {

inline constexpr std::string_view kThinkBegin = "<think>", kThinkEnd = "</think>";
inline constexpr std::string_view kBlockBegin = "<minimax:tool_call>", kBlockEnd = "</minimax:tool_call>";
inline constexpr std::string_view kInvokeBegin = "<invoke name=\"", kInvokeEnd = "</invoke>";
inline constexpr std::string_view kParameterBegin = "<parameter name=\"", kParameterEnd = "</parameter>";
inline constexpr std::string_view kTagSpace = " \t\r\n";

enum class Match {
  kNo,
  kMaybe,  // all of the text could be the beginning of it
  kYes,
};

struct Tag {
  Match match = Match::kNo;
  std::size_t length = 0;  // bytes that belong to it (kYes)
  std::string_view name;   // between the quotes of a tag that has a name
};

// Each asks whether `text` begins with it.
Tag match_literal(std::string_view text, std::string_view literal);
// `opening` NAME `">`, where opening is kInvokeBegin or kParameterBegin; a name has no "<", no line break and at most
// 1,024 bytes.
Tag match_named(std::string_view text, std::string_view opening);
// kBlockBegin, white space and the whole opening tag of an invoke: nothing less begins a block, since people and models
// write about the tag. The length is that without the invoke's tag. `scanned`: 0 for a new text; kept by the caller
// while the text only grows, it spares reading long white space again.
Tag match_block(std::string_view text, std::size_t& scanned);
// kParameterEnd, white space and what may follow a value: the next parameter or the end of the invoke. Without those it
// belongs to the value (code about tool calls). The length is that up to what follows; when all of kParameterEnd is
// there but what follows is not, kMaybe has that length too. `scanned` as above.
Tag match_parameter_end(std::string_view text, std::size_t& scanned);

}  // namespace tetrad
