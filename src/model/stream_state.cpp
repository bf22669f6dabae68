// The state of a LayerStream as a file: a header of fixed size, the residual stream, a fingerprint of it.
#include <fmt/format.h>

#include <array>
#include <cstring>

#include "base/files.h"
#include "base/fingerprint.h"
#include "model/layer_stream_impl.h"

namespace tetrad {
namespace {

constexpr std::array<char, 8> kMagic = {'t', 't', 'r', 'd', 'h', 'i', 'd', '1'};
constexpr std::size_t kFingerprintBytes = 32;

struct Header {
  std::array<char, 8> magic = kMagic;
  std::int64_t layer = 0, tokens = 0, hidden = 0;
  std::array<char, kFingerprintBytes> sequences{};  // fingerprint of the token ids
};
static_assert(sizeof(Header) == 64);

template <class T>
std::span<const std::byte> bytes_of(const T& value) {
  return std::as_bytes(std::span(&value, 1));
}

std::array<char, kFingerprintBytes> finish(const Fingerprint& fingerprint) {
  std::array<char, kFingerprintBytes> text{};
  const std::string hex = fingerprint.hex();
  std::memcpy(text.data(), hex.data(), std::min(hex.size(), text.size()));
  return text;
}

std::array<char, kFingerprintBytes> fingerprint_of(const std::vector<std::vector<std::int32_t>>& sequences) {
  Fingerprint fingerprint;
  for (const auto& sequence : sequences) {
    fingerprint.add_word(sequence.size());
    for (const std::int32_t id : sequence) fingerprint.add_word(static_cast<std::uint64_t>(id));
  }
  return finish(fingerprint);
}

// Calls each(first row, rows, buffer) for the whole store, a few MB at a time.
template <class Each>
Status in_pieces(std::int64_t tokens, std::int64_t width, Each each) {
  const std::int64_t step = std::max<std::int64_t>((std::int64_t{1} << 20) / width, 1);
  std::vector<float> buffer(static_cast<std::size_t>(std::min(step, std::max<std::int64_t>(tokens, 1)) * width));
  for (std::int64_t begin = 0; begin < tokens; begin += step) {
    const std::int64_t rows = std::min(step, tokens - begin);
    TETRAD_TRY(each(begin, std::span<float>(buffer.data(), static_cast<std::size_t>(rows * width))));
  }
  return {};
}

std::uint64_t offset_of(std::int64_t row, std::int64_t width) {
  return sizeof(Header) + static_cast<std::uint64_t>(row * width) * sizeof(float);
}

std::string_view text_of(std::span<const float> values) {
  return {reinterpret_cast<const char*>(values.data()), values.size_bytes()};
}

}  // namespace

Status LayerStream::save(const std::filesystem::path& path) const {
  const Impl& impl = *impl_;
  const std::int64_t width = impl.config.hidden;
  std::filesystem::path partial = path;
  partial += ".partial";
  File file = TETRAD_TRY(File::create(partial));
  Header header;
  header.layer = impl.layer;
  header.tokens = impl.tokens;
  header.hidden = width;
  header.sequences = fingerprint_of(impl.sequences);
  TETRAD_TRY(file.write_at(0, bytes_of(header)));
  Fingerprint fingerprint;
  Status copied = in_pieces(impl.tokens, width, [&](std::int64_t begin, std::span<float> rows) -> Status {
    TETRAD_TRY(impl.hidden.read(begin, static_cast<std::int64_t>(rows.size()) / width, rows.data()));
    fingerprint.add(text_of(rows));
    return file.write_at(offset_of(begin, width), std::as_bytes(rows));
  });
  TETRAD_TRY(copied);
  TETRAD_TRY(file.write_at(offset_of(impl.tokens, width), bytes_of(finish(fingerprint))));
  TETRAD_TRY(file.sync());
  std::error_code error;
  std::filesystem::rename(partial, path, error);
  if (error) return io_error("can't rename", partial.string(), error.value());
  return sync_directory(path.parent_path());
}

Status LayerStream::restore(const std::filesystem::path& path) {
  Impl& impl = *impl_;
  const std::int64_t width = impl.config.hidden;
  const auto refuse = [&](const std::string& why) {
    return invalid_input("can't resume from hidden states", path.string(), why);
  };
  std::error_code error;
  const std::uint64_t size = std::filesystem::file_size(path, error);
  if (error) return io_error("can't read", path.string(), error.value());
  const std::uint64_t expected = offset_of(impl.tokens, width) + kFingerprintBytes;
  if (size != expected) return refuse(fmt::format("{} bytes instead of {}", size, expected));
  const File file = TETRAD_TRY(File::open_existing(path));
  Header header;
  TETRAD_TRY(file.read_at(0, std::as_writable_bytes(std::span(&header, 1))));
  if (header.magic != kMagic) return refuse("not a file of hidden states");
  if (header.tokens != impl.tokens || header.hidden != width || header.sequences != fingerprint_of(impl.sequences))
    return refuse("it belongs to other sequences or another model");
  if (header.layer < 0 || header.layer > impl.config.layers)
    return refuse(fmt::format("layer {} of {}", header.layer, impl.config.layers));

  Fingerprint fingerprint;
  Status copied = in_pieces(impl.tokens, width, [&](std::int64_t begin, std::span<float> rows) -> Status {
    TETRAD_TRY(file.read_at(offset_of(begin, width), std::as_writable_bytes(rows)));
    fingerprint.add(text_of(rows));
    return impl.hidden.write(begin, static_cast<std::int64_t>(rows.size()) / width, rows.data());
  });
  TETRAD_TRY(copied);
  std::array<char, kFingerprintBytes> stored{};
  TETRAD_TRY(file.read_at(offset_of(impl.tokens, width), std::as_writable_bytes(std::span(stored))));
  if (stored != finish(fingerprint)) return refuse("its checksum is wrong");
  impl.layer = header.layer;
  return {};
}

}  // namespace tetrad
