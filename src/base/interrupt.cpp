#include "base/interrupt.h"

#include <unistd.h>

#include <csignal>

namespace tetrad {
namespace {

volatile std::sig_atomic_t g_interrupted = 0;  // signal handlers can only reach globals

extern "C" void on_signal(int number) {
  if (g_interrupted != 0) ::_exit(130);
  g_interrupted = number;
}

}  // namespace

void install_interrupt_handler() {
  struct sigaction action{};
  action.sa_handler = on_signal;
  ::sigaction(SIGINT, &action, nullptr);
  ::sigaction(SIGTERM, &action, nullptr);
  ::signal(SIGPIPE, SIG_IGN);
}

bool interrupted() { return g_interrupted != 0; }

bool take_interrupt() {
  if (g_interrupted != SIGINT) return false;
  g_interrupted = 0;
  return true;
}

Status check_interrupt() {
  if (interrupted()) return make_error(ErrorCode::kInterrupted, "interrupted", "", "");
  return {};
}

}  // namespace tetrad
