#include "chat/tool_tags.h"

#include <algorithm>

namespace tetrad {
namespace {

constexpr std::size_t kMaxName = 1024;

std::size_t skip_space(std::string_view text, std::size_t from, std::size_t& scanned) {
  scanned = std::min(text.find_first_not_of(kTagSpace, std::max(from, scanned)), text.size());
  return scanned;
}

}  // namespace

Tag match_literal(std::string_view text, std::string_view literal) {
  if (text.starts_with(literal)) return {Match::kYes, literal.size(), {}};
  return {literal.starts_with(text) ? Match::kMaybe : Match::kNo, 0, {}};
}

Tag match_named(std::string_view text, std::string_view opening) {
  if (const Tag tag = match_literal(text, opening); tag.match != Match::kYes) return tag;
  const std::string_view rest = text.substr(opening.size());
  const std::string_view window = rest.substr(0, kMaxName + 2);
  const std::size_t end = window.find("\">");
  if (window.substr(0, end).find_first_of("<\r\n") != std::string_view::npos) return {};
  if (end != std::string_view::npos) return {Match::kYes, opening.size() + end + 2, rest.substr(0, end)};
  return {rest.size() < kMaxName + 2 ? Match::kMaybe : Match::kNo, 0, {}};
}

Tag match_block(std::string_view text, std::size_t& scanned) {
  if (const Tag tag = match_literal(text, kBlockBegin); tag.match != Match::kYes) return tag;
  const std::size_t at = skip_space(text, kBlockBegin.size(), scanned);
  const Tag invoke = match_named(text.substr(at), kInvokeBegin);
  return {invoke.match, invoke.match == Match::kYes ? at : 0, invoke.name};
}

Tag match_parameter_end(std::string_view text, std::size_t& scanned) {
  if (const Tag tag = match_literal(text, kParameterEnd); tag.match != Match::kYes) return tag;
  const std::size_t at = skip_space(text, kParameterEnd.size(), scanned);
  const std::string_view rest = text.substr(at);
  const Match next = match_literal(rest, "<parameter ").match;
  const Match end = match_literal(rest, kInvokeEnd).match;
  if (next == Match::kYes || end == Match::kYes) return {Match::kYes, at, {}};
  if (next == Match::kMaybe || end == Match::kMaybe) return {Match::kMaybe, at, {}};
  return {};
}

}  // namespace tetrad
