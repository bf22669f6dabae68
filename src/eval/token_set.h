// The tokens that models are compared on, cut into windows. Used by evaluate().
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "arch/model_config.h"
#include "base/error.h"

namespace tetrad {

// One context: positions [first_counted, ids.size() - 1) count, each predicting the token behind it.
struct Window {
  std::vector<std::int32_t> ids;
  std::int64_t first_counted = 0;
  std::size_t category = 0;  // index into TokenSet::categories

  std::int64_t positions() const { return static_cast<std::int64_t>(ids.size()) - 1 - first_counted; }
};

struct TokenSet {
  std::vector<Window> windows;
  std::vector<std::string> categories;  // sorted
  std::int64_t tokens = 0, positions = 0;
  bool truncated = false;  // max_tokens cut the data
};

struct TokenSetOptions {
  std::vector<std::filesystem::path> files;  // .jsonl: conversations, rendered and tokenized with the model's own
                                             // template; .txt: one document; .json: [[ids...], ...]
  std::int64_t max_tokens = 0;               // 0: all; counted over documents in order
  std::int64_t context = 2048;               // of a window
  std::int64_t stride =
      0;  // 0: context. Windows advance by it; all but a document's first count their last `stride` positions
};

// Category of a conversation: its "category" (or the file's name without ending); of the other files: that name. No BOS
// is added anywhere.
Result<TokenSet> load_token_set(const TokenSetOptions& options, const std::filesystem::path& model_directory,
                                const ModelConfig& config);

// A document's windows. With stride < context every token that has a next token counts exactly once; with stride =
// context so does every token but the last of each window, whose next token is not in its window.
std::vector<Window> cut_windows(const std::vector<std::int32_t>& ids, std::int64_t context, std::int64_t stride,
                                std::size_t category);

}  // namespace tetrad
