// A tokenizer.json from outside, and a text through it: loading must end in a tokenizer or an error, and what loads
// must encode and decode anything. The input is the file, then (after a NUL byte) the text.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "base/log.h"
#include "tokenizer/tokenizer.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  tetrad::set_quiet(true);
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  const std::size_t nul = input.find('\0');
  const auto tokenizer = tetrad::Tokenizer::from_json(input.substr(0, nul), "fuzz");
  if (!tokenizer) return 0;
  const std::string_view text =
      nul == std::string_view::npos ? "Hello world 123\r\n\xE4\xB8\xAD" : input.substr(nul + 1);
  for (const bool flag : {false, true}) {
    std::vector<tetrad::TokenId> ids = tokenizer->encode(text, flag);
    ids.push_back(-1);
    ids.push_back(static_cast<tetrad::TokenId>(tokenizer->vocabulary_size()));
    const std::string whole = tokenizer->decode(ids, flag);
    tetrad::StreamDecoder stream(*tokenizer, flag);
    std::string streamed;
    for (const tetrad::TokenId id : ids) streamed += stream.push(id);
    streamed += stream.finish();
    if (streamed != whole) std::abort();
  }
  return 0;
}
