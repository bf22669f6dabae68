#include "api/stop_filter.h"

#include <algorithm>
#include <utility>

namespace tetrad {

StopFilter::StopFilter(std::vector<std::string> stops, bool keep_stop) : keep_stop_(keep_stop) {
  for (std::string& stop : stops) {
    if (stop.empty()) continue;
    Automaton automaton{std::move(stop), {}, 0};
    const std::string& pattern = automaton.pattern;
    automaton.fallback.assign(pattern.size() + 1, 0);
    for (std::size_t i = 1, length = 0; i < pattern.size(); ++i) {
      while (length > 0 && pattern[i] != pattern[length]) length = automaton.fallback[length];
      if (pattern[i] == pattern[length]) ++length;
      automaton.fallback[i + 1] = length;
    }
    automata_.push_back(std::move(automaton));
  }
}

void StopFilter::advance(Automaton& automaton, char byte) {
  while (automaton.state > 0 && automaton.pattern[automaton.state] != byte)
    automaton.state = automaton.fallback[automaton.state];
  if (automaton.pattern[automaton.state] == byte) ++automaton.state;
}

std::string StopFilter::push(std::string_view text) {
  if (stopped()) return {};
  if (automata_.empty()) return std::string(text);
  for (const char byte : text) {
    held_.push_back(byte);
    for (Automaton& automaton : automata_) {
      advance(automaton, byte);
      if (automaton.state == automaton.pattern.size() && automaton.pattern.size() > matched_.size())
        matched_ = automaton.pattern;
    }
    if (!stopped()) continue;
    if (!keep_stop_) held_.resize(held_.size() - matched_.size());
    return std::exchange(held_, {});
  }
  std::size_t keep = 0;
  for (const Automaton& automaton : automata_) keep = std::max(keep, automaton.state);
  std::string sure = held_.substr(0, held_.size() - keep);
  held_.erase(0, sure.size());
  return sure;
}

std::string StopFilter::release() {
  for (Automaton& automaton : automata_) automaton.state = 0;
  return std::exchange(held_, {});
}

}  // namespace tetrad
