// Text up to the first stop string, never a part of one. Used by choice.cpp.
//
// Each stop string is followed byte by byte by its Knuth-Morris-Pratt automaton, so the result doesn't depend on where
// the text was cut, and the time on no stop string's length. Of several that end at the same byte the longest counts.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace tetrad {

class StopFilter {
 public:
  StopFilter(std::vector<std::string> stops, bool keep_stop);  // keep_stop: the match is given out as well

  std::string push(std::string_view text);  // what can no longer be part of a stop string; nothing once stopped
  std::string release();                    // what was held back; matching starts anew behind it
  bool stopped() const { return !matched_.empty(); }
  const std::string& matched() const { return matched_; }  // the stop string; empty until there is one

 private:
  struct Automaton {
    std::string pattern;
    std::vector<std::size_t> fallback;  // of a matched length: the longest proper prefix that is also its end
    std::size_t state = 0;              // bytes matched
  };
  static void advance(Automaton& automaton, char byte);

  std::vector<Automaton> automata_;
  bool keep_stop_;
  std::string held_, matched_;
};

}  // namespace tetrad
