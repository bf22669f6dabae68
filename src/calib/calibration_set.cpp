#include "calib/calibration_set.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <numeric>
#include <optional>

#include "base/files.h"
#include "base/fingerprint.h"
#include "base/interrupt.h"
#include "base/json.h"
#include "base/log.h"
#include "base/rng.h"
#include "chat/chat_template.h"
#include "chat/conversation.h"
#include "tokenizer/tokenizer.h"

namespace tetrad {
namespace {

namespace fs = std::filesystem;

constexpr std::uint64_t kShuffleStream = 1,
                        kPromptStream =
                            2;  // random streams of their own: a new prompt list does not reorder conversations

struct Line {
  std::size_t file;
  std::size_t number;  // from 1
  std::string_view text;
};

bool is_blank(std::string_view text) { return text.find_first_not_of(" \t\r") == std::string_view::npos; }

std::vector<Line> lines_of(const std::vector<MappedFile>& files) {
  std::vector<Line> lines;
  for (std::size_t f = 0; f < files.size(); ++f) {
    const auto bytes = files[f].bytes();
    std::string_view rest(reinterpret_cast<const char*>(bytes.data()), bytes.size());
    for (std::size_t number = 1; !rest.empty(); ++number) {
      const std::size_t end = std::min(rest.find('\n'), rest.size());
      if (!is_blank(rest.substr(0, end))) lines.push_back({f, number, rest.substr(0, end)});
      rest.remove_prefix(std::min(end + 1, rest.size()));
    }
  }
  return lines;
}

void shuffle(std::vector<Line>& lines, std::uint64_t seed) {
  Rng rng(seed, kShuffleStream);
  for (std::size_t i = lines.size(); i > 1; --i) std::swap(lines[i - 1], lines[rng.below(i)]);
}

// Everything that turns a line of JSONL into token ids.
struct Renderer {
  ChatTemplate chat_template;
  Tokenizer tokenizer;
  std::vector<SystemPrompt> prompts;
  Rng prompt_rng;

  Result<std::vector<TokenId>> ids(const Line& line, const std::string& where) {
    auto conversation = TETRAD_TRY(parse_conversation(line.text, where));
    if (const SystemPrompt* prompt = draw_prompt(conversation.category))
      conversation = with_system_prompt(conversation, prompt->text);
    const std::string text = TETRAD_TRY(render_conversation(chat_template, conversation, where));
    return tokenizer.encode(text, false);
  }

  // A random one of those that suit; nothing when none does: the conversation keeps its own.
  const SystemPrompt* draw_prompt(const std::string& category) {
    std::vector<const SystemPrompt*> suitable;
    for (const SystemPrompt& prompt : prompts)
      if (prompt.suits(category)) suitable.push_back(&prompt);
    return suitable.empty() ? nullptr : suitable[prompt_rng.below(suitable.size())];
  }
};

Result<CalibrationSet> from_conversations(const CalibrationOptions& options, const fs::path& model_directory) {
  std::vector<MappedFile> files;
  for (const auto& path : options.conversations) files.push_back(TETRAD_TRY(MappedFile::open(path)));
  auto chat_template = TETRAD_TRY(ChatTemplate::load(model_directory));
  auto tokenizer = TETRAD_TRY(Tokenizer::load(model_directory));
  Renderer renderer{std::move(chat_template), std::move(tokenizer), {}, Rng(options.seed, kPromptStream)};
  if (!options.system_prompts.empty()) renderer.prompts = TETRAD_TRY(read_system_prompts(options.system_prompts));
  auto lines = lines_of(files);
  shuffle(lines, options.seed);
  CalibrationSet set;
  Progress progress("reading calibration data",
                    static_cast<std::uint64_t>(options.max_tokens > 0 ? options.max_tokens
                                                                      : static_cast<std::int64_t>(lines.size())));
  for (const Line& line : lines) {
    TETRAD_TRY(check_interrupt());
    const std::string where = fmt::format("{} line {}", options.conversations[line.file].string(), line.number);
    auto ids = TETRAD_TRY(renderer.ids(line, where));
    ++set.conversations_read;
    std::int64_t limit = options.max_length > 0 ? options.max_length : static_cast<std::int64_t>(ids.size());
    if (options.max_tokens > 0) limit = std::min(limit, options.max_tokens - set.tokens);
    if (static_cast<std::int64_t>(ids.size()) > limit) {
      ids.resize(static_cast<std::size_t>(limit));
      ++set.truncated;
    }
    set.tokens += static_cast<std::int64_t>(ids.size());
    if (!ids.empty()) set.sequences.push_back(std::move(ids));
    progress.advance(options.max_tokens > 0 ? static_cast<std::uint64_t>(set.tokens)
                                            : static_cast<std::uint64_t>(set.conversations_read));
    if (options.max_tokens > 0 && set.tokens >= options.max_tokens) break;
  }
  if (set.tokens < options.max_tokens)
    set.warnings.push_back(
        fmt::format("the calibration data hold {} tokens, {} were asked for", set.tokens, options.max_tokens));
  return set;
}

}  // namespace

Result<std::vector<std::vector<std::int32_t>>> read_id_sequences(const fs::path& path, std::int64_t vocab) {
  Json json = TETRAD_TRY(read_json_file(path));
  const std::string where = path.string();
  if (json.is_object() && json.contains("input_ids")) json = Json(std::move(json["input_ids"]));
  if (!json.is_array() || json.empty()) return invalid_input("bad token ids", where, "expected [[ids...], ...]");
  std::vector<std::vector<std::int32_t>> sequences;
  for (const Json& item : json) {
    const std::string sequence = fmt::format("sequence {}", sequences.size());
    if (!item.is_array() || item.empty())
      return invalid_input("bad token ids", where, sequence + " is not a list of ids");
    auto& ids = sequences.emplace_back();
    for (const Json& id : item) {
      if (!id.is_number_integer() || id.get<std::int64_t>() < 0 || id.get<std::int64_t>() >= vocab ||
          (id.is_number_unsigned() && id.get<std::uint64_t>() > INT32_MAX))
        return invalid_input(
            "bad token ids", where,
            fmt::format("{} holds {}, the vocabulary has ids 0 to {}", sequence, id.dump().substr(0, 60), vocab - 1));
      ids.push_back(id.get<std::int32_t>());
    }
  }
  return sequences;
}

Result<CalibrationSet> load_calibration_set(const CalibrationOptions& options, const fs::path& model_directory,
                                            const ModelConfig& config) {
  CalibrationSet set;
  if (!options.ids.empty()) {
    set.sequences = TETRAD_TRY(read_id_sequences(options.ids, config.vocab));
    for (const auto& ids : set.sequences) set.tokens += static_cast<std::int64_t>(ids.size());
  }
  if (!options.conversations.empty()) {
    auto more = TETRAD_TRY(from_conversations(options, model_directory));
    std::move(more.sequences.begin(), more.sequences.end(), std::back_inserter(set.sequences));
    set.tokens += more.tokens;
    set.conversations_read = more.conversations_read;
    set.truncated = more.truncated;
    set.warnings = std::move(more.warnings);
  }
  if (set.tokens == 0)
    return invalid_input("no calibration tokens",
                         options.conversations.empty() ? options.ids.string() : options.conversations[0].string(),
                         "the data are empty");
  for (const auto& ids : set.sequences)
    for (const TokenId id : ids)
      if (id < 0 || id >= config.vocab)
        return invalid_input(
            "tokenizer and model disagree", model_directory.string(),
            fmt::format("the tokenizer gives id {}, the model's vocabulary ends at {}", id, config.vocab - 1));
  std::stable_sort(set.sequences.begin(), set.sequences.end(),
                   [](const auto& a, const auto& b) { return a.size() > b.size(); });
  Fingerprint fingerprint;
  for (const auto& ids : set.sequences)
    fingerprint.add({reinterpret_cast<const char*>(ids.data()), ids.size() * sizeof(ids[0])});
  set.fingerprint = fingerprint.hex();
  return set;
}

}  // namespace tetrad
