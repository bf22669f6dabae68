#include "base/json.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <optional>
#include <unordered_set>
#include <vector>

#include "base/files.h"

namespace tetrad {
namespace {

constexpr std::size_t kMaxDepth = 128;

// Builds the tree from the parser's events. nlohmann's own builder looks every key of an ordered object up by a linear
// search: the 200,000 keys of a vocabulary or of a weight map take minutes that way. Here duplicates are found by a
// hash set and keys are appended.
class Builder {
 public:
  Json root;
  std::string fault;

  bool null() { return add(Json(nullptr)); }
  bool boolean(bool value) { return add(Json(value)); }
  bool number_integer(Json::number_integer_t value) { return add(Json(value)); }
  bool number_unsigned(Json::number_unsigned_t value) { return add(Json(value)); }
  bool number_float(Json::number_float_t value, const std::string&) { return add(Json(value)); }
  bool string(std::string& value) { return add(Json(std::move(value))); }
  bool binary(Json::binary_t&) { return fail("binary values are not JSON"); }
  bool start_object(std::size_t) {
    if (!open(Json::object())) return false;
    keys_.emplace_back(std::in_place);
    return true;
  }
  bool start_array(std::size_t) {
    if (!open(Json::array())) return false;
    keys_.emplace_back();
    return true;
  }
  bool key(std::string& name) {
    if (!keys_.back()->insert(name).second) return fail(fmt::format("the key \"{}\" occurs twice", name));
    open_.back()->get_ref<Json::object_t&>().emplace_back(std::move(name), Json());
    return true;
  }
  bool end_object() { return close(); }
  bool end_array() { return close(); }
  bool parse_error(std::size_t, const std::string&, const Json::exception& error) {
    const std::string why = error.what();
    const auto at = why.find("] ");
    return fail(at == std::string::npos ? why : why.substr(at + 2));
  }

 private:
  bool fail(std::string why) {
    fault = std::move(why);
    return false;
  }
  // Puts a value where the parser stands and says where that is. Open containers are last in their parents, so their
  // addresses hold.
  Json* place(Json value) {
    if (open_.empty()) return &(root = std::move(value));
    Json& parent = *open_.back();
    if (parent.is_object()) return &(parent.get_ref<Json::object_t&>().back().second = std::move(value));
    return &parent.get_ref<Json::array_t&>().emplace_back(std::move(value));
  }
  bool add(Json value) {
    place(std::move(value));
    return true;
  }
  bool open(Json container) {
    if (open_.size() >= kMaxDepth) return fail(fmt::format("nested deeper than {} levels", kMaxDepth));
    open_.push_back(place(std::move(container)));
    return true;
  }
  bool close() {
    open_.pop_back();
    keys_.pop_back();
    return true;
  }

  std::vector<Json*> open_;
  std::vector<std::optional<std::unordered_set<std::string>>> keys_;  // of each open object; nothing for arrays
};

}  // namespace

Result<Json> parse_json(std::string_view text, const std::string& where) {
  Builder builder;
  try {
    if (!Json::sax_parse(text.begin(), text.end(), &builder))
      return invalid_input("malformed JSON", where, builder.fault);
    return std::move(builder.root);
  } catch (const Json::exception& error) {
    return invalid_input("malformed JSON", where, error.what());
  }
}

Result<Json> read_json_file(const std::filesystem::path& path, std::uint64_t max_bytes) {
  const std::string text = TETRAD_TRY(read_file(path, max_bytes));
  return parse_json(text, path.string());
}

}  // namespace tetrad
