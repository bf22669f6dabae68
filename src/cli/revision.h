// The git revision that this was built from. Used by main.cpp.
#pragma once

namespace tetrad {

const char* revision();

}  // namespace tetrad
