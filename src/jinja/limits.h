// What one render may cost. Templates come with models from anywhere, so each of these ends in an error instead of in a
// process that hangs or is killed.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <ctime>
#include <functional>

namespace tetrad::jinja {

struct RenderLimits {
  std::size_t output_bytes = std::size_t{64} << 20;
  std::uint64_t steps = 50'000'000;  // statements, expressions and loop items; 64 bytes of new text count as one
  int depth = 200;                   // macro calls and recursive loops inside each other
  std::chrono::milliseconds wall_clock{10'000};
  std::size_t value_bytes = std::size_t{256}
                            << 20;     // intermediate values that are alive at once, the variables included
  std::function<std::time_t()> clock;  // what strftime_now reads; empty: the system's clock
};

}  // namespace tetrad::jinja
