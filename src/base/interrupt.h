// SIGINT and SIGTERM as a flag that long work polls between steps; a second signal ends the process at once.
#pragma once

#include "base/error.h"

namespace tetrad {

void install_interrupt_handler();
bool interrupted();
bool take_interrupt();     // whether SIGINT had come; forgets it, for who goes on after one. SIGTERM stays.
Status check_interrupt();  // an error with code kInterrupted once a signal has come

}  // namespace tetrad
