#include "eval/token_set.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <optional>

#include "base/files.h"
#include "base/interrupt.h"
#include "calib/calibration_set.h"
#include "chat/chat_template.h"
#include "chat/conversation.h"
#include "tokenizer/tokenizer.h"

namespace tetrad {
namespace fs = std::filesystem;
namespace {

struct Document {
  std::vector<std::int32_t> ids;
  std::string category;
};

class Loader {
 public:
  Loader(const TokenSetOptions& options, const fs::path& model, const ModelConfig& config)
      : options_(options), model_(model), config_(config) {}

  Result<TokenSet> run() {
    for (const auto& file : options_.files) {
      if (full_) break;
      const std::string ending = file.extension().string();
      if (ending == ".jsonl")
        TETRAD_TRY(add_conversations(file));
      else if (ending == ".txt")
        TETRAD_TRY(add_text(file));
      else if (ending == ".json")
        TETRAD_TRY(add_ids(file));
      else
        return make_error(ErrorCode::kUsage, "unknown kind of data", file.string(), "expected .jsonl, .txt or .json");
    }
    return windows();
  }

 private:
  Result<const Tokenizer*> tokenizer() {
    if (!tokenizer_) tokenizer_ = TETRAD_TRY(Tokenizer::load(model_));
    return &*tokenizer_;
  }

  Status add(std::vector<std::int32_t> ids, std::string category) {
    for (const std::int32_t id : ids)
      if (id < 0 || id >= config_.vocab)
        return invalid_input(
            "tokenizer and model disagree", model_.string(),
            fmt::format("the tokenizer gives id {}, the vocabulary ends at {}", id, config_.vocab - 1));
    if (options_.max_tokens > 0 && tokens_ + static_cast<std::int64_t>(ids.size()) > options_.max_tokens) {
      ids.resize(static_cast<std::size_t>(options_.max_tokens - tokens_));
      full_ = true;
    }
    tokens_ += static_cast<std::int64_t>(ids.size());
    if (!ids.empty()) documents_.push_back({std::move(ids), std::move(category)});
    return {};
  }

  Status add_conversations(const fs::path& file) {
    const auto chat_template = TETRAD_TRY(ChatTemplate::load(model_));
    const Tokenizer* tokens = TETRAD_TRY(tokenizer());
    auto reader = TETRAD_TRY(ConversationReader::open(file));
    for (std::size_t number = 1; !full_; ++number) {
      TETRAD_TRY(check_interrupt());
      const auto conversation = TETRAD_TRY(reader.next());
      if (!conversation) break;
      const std::string text = TETRAD_TRY(
          render_conversation(chat_template, *conversation, fmt::format("{} conversation {}", file.string(), number)));
      TETRAD_TRY(add(tokens->encode(text, false),
                     conversation->category.empty() ? file.stem().string() : conversation->category));
    }
    return {};
  }

  Status add_text(const fs::path& file) {
    const std::string text = TETRAD_TRY(read_file(file));
    const Tokenizer* tokens = TETRAD_TRY(tokenizer());
    return add(tokens->encode(text, false), file.stem().string());
  }

  Status add_ids(const fs::path& file) {
    for (auto& ids : TETRAD_TRY(read_id_sequences(file, config_.vocab))) {
      if (full_) break;
      TETRAD_TRY(add(std::move(ids), file.stem().string()));
    }
    return {};
  }

  Result<TokenSet> windows() {
    TokenSet set;
    std::map<std::string, std::size_t> categories;
    for (const auto& document : documents_) categories.emplace(document.category, 0);
    for (auto& [name, index] : categories) {
      index = set.categories.size();
      set.categories.push_back(name);
    }
    const std::int64_t context = std::min(options_.context, config_.max_position);
    const std::int64_t stride = options_.stride > 0 ? std::min(options_.stride, context) : context;
    for (const auto& document : documents_)
      for (auto& window : cut_windows(document.ids, context, stride, categories[document.category])) {
        set.positions += window.positions();
        set.tokens += static_cast<std::int64_t>(window.ids.size());
        set.windows.push_back(std::move(window));
      }
    set.truncated = full_;
    if (set.positions == 0)
      return invalid_input("nothing to evaluate", options_.files.empty() ? "--data" : options_.files[0].string(),
                           "no token has a next token in its window");
    return set;
  }

  const TokenSetOptions& options_;
  const fs::path& model_;
  const ModelConfig& config_;
  std::optional<Tokenizer> tokenizer_;
  std::vector<Document> documents_;
  std::int64_t tokens_ = 0;
  bool full_ = false;
};

}  // namespace

std::vector<Window> cut_windows(const std::vector<std::int32_t>& ids, std::int64_t context, std::int64_t stride,
                                std::size_t category) {
  std::vector<Window> windows;
  const auto n = static_cast<std::int64_t>(ids.size());
  for (std::int64_t begin = 0;; begin += stride) {
    const std::int64_t end = std::min(n, begin + context);
    // Of a window that overlaps the one before, what that one has counted is context only.
    const std::int64_t counted = windows.empty() ? 0 : context - stride - (stride < context ? 1 : 0);
    if (end - begin - 1 > counted) {
      Window& window = windows.emplace_back();
      window.ids.assign(ids.begin() + begin, ids.begin() + end);
      window.first_counted = counted;
      window.category = category;
    }
    if (end == n) return windows;
  }
}

Result<TokenSet> load_token_set(const TokenSetOptions& options, const fs::path& model_directory,
                                const ModelConfig& config) {
  return Loader(options, model_directory, config).run();
}

}  // namespace tetrad
