// Drafts for speculation without a second model: what followed the last time the sequence's last few tokens occurred.
// After prompt lookup decoding (Saxena, 2023). The length adapts to what is accepted, down to none.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace tetrad {

class NgramDrafter {
 public:
  // At most `limit` tokens that may come behind `tokens`.
  std::vector<std::int32_t> propose(std::span<const std::int32_t> tokens, std::size_t limit);
  // How many of the last proposal were right.
  void learn(std::size_t proposed, std::size_t accepted);

 private:
  std::size_t length_ = 4;  // tokens to propose
  int pause_ = 0;           // steps without a proposal that are left
};

}  // namespace tetrad
