#include "conversion/journal.h"

#include <fmt/format.h>
#include <sys/stat.h>

#include <cerrno>
#include <nlohmann/json.hpp>

namespace tetrad {
namespace {

constexpr int kVersion = 1;

Result<JournalEntry> entry_from_json(const Json& json, const std::string& where) {
  if (!json.is_object() || !json.contains("unit") || !json["unit"].is_number_unsigned() || !json.contains("layer") ||
      !json.contains("state_file") || !json["state_file"].is_string())
    return invalid_input("damaged journal", where, "an entry lacks unit, layer or state_file");
  JournalEntry entry;
  entry.unit = json["unit"].get<std::size_t>();
  entry.layer = TETRAD_TRY(layer_from_json(json["layer"], where));
  entry.state_file = json["state_file"].get<std::string>();
  return entry;
}

Result<std::string> whole_text(const File& file) {
  struct stat info{};
  if (::fstat(file.descriptor(), &info) != 0) return io_error("cannot examine file", file.path().string(), errno);
  std::string text(static_cast<std::size_t>(info.st_size), '\0');
  TETRAD_TRY(file.read_at(0, std::as_writable_bytes(std::span(text))));
  return text;
}

}  // namespace

Result<Journal> Journal::open(const std::filesystem::path& path, const std::string& fingerprint, bool resume) {
  const bool exists = resume && std::filesystem::exists(path);
  Journal journal;
  journal.file_ = TETRAD_TRY(exists ? File::open_existing(path) : File::create(path));
  const std::string where = path.string();
  if (exists) {
    const std::string text = TETRAD_TRY(whole_text(journal.file_));
    bool first = true;
    for (std::size_t begin = 0, end = 0; (end = text.find('\n', begin)) != std::string::npos; begin = end + 1) {
      const Json json = TETRAD_TRY(parse_json(std::string_view(text).substr(begin, end - begin), where));
      if (!first) {
        journal.entries_.push_back(TETRAD_TRY(entry_from_json(json, where)));
      } else if (!json.is_object() || json.value("tetrad_journal", 0) != kVersion ||
                 json.value("fingerprint", "") != fingerprint) {
        return invalid_input(
            "cannot resume", where,
            "the unfinished work was begun with another source, other options or other calibration data",
            "run with the same arguments, or without --resume and with --overwrite to begin anew");
      }
      first = false;
      journal.end_ = end + 1;
    }
    if (!first) return journal;
  }
  Json head;
  head["tetrad_journal"] = kVersion;
  head["fingerprint"] = fingerprint;
  const std::string line = head.dump() + "\n";
  TETRAD_TRY(journal.file_.write_at(0, std::as_bytes(std::span(line))));
  TETRAD_TRY(journal.file_.sync());
  TETRAD_TRY(sync_directory(path.parent_path()));
  journal.end_ = line.size();
  return journal;
}

Status Journal::append(const JournalEntry& entry) {
  Json json;
  json["unit"] = entry.unit;
  json["layer"] = layer_to_json(entry.layer);
  json["state_file"] = entry.state_file;
  // What a crash left behind end_ is a part of a line; the new line overwrites it, and a longer remnant is cut off
  // first.
  TETRAD_TRY(file_.resize(end_));
  const std::string line = json.dump() + "\n";
  TETRAD_TRY(file_.write_at(end_, std::as_bytes(std::span(line))));
  TETRAD_TRY(file_.sync());
  end_ += line.size();
  entries_.push_back(entry);
  return {};
}

}  // namespace tetrad
