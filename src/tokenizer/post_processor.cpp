#include "tokenizer/post_processor.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>

#include "tokenizer/tokenizer_file.h"

namespace tetrad {
namespace {

constexpr std::size_t kMaxParts = 64;
constexpr std::size_t kMaxIds = 1024;  // of one special token

Result<std::int32_t> read_id(const Json& json, const std::string& component) {
  if (!json.is_number_unsigned() || json.get<std::uint64_t>() > static_cast<std::uint64_t>(kMaxTokenId))
    return invalid_input("malformed tokenizer", component,
                         fmt::format("{} is no token id", printable(json.dump(), 60)));
  return json.get<std::int32_t>();
}

}  // namespace

Result<PostProcessor> PostProcessor::build(const Json& json, const std::string& where) {
  PostProcessor processor;
  if (!json.is_null()) TETRAD_TRY(processor.add(json, where + ": post_processor", 0));
  return processor;
}

Status PostProcessor::add(const Json& json, const std::string& where, std::size_t depth) {
  const std::string type = TETRAD_TRY(string_field(json, "type", where));
  const std::string component = fmt::format("{} {}", where, printable(type, 40));
  if (type == "ByteLevel") return {};
  if (type == "Sequence") {
    const Json& processors = field_or_null(json, "processors");
    if (!processors.is_array() || depth > 8)
      return invalid_input("malformed tokenizer", component, "processors must be an array");
    for (const Json& part : processors) TETRAD_TRY(add(part, where, depth + 1));
    return {};
  }
  if (!parts_.empty())
    return make_error(ErrorCode::kUnsupported, "unsupported tokenizer", component,
                      "a second processor that adds tokens");
  if (type == "TemplateProcessing") return add_template(json, component);
  if (type == "BertProcessing" || type == "RobertaProcessing") return add_pair(json, component);
  return make_error(ErrorCode::kUnsupported, "unsupported tokenizer", component, "tetrad has no such post-processor");
}

Status PostProcessor::add_template(const Json& json, const std::string& component) {
  const Json& single = field_or_null(json, "single");
  const Json& special = field_or_null(json, "special_tokens");
  if (!single.is_array() || single.size() > kMaxParts)
    return invalid_input("malformed tokenizer", component,
                         fmt::format("single must be an array of at most {} parts", kMaxParts));
  for (const Json& item : single) {
    const Json& sequence = field_or_null(item, "Sequence");
    if (!sequence.is_null()) {
      if (TETRAD_TRY(string_field(sequence, "id", component)) != "A")
        return invalid_input("malformed tokenizer", component, "single names a second sequence");
      parts_.push_back({true, {}});
      continue;
    }
    const std::string name = TETRAD_TRY(string_field(field_or_null(item, "SpecialToken"), "id", component));
    const Json& ids = field_or_null(field_or_null(special, name.c_str()), "ids");
    if (!ids.is_array() || ids.size() > kMaxIds)
      return invalid_input("malformed tokenizer", component,
                           fmt::format("special_tokens has no ids for \"{}\"", printable(name, 60)));
    Part part{false, {}};
    for (const Json& id : ids) part.ids.push_back(TETRAD_TRY(read_id(id, component)));
    parts_.push_back(std::move(part));
  }
  if (std::count_if(parts_.begin(), parts_.end(), [](const Part& p) { return p.is_text; }) != 1)
    return make_error(ErrorCode::kUnsupported, "unsupported tokenizer", component,
                      "single must have the sequence A once");
  return {};
}

// {"cls": ["[CLS]", id], "sep": ["[SEP]", id]}
Status PostProcessor::add_pair(const Json& json, const std::string& component) {
  const auto id_of = [&](const char* key) -> Result<std::int32_t> {
    const Json& pair = field_or_null(json, key);
    if (!pair.is_array() || pair.size() != 2)
      return invalid_input("malformed tokenizer", component, fmt::format("\"{}\" must be a token and its id", key));
    return read_id(pair[1], component);
  };
  const std::int32_t cls = TETRAD_TRY(id_of("cls")), sep = TETRAD_TRY(id_of("sep"));
  parts_ = {{false, {cls}}, {true, {}}, {false, {sep}}};
  return {};
}

std::vector<std::int32_t> PostProcessor::apply(std::vector<std::int32_t> ids, bool add_special_tokens) const {
  if (parts_.empty() || !add_special_tokens) return ids;
  std::vector<std::int32_t> out;
  out.reserve(ids.size() + parts_.size());
  for (const Part& part : parts_) {
    const auto& source = part.is_text ? ids : part.ids;
    out.insert(out.end(), source.begin(), source.end());
  }
  return out;
}

}  // namespace tetrad
