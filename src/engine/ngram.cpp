#include "engine/ngram.h"

#include <algorithm>

namespace tetrad {
namespace {

constexpr std::size_t kLongest = 12;    // tokens of context compared; longer ones decide nothing more
constexpr std::size_t kShortest = 2;    // one token repeats by chance too often
constexpr std::size_t kWindow = 32768;  // how far back is looked: 20 microseconds a step
constexpr int kPause = 24;

}  // namespace

std::vector<std::int32_t> NgramDrafter::propose(std::span<const std::int32_t> tokens, std::size_t limit) {
  if (pause_ > 0) {
    --pause_;
    return {};
  }
  const std::size_t size = tokens.size();
  if (size <= kShortest || limit == 0) return {};
  std::size_t best_end = 0, best = kShortest - 1;  // the longest match, of equals the latest
  const std::size_t begin = size > kWindow ? size - kWindow : 0;
  for (std::size_t end = size - 1; end > begin + kShortest - 1; --end) {
    if (tokens[end - 1] != tokens[size - 1]) continue;
    std::size_t length = 1;
    while (length < kLongest && length < end - begin && tokens[end - 1 - length] == tokens[size - 1 - length]) ++length;
    if (length > best) {
      best = length;
      best_end = end;
      if (best == kLongest) break;
    }
  }
  if (best_end == 0) return {};
  const std::size_t count = std::min({limit, length_, size - best_end});
  return {tokens.begin() + static_cast<std::ptrdiff_t>(best_end),
          tokens.begin() + static_cast<std::ptrdiff_t>(best_end + count)};
}

void NgramDrafter::learn(std::size_t proposed, std::size_t accepted) {
  if (proposed == 0) return;
  if (accepted == proposed)
    length_ = std::min<std::size_t>(2 * length_, 64);
  else
    length_ = std::max<std::size_t>(accepted + 1, length_ / 2);
  if (accepted == 0 && length_ <= 1) {
    pause_ = kPause;
    length_ = 2;
  }
}

}  // namespace tetrad
