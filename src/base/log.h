// Lines for people on stderr: warnings, notes and progress. Nothing here writes to stdout. Thread-safe.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>

namespace tetrad {

void set_quiet(bool quiet);                 // silences notes and progress; warnings and errors stay
void log_warning(const std::string& text);  // `tetrad: warning: TEXT`
void log_note(const std::string& text);     // `TEXT`

// A bar on a terminal, a line every 10 s elsewhere; nothing for work that ends within 2 s. Call advance() from one
// thread.
class Progress {
 public:
  Progress(std::string label, std::uint64_t total);
  ~Progress();  // wipes the bar
  void advance(std::uint64_t done, const std::string& detail = {});

 private:
  void draw(const std::string& detail);
  std::string label_;
  std::uint64_t total_, done_ = 0;
  std::chrono::steady_clock::time_point start_, last_;
  bool terminal_, drawn_ = false;
};

}  // namespace tetrad
