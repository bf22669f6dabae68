#include "checkpoint/safetensors_writer.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <map>
#include <nlohmann/json.hpp>
#include <unordered_map>

#include "base/check.h"
#include "base/files.h"
#include "base/json.h"
#include "base/utf8.h"
#include "checkpoint/safetensors_file.h"

namespace tetrad {
namespace {

const std::string kNoLayout = "cannot lay out checkpoint";

Result<std::uint64_t> checked_bytes(const TensorSpec& spec) {
  std::uint64_t bytes = dtype_size(spec.dtype);
  for (const std::int64_t size : spec.shape) {
    if (size < 0 || __builtin_mul_overflow(bytes, static_cast<std::uint64_t>(size), &bytes))
      return invalid_input(kNoLayout, "tensor " + spec.name,
                           fmt::format("the shape {} is not possible", shape_text(spec.shape)));
  }
  return bytes;
}

std::string quoted(const std::string& text) { return Json(text).dump(); }

}  // namespace

std::uint64_t TensorSpec::bytes() const {
  std::uint64_t bytes = dtype_size(dtype);
  for (const std::int64_t size : shape) bytes *= static_cast<std::uint64_t>(size);
  return bytes;
}

struct ShardLayout::Impl {
  std::vector<TensorSpec> tensors;
  std::vector<Place> places;              // of each tensor
  std::vector<std::string> headers;       // of each shard, prefix included
  std::vector<std::uint64_t> data_bytes;  // of each shard
  std::unordered_map<std::string, std::size_t> index;
  std::uint64_t total = 0;
};

namespace {

// The header of one shard; `order` lists its tensors by offset, `offsets` where each begins in the data part.
std::string header_text(const std::vector<TensorSpec>& tensors, const std::vector<std::size_t>& order) {
  std::string text = R"({"__metadata__":{"format":"pt"})";
  std::uint64_t at = 0;
  for (const std::size_t i : order) {
    const TensorSpec& spec = tensors[i];
    text += fmt::format(R"(,{}:{{"dtype":"{}","shape":[)", quoted(spec.name), dtype_name(spec.dtype));
    for (std::size_t d = 0; d < spec.shape.size(); ++d) text += fmt::format("{}{}", d == 0 ? "" : ",", spec.shape[d]);
    text += fmt::format(R"(],"data_offsets":[{},{}]}})", at, at + spec.bytes());
    at += spec.bytes();
  }
  text += '}';
  text.resize((text.size() + 7) / 8 * 8, ' ');
  return text;
}

std::string with_length(const std::string& text) {
  std::string out;
  for (std::size_t i = 0; i < 8; ++i)
    out += static_cast<char>((static_cast<std::uint64_t>(text.size()) >> (8 * i)) & 0xFF);
  return out + text;
}

}  // namespace

Result<ShardLayout> ShardLayout::plan(std::vector<TensorSpec> tensors, std::uint64_t shard_bytes) {
  if (shard_bytes == 0) return invalid_input(kNoLayout, "", "a shard of 0 bytes holds nothing");
  auto impl = std::make_shared<Impl>();
  impl->tensors = std::move(tensors);
  std::vector<std::vector<std::size_t>> members(1);
  std::uint64_t filled = 0;
  for (std::size_t i = 0; i < impl->tensors.size(); ++i) {
    const TensorSpec& spec = impl->tensors[i];
    const std::uint64_t bytes = TETRAD_TRY(checked_bytes(spec));
    if (!is_valid_utf8(spec.name) || spec.name == "__metadata__")
      return invalid_input(kNoLayout, "tensor " + spec.name, "not a name for a tensor");
    if (!impl->index.emplace(spec.name, i).second)
      return invalid_input(kNoLayout, "tensor " + spec.name, "it occurs twice");
    if (__builtin_add_overflow(impl->total, bytes, &impl->total))
      return invalid_input(kNoLayout, "", "the sizes overflow");
    if (!members.back().empty() && (filled >= shard_bytes || bytes > shard_bytes - filled)) {
      members.emplace_back();
      filled = 0;
    }
    members.back().push_back(i);
    filled += bytes;
  }

  impl->places.resize(impl->tensors.size());
  for (std::size_t shard = 0; shard < members.size(); ++shard) {
    // Wide types first, as Hugging Face writes files: so every tensor is aligned for its type, which readers that cast
    // in place need.
    std::stable_sort(members[shard].begin(), members[shard].end(), [&](std::size_t a, std::size_t b) {
      return dtype_size(impl->tensors[a].dtype) > dtype_size(impl->tensors[b].dtype);
    });
    const std::string text = header_text(impl->tensors, members[shard]);
    if (text.size() > kMaxSafetensorsHeader)
      return invalid_input(kNoLayout, "", "the header of a shard would be too long", "use smaller shards");
    impl->headers.push_back(with_length(text));
    const std::uint64_t start = impl->headers.back().size();
    std::uint64_t at = start;
    for (const std::size_t i : members[shard]) {
      impl->places[i] = {shard, at, impl->tensors[i].bytes()};
      at += impl->places[i].bytes;
    }
    impl->data_bytes.push_back(at - start);
  }
  ShardLayout layout;
  layout.impl_ = std::move(impl);
  return layout;
}

const std::vector<TensorSpec>& ShardLayout::tensors() const { return impl_->tensors; }

ShardLayout::Place ShardLayout::place(std::size_t tensor) const {
  TETRAD_CHECK(tensor < impl_->places.size());
  return impl_->places[tensor];
}

std::size_t ShardLayout::find(const std::string& name) const {
  const auto found = impl_->index.find(name);
  return found == impl_->index.end() ? npos : found->second;
}

std::size_t ShardLayout::shards() const { return impl_->headers.size(); }

std::string ShardLayout::shard_name(std::size_t shard) const {
  TETRAD_CHECK(shard < shards());
  if (shards() == 1) return "model.safetensors";
  return fmt::format("model-{:05}-of-{:05}.safetensors", shard + 1, shards());
}

std::uint64_t ShardLayout::shard_file_bytes(std::size_t shard) const {
  TETRAD_CHECK(shard < shards());
  return impl_->headers[shard].size() + impl_->data_bytes[shard];
}

std::string ShardLayout::header(std::size_t shard) const {
  TETRAD_CHECK(shard < shards());
  return impl_->headers[shard];
}

std::string ShardLayout::index_json() const {
  if (shards() == 1) return {};
  std::map<std::string, std::size_t> sorted;
  for (std::size_t i = 0; i < impl_->tensors.size(); ++i) sorted[impl_->tensors[i].name] = impl_->places[i].shard;
  Json weight_map = Json::object();
  auto& entries = weight_map.get_ref<Json::object_t&>();
  entries.reserve(sorted.size());
  // emplace_back, not []: an ordered_json looks a key up by a linear search, and a large model has 200,000 of them.
  for (const auto& [name, shard] : sorted) entries.emplace_back(name, Json(shard_name(shard)));
  Json index = Json::object();
  index["metadata"]["total_size"] = impl_->total;
  index["weight_map"] = std::move(weight_map);
  return index.dump(2) + "\n";
}

std::uint64_t ShardLayout::total_bytes() const { return impl_->total; }

struct SafetensorsWriter::Impl {
  std::filesystem::path directory;
  ShardLayout layout;
  std::vector<File> files;
};

namespace {

Result<File> create_shard(const std::filesystem::path& path, const ShardLayout& layout, std::size_t shard) {
  File file = TETRAD_TRY(File::create(path));
  TETRAD_TRY(file.resize(layout.shard_file_bytes(shard)));
  const std::string header = layout.header(shard);
  TETRAD_TRY(file.write_at(0, std::as_bytes(std::span(header))));
  return file;
}

Result<File> reopen_shard(const std::filesystem::path& path, const ShardLayout& layout, std::size_t shard) {
  const std::string what = "cannot continue unfinished checkpoint", hint = "start anew without the unfinished files";
  std::error_code failed;
  const std::uintmax_t size = std::filesystem::file_size(path, failed);
  if (failed) return make_error(ErrorCode::kIo, what, path.string(), failed.message(), hint);
  if (size != layout.shard_file_bytes(shard))
    return invalid_input(what, path.string(),
                         fmt::format("it has {} bytes, not {}", size, layout.shard_file_bytes(shard)), hint);
  File file = TETRAD_TRY(File::open_existing(path));
  const std::string expected = layout.header(shard);
  std::string found(expected.size(), '\0');
  TETRAD_TRY(file.read_at(0, std::as_writable_bytes(std::span(found))));
  if (found != expected) return invalid_input(what, path.string(), "its header is not the one of this run", hint);
  return file;
}

}  // namespace

Result<SafetensorsWriter> SafetensorsWriter::open(const std::filesystem::path& directory, ShardLayout layout,
                                                  bool keep_existing) {
  SafetensorsWriter writer;
  writer.impl_ = std::make_unique<Impl>();
  writer.impl_->directory = directory;
  for (std::size_t shard = 0; shard < layout.shards(); ++shard) {
    const std::filesystem::path path = directory / layout.shard_name(shard);
    auto file = keep_existing ? reopen_shard(path, layout, shard) : create_shard(path, layout, shard);
    writer.impl_->files.push_back(TETRAD_TRY(std::move(file)));
  }
  writer.impl_->layout = std::move(layout);
  return writer;
}

SafetensorsWriter::SafetensorsWriter() = default;
SafetensorsWriter::SafetensorsWriter(SafetensorsWriter&&) noexcept = default;
SafetensorsWriter& SafetensorsWriter::operator=(SafetensorsWriter&&) noexcept = default;
SafetensorsWriter::~SafetensorsWriter() = default;

const ShardLayout& SafetensorsWriter::layout() const { return impl_->layout; }

Status SafetensorsWriter::write(std::size_t tensor, std::uint64_t offset, std::span<const std::byte> bytes) {
  const ShardLayout::Place place = impl_->layout.place(tensor);
  TETRAD_CHECK(offset <= place.bytes && bytes.size() <= place.bytes - offset);
  return impl_->files[place.shard].write_at(place.offset + offset, bytes);
}

Status SafetensorsWriter::sync() {
  for (File& file : impl_->files) TETRAD_TRY(file.sync());
  return {};
}

Status SafetensorsWriter::finish() {
  TETRAD_TRY(sync());
  const std::string index = impl_->layout.index_json();
  if (!index.empty()) TETRAD_TRY(write_file_atomically(impl_->directory / "model.safetensors.index.json", index));
  return sync_directory(impl_->directory);
}

}  // namespace tetrad
