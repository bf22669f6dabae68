// Flags of SGLang's that mean nothing here. They are accepted, so that an existing launch line starts unchanged, and
// named once. Used by cmd_serve.cpp.
#pragma once

#include <string>
#include <vector>

namespace CLI {
class App;
}

namespace tetrad {

// `used` gets the names of those that were given; it outlives the parsing.
void add_sglang_flags(CLI::App& command, std::vector<std::string>& used);

}  // namespace tetrad
