#include "conversion/workplace.h"

#include <sys/file.h>

#include <cerrno>
#include <vector>

namespace tetrad {
namespace fs = std::filesystem;
namespace {

fs::path partial_path(fs::path destination) {
  destination = destination.lexically_normal();
  if (!destination.has_filename()) destination = destination.parent_path();  // "out/" is "out"
  return destination.string() + ".partial";
}

Status delete_path(const fs::path& path) {
  std::error_code error;
  fs::remove_all(path, error);
  if (error) return io_error("cannot delete", path.string(), error.value());
  return {};
}

Status make_directories(const fs::path& path) {
  std::error_code error;
  fs::create_directories(path, error);
  if (error) return io_error("cannot create directory", path.string(), error.value());
  return {};
}

Result<File> lock(const fs::path& path) {
  auto file = TETRAD_TRY(File::create(path));
  if (::flock(file.descriptor(), LOCK_EX | LOCK_NB) != 0)
    return invalid_input("the destination is in use", path.parent_path().string(), "another tetrad is writing there");
  return file;
}

Status rename_path(const fs::path& from, const fs::path& to) {
  std::error_code error;
  fs::rename(from, to, error);
  if (error) return io_error("cannot rename", from.string() + " to " + to.string(), error.value());
  return {};
}

bool path_exists(const fs::path& path) {
  std::error_code ignored;
  return fs::exists(fs::symlink_status(path, ignored));
}

// Absolute, links resolved, without a slash at the end: two names of one place are equal.
Result<fs::path> resolved(const fs::path& path) {
  std::error_code error;
  const fs::path whole = fs::weakly_canonical(fs::absolute(path, error), error);
  if (error) return io_error("cannot resolve", path.string(), error.value());
  return whole.has_filename() ? whole : whole.parent_path();
}

// What write_file_atomically() left when it was killed: NAME.tmp and a number.
Status delete_half_written(const fs::path& directory) {
  std::vector<fs::path> found;
  std::error_code error;
  for (fs::directory_iterator at(directory, error), end; !error && at != end; at.increment(error)) {
    const std::string name = at->path().filename().string();
    const std::size_t tail = name.rfind(".tmp");
    if (tail != std::string::npos && tail + 4 < name.size() &&
        name.find_first_not_of("0123456789", tail + 4) == std::string::npos)
      found.push_back(at->path());
  }
  if (error) return io_error("cannot read directory", directory.string(), error.value());
  for (const fs::path& path : found) TETRAD_TRY(delete_path(path));
  return {};
}

// A directory with directories in it that is no checkpoint: a home, say, named by a slip.
Result<bool> holds_something_else(const fs::path& path) {
  std::error_code error;
  if (!fs::is_directory(fs::symlink_status(path, error))) return false;
  if (path_exists(path / "config.json")) return false;
  bool directories = false;
  for (fs::directory_iterator at(path, error), end; !error && at != end; at.increment(error))
    directories |= fs::is_directory(at->symlink_status(error));
  if (error) return io_error("cannot read directory", path.string(), error.value());
  return directories;
}

Status check_replaceable(const fs::path& destination) {
  if (!TETRAD_TRY(holds_something_else(destination))) return {};
  return invalid_input("the destination is no checkpoint", destination.string(),
                       "it holds directories and no config.json, which would be deleted",
                       "choose another name, or delete it yourself");
}

}  // namespace

Result<Workplace> Workplace::open(const fs::path& destination, bool resume, bool overwrite, bool resumable) {
  Workplace place;
  place.directory_ = partial_path(destination);
  place.destination_ = place.directory_.string().substr(0, place.directory_.string().size() - 8);
  if (path_exists(place.destination_) && !overwrite)
    return invalid_input("the destination exists", place.destination_.string(), "it is never overwritten by itself",
                         "choose another name or add --overwrite");
  TETRAD_TRY(check_replaceable(place.destination_));
  const bool left = path_exists(place.directory_);
  if (left && !resume && !overwrite)
    return invalid_input(
        "unfinished work is there", place.directory_.string(), "an earlier run was interrupted",
        resumable ? "add --resume to continue it, or --overwrite to begin anew" : "add --overwrite to begin anew");
  TETRAD_TRY(make_directories(place.directory_));
  place.lock_ = TETRAD_TRY(lock(place.directory_ / "lock"));
  if (left && !resume) {
    for (const char* name : {"checkpoint", "journal", "hidden-0", "hidden-1", "replaced"})
      TETRAD_TRY(delete_path(place.directory_ / name));
  }
  TETRAD_TRY(make_directories(place.checkpoint()));
  TETRAD_TRY(delete_half_written(place.checkpoint()));
  return place;
}

Status Workplace::check_apart(const fs::path& source, const fs::path& destination) {
  const fs::path target = TETRAD_TRY(resolved(destination));
  for (fs::path above = TETRAD_TRY(resolved(source));; above = above.parent_path()) {
    if (above == target)
      return invalid_input("the destination holds the source", destination.string(),
                           "writing it would delete " + source.string(), "choose another destination");
    if (above == above.parent_path()) return {};  // the root
  }
}

Status Workplace::discard(const fs::path& destination) {
  const fs::path directory = partial_path(destination);
  if (!path_exists(directory)) return {};
  auto held = TETRAD_TRY(lock(directory / "lock"));
  return delete_path(directory);
}

Status Workplace::publish() {
  TETRAD_TRY(sync_directory(checkpoint()));
  TETRAD_TRY(check_replaceable(destination_));  // hours may have passed
  // Killed between the two renames, a resumed run finds the checkpoint still here and ends the work.
  if (path_exists(destination_)) {
    TETRAD_TRY(delete_path(directory_ / "replaced"));
    TETRAD_TRY(rename_path(destination_, directory_ / "replaced"));
  }
  TETRAD_TRY(rename_path(checkpoint(), destination_));
  TETRAD_TRY(sync_directory(fs::absolute(destination_).parent_path()));
  return abandon();
}

Status Workplace::abandon() { return delete_path(directory_); }

}  // namespace tetrad
