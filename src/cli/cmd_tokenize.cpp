#include <CLI/CLI.hpp>
#include <charconv>
#include <nlohmann/json.hpp>

#include "base/files.h"
#include "cli/command.h"
#include "tokenizer/tokenizer.h"

namespace tetrad {
namespace {

struct TokenizeFlags {
  std::string model, text, file, ids;
  bool has_text = false, special = false;
};

Status run_tokenize(const TokenizeFlags& flags) {
  const Tokenizer tokenizer = TETRAD_TRY(Tokenizer::load(flags.model));
  const std::string text = flags.has_text ? flags.text : TETRAD_TRY(read_file(flags.file));
  return write_stdout(Json(tokenizer.encode(text, flags.special)).dump() + "\n");
}

// "1 2 3", "1,2,3" or "[1, 2, 3]".
Result<std::vector<TokenId>> parse_ids(std::string_view text) {
  std::vector<TokenId> ids;
  const char* const begin = text.data();
  const char* const end = begin + text.size();
  for (const char* p = begin; p < end;) {
    if (std::string_view(" \t\r\n,[]").find(*p) != std::string_view::npos) {
      ++p;
      continue;
    }
    TokenId id = 0;
    const auto [next, status] = std::from_chars(p, end, id);
    if (status != std::errc() || id < 0)
      return invalid_input(
          "not a list of token ids", "--ids",
          "at \"" + std::string(p, std::min<std::size_t>(20, static_cast<std::size_t>(end - p))) + "\"");
    ids.push_back(id);
    p = next;
  }
  return ids;
}

Status run_detokenize(const TokenizeFlags& flags) {
  const Tokenizer tokenizer = TETRAD_TRY(Tokenizer::load(flags.model));
  const auto ids = TETRAD_TRY(parse_ids(flags.ids));
  for (const TokenId id : ids)
    if (static_cast<std::size_t>(id) >= tokenizer.vocabulary_size())
      return invalid_input("unknown token id", std::to_string(id),
                           "the largest is " + std::to_string(tokenizer.vocabulary_size() - 1));
  return write_stdout(tokenizer.decode(ids, flags.special));
}

}  // namespace

void register_tokenize(CLI::App& app, const CommonFlags& common, Action& action) {
  auto flags = std::make_shared<TokenizeFlags>();
  auto* encode = add_command(app, common, "tokenize", "text to token ids, a JSON array");
  encode->add_option("model", flags->model, "model directory")->required();
  auto* source = encode->add_option_group("text", "what to tokenize");
  source->add_option_function<std::string>(
      "--text", [flags](const std::string& text) { flags->text = text, flags->has_text = true; }, "the text itself");
  source->add_option("--file", flags->file, "a file, taken byte for byte");
  source->require_option(1);
  encode->add_flag("--add-special-tokens", flags->special, "add what the tokenizer's post-processor adds");
  encode->callback([flags, &action] { action = [flags] { return run_tokenize(*flags); }; });

  auto* decode = add_command(app, common, "detokenize", "token ids to text");
  decode->add_option("model", flags->model, "model directory")->required();
  decode->add_option("--ids", flags->ids, "ids, separated by spaces or commas")->required();
  decode->add_flag("--skip-special-tokens", flags->special, "leave special tokens out");
  decode->callback([flags, &action] { action = [flags] { return run_detokenize(*flags); }; });
}

}  // namespace tetrad
