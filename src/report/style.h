// The style sheet of report pages. Private to this folder; page.cpp embeds it.
#pragma once

#include <string_view>

namespace tetrad::report {

extern const std::string_view kStyle;

}  // namespace tetrad::report
