#include "base/json.h"

#include <unordered_set>
#include <vector>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "base/files.h"

namespace tetrad {
namespace {

constexpr std::size_t kMaxDepth = 128;

// Watches the tree being built: depth and duplicate keys. Building stops at the first fault, which is kept in `fault`.
class Watcher {
 public:
  std::string fault;

  bool operator()(int depth, Json::parse_event_t event, Json& parsed) {
    using Event = Json::parse_event_t;
    if (!fault.empty()) return false;
    if (event == Event::object_start || event == Event::array_start) {
      if (static_cast<std::size_t>(depth) >= kMaxDepth) fault = fmt::format("nested deeper than {} levels", kMaxDepth);
      if (event == Event::object_start) keys_.emplace_back();
    } else if (event == Event::object_end) {
      keys_.pop_back();
    } else if (event == Event::key) {
      const auto& key = parsed.get_ref<const std::string&>();
      if (!keys_.back().insert(key).second) fault = fmt::format("the key \"{}\" occurs twice", key);
    }
    return true;
  }

 private:
  std::vector<std::unordered_set<std::string>> keys_;
};

// nlohmann recurses neither when parsing nor here; this scan keeps a hostile file from building a deep tree at all.
std::size_t depth_of(std::string_view text) {
  std::size_t depth = 0, deepest = 0;
  bool in_string = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (in_string) {
      if (c == '\\') ++i;
      else if (c == '"') in_string = false;
    } else if (c == '"') {
      in_string = true;
    } else if (c == '{' || c == '[') {
      deepest = std::max(deepest, ++depth);
    } else if ((c == '}' || c == ']') && depth > 0) {
      --depth;
    }
  }
  return deepest;
}

}  // namespace

Result<Json> parse_json(std::string_view text, const std::string& where) {
  if (depth_of(text) > kMaxDepth)
    return invalid_input("malformed JSON", where, fmt::format("nested deeper than {} levels", kMaxDepth));
  Watcher watcher;
  try {
    auto callback = [&](int depth, Json::parse_event_t event, Json& parsed) { return watcher(depth, event, parsed); };
    Json value = Json::parse(text.begin(), text.end(), callback);
    if (!watcher.fault.empty()) return invalid_input("malformed JSON", where, watcher.fault);
    return value;
  } catch (const Json::parse_error& error) {
    std::string why = error.what();
    if (const auto at = why.find("] "); at != std::string::npos) why = why.substr(at + 2);
    return invalid_input("malformed JSON", where, why);
  } catch (const Json::exception& error) {
    return invalid_input("malformed JSON", where, error.what());
  }
}

Result<Json> read_json_file(const std::filesystem::path& path, std::uint64_t max_bytes) {
  const std::string text = TETRAD_TRY(read_file(path, max_bytes));
  return parse_json(text, path.string());
}

}  // namespace tetrad
