#include "tokenizer/tokenizer_file.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <utility>

namespace tetrad {
namespace {

constexpr std::size_t kMaxDepth = 64;
constexpr std::size_t kMaxValues = 1 << 20;  // outside of the two tables; Gemma 3's 6415 added tokens make 51 000
constexpr std::size_t kMaxKeys =
    4096;  // of an object other than the vocabulary: looking up a key takes time linear in this

// Gets the parser's events. Everything goes into the tree, except what lies in model.vocab and model.merges.
class Reader {
 public:
  using number_integer_t = Json::number_integer_t;
  using number_unsigned_t = Json::number_unsigned_t;
  using number_float_t = Json::number_float_t;
  using string_t = Json::string_t;
  using binary_t = Json::binary_t;

  explicit Reader(TokenizerFile& file) : file_(file) { file_.root = std::make_unique<Json>(); }

  std::string fault;  // why reading stopped

  bool null() { return scalar(Json(nullptr)); }
  bool boolean(bool value) { return scalar(Json(value)); }
  bool number_integer(number_integer_t value) {
    if (table_ == Table::kVocabulary)
      return stop(fmt::format("the id of the token \"{}\" is {}", printable(token_, 60), value));
    return scalar(Json(value));
  }
  bool number_unsigned(number_unsigned_t value) {
    if (table_ != Table::kVocabulary) return scalar(Json(value));
    if (value > static_cast<number_unsigned_t>(kMaxTokenId))
      return stop(
          fmt::format("the id of the token \"{}\" is {}; the limit is {}", printable(token_, 60), value, kMaxTokenId));
    if (file_.vocabulary.size() > static_cast<std::size_t>(kMaxTokenId)) return stop("model.vocab has too many tokens");
    file_.vocabulary.push_back({file_.text.size(), token_.size(), static_cast<std::int32_t>(value)});
    file_.text += token_;
    return true;
  }
  bool number_float(number_float_t value, const string_t&) { return scalar(Json(value)); }
  bool binary(binary_t&) { return stop("binary data"); }

  bool string(string_t& value) {
    if (table_ == Table::kMerges) return merge(value);
    return scalar(Json(std::move(value)));
  }

  bool start_object(std::size_t) {
    if (table_ != Table::kNone) return stop(fmt::format("an object within {}", table_name()));
    if (path_.size() == 2 && path_is("model", "vocab")) {
      if (file_.has_vocabulary) return stop("model.vocab occurs twice");
      file_.has_vocabulary = true;
      return enter(Table::kVocabulary);
    }
    return open(Json::object());
  }
  bool end_object() { return close(); }

  bool start_array(std::size_t) {
    if (table_ == Table::kMerges && !in_pair_) {
      in_pair_ = true;
      parts_ = 0;
      return true;
    }
    if (table_ != Table::kNone) return stop(fmt::format("an array within {}", table_name()));
    if (path_.size() == 2 && path_is("model", "merges")) {
      if (file_.has_merges) return stop("model.merges occurs twice");
      file_.has_merges = true;
      return enter(Table::kMerges);
    }
    if (path_.size() == 2 && path_is("model", "vocab"))
      return stop("model.vocab is an array: a Unigram model, but tetrad reads BPE models");
    return open(Json::array());
  }
  bool end_array() {
    if (in_pair_) {
      in_pair_ = false;
      return parts_ == 2 || stop(fmt::format("merge {} has {} parts", file_.merges.size(), parts_));
    }
    return close();
  }

  bool key(string_t& name) {
    if (table_ == Table::kVocabulary) {
      token_ = std::move(name);
      return true;
    }
    Json& object = *stack_.back();
    if (object.size() >= kMaxKeys) return stop(fmt::format("an object with more than {} keys", kMaxKeys));
    if (object.contains(name)) return stop(fmt::format("the key \"{}\" occurs twice", printable(name, 60)));
    path_.back() = std::move(name);
    return true;
  }

  bool parse_error(std::size_t, const std::string&, const Json::exception& error) {
    fault = error.what();
    if (const auto at = fault.find("] "); at != std::string::npos) fault = fault.substr(at + 2);
    return false;
  }

 private:
  enum class Table { kNone, kVocabulary, kMerges };

  std::string table_name() const { return table_ == Table::kVocabulary ? "model.vocab" : "model.merges"; }
  bool path_is(std::string_view a, std::string_view b) const { return path_[0] == a && path_[1] == b; }
  bool stop(std::string why) {
    fault = std::move(why);
    return false;
  }
  bool enter(Table table) {
    table_ = table;
    return true;
  }

  // Puts a value where the tree is being built; gives the place back.
  Json* place(Json value) {
    if (stack_.empty()) {
      *file_.root = std::move(value);
      return file_.root.get();
    }
    Json& parent = *stack_.back();
    if (parent.is_array()) {
      parent.push_back(std::move(value));
      return &parent.back();
    }
    return &(parent[path_.back()] = std::move(value));
  }
  bool scalar(Json value) {
    if (table_ == Table::kVocabulary)
      return stop(fmt::format("the id of the token \"{}\" is not a number", printable(token_, 60)));
    if (table_ == Table::kMerges) return stop(fmt::format("merge {} is not text", file_.merges.size()));
    if (++values_ > kMaxValues)
      return stop(fmt::format("more than {} values outside of model.vocab and model.merges", kMaxValues));
    place(std::move(value));
    return true;
  }
  bool open(Json container) {
    if (stack_.size() >= kMaxDepth) return stop(fmt::format("nested deeper than {} levels", kMaxDepth));
    if (++values_ > kMaxValues)
      return stop(fmt::format("more than {} values outside of model.vocab and model.merges", kMaxValues));
    stack_.push_back(place(std::move(container)));
    path_.emplace_back();
    return true;
  }
  bool close() {
    if (table_ != Table::kNone) return enter(Table::kNone);
    stack_.pop_back();
    path_.pop_back();
    return true;
  }

  bool merge(const std::string& value) {
    if (file_.merges.size() >= kMaxMerges) return stop(fmt::format("more than {} merges", kMaxMerges));
    if (in_pair_) {
      if (parts_ == 2) return stop(fmt::format("merge {} has more than two parts", file_.merges.size()));
      if (parts_++ == 0) {
        file_.merges.push_back({file_.merge_text.size(), static_cast<std::uint32_t>(value.size()), 0});
      } else {
        file_.merges.back().right_size = static_cast<std::uint32_t>(value.size());
      }
      file_.merge_text += value;
      return true;
    }
    const std::size_t space = value.find(' ');
    if (space == std::string::npos || value.find(' ', space + 1) != std::string::npos)
      return stop(fmt::format("merge {} is \"{}\", not two tokens", file_.merges.size(), printable(value, 60)));
    file_.merges.push_back({file_.merge_text.size(), static_cast<std::uint32_t>(space),
                            static_cast<std::uint32_t>(value.size() - space - 1)});
    file_.merge_text.append(value, 0, space).append(value, space + 1);
    return true;
  }

  TokenizerFile& file_;
  std::vector<Json*> stack_;       // containers being filled
  std::vector<std::string> path_;  // the current key in each of them
  Table table_ = Table::kNone;
  std::string token_;
  std::size_t values_ = 0;
  bool in_pair_ = false;
  int parts_ = 0;
};

}  // namespace

Result<TokenizerFile> read_tokenizer_file(std::string_view json, const std::string& where) {
  TokenizerFile file;
  Reader reader(file);
  try {
    if (!Json::sax_parse(json.begin(), json.end(), &reader))
      return invalid_input("malformed tokenizer", where, reader.fault);
  } catch (const Json::exception& error) {
    return invalid_input("malformed tokenizer", where, error.what());
  }
  if (!file.root->is_object()) return invalid_input("malformed tokenizer", where, "not a JSON object");
  return file;
}

const Json& field_or_null(const Json& object, const char* key) {
  static const Json kNull;
  if (!object.is_object()) return kNull;
  const auto found = object.find(key);
  return found == object.end() ? kNull : *found;
}

Result<std::string> string_field(const Json& object, const char* key, const std::string& component) {
  const Json& value = field_or_null(object, key);
  if (!value.is_string())
    return invalid_input("malformed tokenizer", component, fmt::format("\"{}\" must be text", key));
  return value.get<std::string>();
}

Result<bool> bool_field(const Json& object, const char* key, const std::string& component) {
  const Json& value = field_or_null(object, key);
  if (!value.is_boolean())
    return invalid_input("malformed tokenizer", component, fmt::format("\"{}\" must be true or false", key));
  return value.get<bool>();
}

Result<bool> bool_field(const Json& object, const char* key, const std::string& component, bool absent_value) {
  if (field_or_null(object, key).is_null()) return absent_value;
  return bool_field(object, key, component);
}

}  // namespace tetrad
