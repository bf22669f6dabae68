#include "checkpoint/checkpoint.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>
#include <unordered_map>

#include "base/check.h"
#include "checkpoint/checkpoint_impl.h"

namespace tetrad {
namespace fs = std::filesystem;
namespace {

const std::string kInvalidCheckpoint = "invalid checkpoint";
constexpr std::uint64_t kMaxConfigBytes = std::uint64_t{64} << 20;
constexpr const char* kIndexName = "model.safetensors.index.json";

using Index = std::vector<std::pair<std::string, std::string>>;  // tensor -> file name, in the order of the file

// Collects faults, or stops at the first: add() is an error when faults are not wanted.
class Faults {
 public:
  explicit Faults(std::vector<Error>* list) : list_(list) {}
  Status add(Unexpected fault) {
    if (list_ == nullptr) return fault;
    list_->push_back(fault.value());
    return {};
  }
  const Error* first() const { return list_ == nullptr || list_->empty() ? nullptr : &list_->front(); }

 private:
  std::vector<Error>* list_;
};

// A shard lies in the model's directory: anything that could lead elsewhere is refused.
bool is_plain_file_name(const std::string& name) {
  return !name.empty() && name != "." && name != ".." &&
         name.find_first_of(std::string("/\\\0", 3)) == std::string::npos;
}

Result<Index> read_index(const fs::path& path, Faults& faults) {
  const Json json = TETRAD_TRY(read_json_file(path));
  const std::string what = "invalid index of shards";
  if (!json.is_object()) return invalid_input(what, path.string(), "it is not an object");
  const auto map = json.find("weight_map");
  if (map == json.end() || !map->is_object())
    return invalid_input(what, path.string(), "\"weight_map\" must be an object");
  Index index;
  for (const auto& [tensor, file] : map->items()) {
    if (!file.is_string()) {
      TETRAD_TRY(faults.add(invalid_input(what, path.string() + ": tensor " + tensor, "its file must be a string")));
    } else if (const auto& name = file.get_ref<const std::string&>(); !is_plain_file_name(name)) {
      TETRAD_TRY(faults.add(invalid_input(what, path.string() + ": tensor " + tensor,
                                          fmt::format("\"{}\" is not a plain file name", name))));
    } else {
      index.emplace_back(tensor, name);
    }
  }
  if (map->empty()) TETRAD_TRY(faults.add(invalid_input(what, path.string(), "\"weight_map\" is empty")));
  return index;
}

Result<std::vector<std::string>> list_safetensors(const fs::path& directory) {
  std::vector<std::string> names;
  std::error_code failed;
  for (fs::directory_iterator it(directory, failed), end; !failed && it != end; it.increment(failed))
    if (it->path().extension() == ".safetensors") names.push_back(it->path().filename().string());
  if (failed) return make_error(ErrorCode::kIo, "cannot list directory", directory.string(), failed.message());
  std::sort(names.begin(), names.end());
  return names;
}

Result<Json> read_config(const fs::path& directory) {
  const fs::path path = directory / "config.json";
  Json config = TETRAD_TRY(read_json_file(path, kMaxConfigBytes));
  if (!config.is_object()) return invalid_input("invalid configuration", path.string(), "it is not an object");
  return config;
}

}  // namespace

namespace {

Status add_shard(Checkpoint::Impl& impl, const std::string& name, Faults& faults) {
  const fs::path path = impl.directory / name;
  std::error_code failed;
  if (!fs::exists(path, failed))
    return faults.add(invalid_input(kInvalidCheckpoint, path.string(), "this shard is missing",
                                    "copy or download the whole model again"));
  auto file = SafetensorsFile::open(path);
  if (!file) return faults.add(Unexpected(std::move(file).error()));
  const std::size_t shard = impl.files.size();
  for (const NamedTensor& tensor : file->tensors()) {
    const auto [place, added] = impl.names.emplace(tensor.name, impl.entries.size());
    if (added) {
      impl.entries.push_back({tensor.name, tensor.view, shard});
    } else {
      const std::string first = impl.shards[impl.entries[place->second].shard].filename().string();
      TETRAD_TRY(faults.add(invalid_input(kInvalidCheckpoint, path.string() + ": tensor " + tensor.name,
                                          fmt::format("it is in {} too", first))));
    }
  }
  impl.shards.push_back(path);
  impl.files.push_back(std::move(*file));
  return {};
}

// Each tensor of the index must be in the file that the index says.
Status check_index(const Checkpoint::Impl& impl, const Index& index, Faults& faults) {
  for (const auto& [tensor, file] : index) {
    const auto found = impl.names.find(tensor);
    const auto where = [&, &name = tensor] { return (impl.directory / kIndexName).string() + ": tensor " + name; };
    if (found == impl.names.end()) {
      TETRAD_TRY(faults.add(invalid_input(kInvalidCheckpoint, where(), fmt::format("{} does not hold it", file))));
    } else if (const fs::path& shard = impl.shards[impl.entries[found->second].shard]; shard.filename() != file) {
      TETRAD_TRY(faults.add(invalid_input(kInvalidCheckpoint, where(),
                                          fmt::format("it is in {}, not in {}", shard.filename().string(), file))));
    }
  }
  return {};
}

Result<std::shared_ptr<const Checkpoint::Impl>> open_all(const fs::path& directory, Faults& faults) {
  std::error_code failed;
  if (!fs::is_directory(directory, failed))
    return invalid_input("cannot open model", directory.string(),
                         fs::exists(directory, failed) ? "it is not a directory" : "there is no such directory");
  auto impl = std::make_shared<Checkpoint::Impl>();
  impl->directory = directory;
  impl->config = TETRAD_TRY(read_config(directory));

  Index index;
  bool indexed = false;
  if (fs::exists(fs::symlink_status(directory / kIndexName, failed))) {
    auto read = read_index(directory / kIndexName, faults);
    indexed = read.has_value();
    if (indexed)
      index = std::move(*read);
    else
      TETRAD_TRY(faults.add(Unexpected(std::move(read).error())));
  }
  std::vector<std::string> names;
  if (indexed) {
    std::set<std::string> files;
    for (const auto& [tensor, file] : index) {
      files.insert(file);
      impl->indexed.push_back(tensor);
    }
    std::sort(impl->indexed.begin(), impl->indexed.end());
    names.assign(files.begin(), files.end());
  } else {
    names = TETRAD_TRY(list_safetensors(directory));
  }
  if (names.empty())
    return invalid_input("cannot open model", directory.string(), "it has no *.safetensors files",
                         "tetrad reads models in Hugging Face layout with safetensors weights");
  for (const std::string& name : names) TETRAD_TRY(add_shard(*impl, name, faults));
  TETRAD_TRY(check_index(*impl, index, faults));
  if (impl->entries.empty() && faults.first() != nullptr) return Unexpected(*faults.first());
  if (impl->entries.empty())
    return invalid_input("cannot open model", directory.string(), "none of its files holds a tensor");
  return impl;
}

}  // namespace

Result<Checkpoint> Checkpoint::open(const fs::path& directory) {
  Faults strict(nullptr);
  Checkpoint checkpoint;
  checkpoint.impl_ = TETRAD_TRY(open_all(directory, strict));
  return checkpoint;
}

Result<Checkpoint> Checkpoint::open_damaged(const fs::path& directory, std::vector<Error>& faults) {
  Faults collect(&faults);
  Checkpoint checkpoint;
  checkpoint.impl_ = TETRAD_TRY(open_all(directory, collect));
  return checkpoint;
}

const fs::path& Checkpoint::directory() const { return impl_->directory; }
const Json& Checkpoint::config() const { return impl_->config; }
const std::vector<Checkpoint::Entry>& Checkpoint::entries() const { return impl_->entries; }
const std::vector<fs::path>& Checkpoint::shards() const { return impl_->shards; }
const std::vector<std::string>& Checkpoint::indexed_names() const { return impl_->indexed; }

const TensorView* Checkpoint::find(const std::string& name) const {
  const auto found = impl_->names.find(name);
  return found == impl_->names.end() ? nullptr : &impl_->entries[found->second].view;
}

Result<TensorView> Checkpoint::tensor(const std::string& name) const {
  if (const TensorView* view = find(name)) return *view;
  return invalid_input("missing tensor", impl_->directory.string() + ": tensor " + name, "no shard holds it");
}

Result<TensorView> Checkpoint::tensor(const std::string& name, const Shape& shape) const {
  TensorView view = TETRAD_TRY(tensor(name));
  if (view.shape != shape)
    return invalid_input("wrong shape", impl_->directory.string() + ": tensor " + name,
                         fmt::format("it is {}, config.json asks for {}", shape_text(view.shape), shape_text(shape)));
  return view;
}

namespace {

// The number of the file that maps `bytes`, and where in it they begin.
std::optional<Checkpoint::Place> place_in(const std::vector<SafetensorsFile>& files, std::span<const std::byte> bytes) {
  if (bytes.empty()) return std::nullopt;
  for (std::size_t f = 0; f < files.size(); ++f) {
    const std::span<const std::byte> all = files[f].file().bytes();
    const std::less<const std::byte*> before;
    if (all.empty() || before(bytes.data(), all.data()) || !before(bytes.data(), all.data() + all.size())) continue;
    const auto begin = static_cast<std::size_t>(bytes.data() - all.data());
    TETRAD_CHECK(bytes.size() <= all.size() - begin);
    return Checkpoint::Place{f, begin};
  }
  return std::nullopt;
}

// The mapping that holds `bytes`, and the part of it in whole blocks around them; nothing for bytes from elsewhere. A
// touched page brings its whole 64 KiB block along (Linux: fault_around_bytes), so what is dropped must be whole blocks
// too: with single pages the edges stayed, 30 KB a tensor, 1.4 GB over the 47,616 expert matrices of MiniMax-M2.7.
template <class Use>
void with_pages(const std::vector<SafetensorsFile>& files, std::span<const std::byte> bytes, const Use& use) {
  constexpr std::size_t kBlock = std::size_t{64} << 10;
  const auto place = place_in(files, bytes);
  if (!place) return;
  const MappedFile& file = files[place->shard].file();
  const std::span<const std::byte> all = file.bytes();
  const std::size_t begin = place->offset;
  const std::size_t before_all = reinterpret_cast<std::uintptr_t>(all.data()) % kBlock;  // blocks lie in addresses
  const std::size_t from = std::max((before_all + begin) / kBlock * kBlock, before_all) - before_all;
  const std::size_t to =
      std::min((before_all + begin + bytes.size() + kBlock - 1) / kBlock * kBlock - before_all, all.size());
  use(file, all.subspan(from, to - from));
}

}  // namespace

void Checkpoint::release(std::span<const std::byte> bytes) const {
  with_pages(impl_->files, bytes, [](const MappedFile& file, std::span<const std::byte> part) { file.release(part); });
}

void Checkpoint::release(const WeightView& weight) const {
  release(weight.data);
  release(weight.scales);
}

void Checkpoint::prefetch(const WeightView& weight) const {
  for (const auto& bytes : {weight.data, weight.scales})
    with_pages(impl_->files, bytes,
               [](const MappedFile& file, std::span<const std::byte> part) { file.prefetch(part); });
}

std::optional<Checkpoint::Place> Checkpoint::place(std::span<const std::byte> bytes) const {
  return place_in(impl_->files, bytes);
}

}  // namespace tetrad
