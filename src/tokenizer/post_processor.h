// The special tokens that go around a text (beginning of sequence and the like). Source: tokenizers/src/processors.
// Read: null, ByteLevel (it only moves offsets), TemplateProcessing, BertProcessing, RobertaProcessing, Sequence of
// these.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/json.h"

namespace tetrad {

class PostProcessor {
 public:
  static Result<PostProcessor> build(const Json& json, const std::string& where);

  std::vector<std::int32_t> apply(std::vector<std::int32_t> ids, bool add_special_tokens) const;

 private:
  struct Part {
    bool is_text;
    std::vector<std::int32_t> ids;  // of a special token
  };

  Status add(const Json& json, const std::string& where, std::size_t depth);
  Status add_template(const Json& json, const std::string& component);
  Status add_pair(const Json& json, const std::string& component);

  std::vector<Part> parts_;  // empty: the text alone
};

}  // namespace tetrad
