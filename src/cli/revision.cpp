#include "cli/revision.h"

namespace tetrad {

const char* revision() { return TETRAD_REVISION; }

}  // namespace tetrad
