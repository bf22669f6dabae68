#include "base/log.h"

#include <fmt/format.h>
#include <unistd.h>

#include <atomic>
#include <cstdio>

#include "base/units.h"

namespace tetrad {
namespace {
std::atomic<bool> g_quiet{false};  // the process has one stderr
void put(const std::string& line) { std::fputs((line + "\n").c_str(), stderr); }
}  // namespace

void set_quiet(bool quiet) { g_quiet = quiet; }
void log_warning(const std::string& text) { put("tetrad: warning: " + text); }
void log_note(const std::string& text) {
  if (!g_quiet) put(text);
}

Progress::Progress(std::string label, std::uint64_t total)
    : label_(std::move(label)),
      total_(total),
      start_(std::chrono::steady_clock::now()),
      last_(start_),
      terminal_(::isatty(STDERR_FILENO) != 0) {}

Progress::~Progress() {
  if (drawn_ && terminal_) std::fputs("\r\033[K", stderr);
}

void Progress::advance(std::uint64_t done, const std::string& detail) {
  done_ = done;
  if (g_quiet) return;
  const auto now = std::chrono::steady_clock::now();
  const auto wait = terminal_ ? std::chrono::milliseconds(drawn_ ? 100 : 2000) : std::chrono::milliseconds(10000);
  if (now - last_ < wait) return;
  last_ = now;
  draw(detail);
}

void Progress::draw(const std::string& detail) {
  drawn_ = true;
  const double part = total_ == 0 ? 1.0 : static_cast<double>(done_) / static_cast<double>(total_);
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start_).count();
  const std::string left = part > 0 ? format_seconds(seconds / part - seconds) + " left" : "";
  const std::string tail = fmt::format("{:3.0f} %  {}  {}", 100 * part, left, detail);
  if (!terminal_) return put(fmt::format("{}: {}", label_, tail));
  const auto filled = static_cast<std::size_t>(part * 30);
  std::string bar;
  for (std::size_t i = 0; i < 30; ++i) bar += i < filled ? "━" : "┄";
  std::fputs(fmt::format("\r\033[K{} {} {}", label_, bar, tail).c_str(), stderr);
  std::fflush(stderr);
}

}  // namespace tetrad
