// The HTTP API without HTTP: takes requests apart, has the engine generate, builds the answers. Made by `tetrad serve`,
// asked by server/. Thread-safe; tokenizing and JSON happen on the caller's threads.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "api/exchange.h"
#include "api/generator.h"
#include "chat/chat_template.h"
#include "chat/output_parser.h"
#include "sampling/sampler.h"
#include "tokenizer/tokenizer.h"

namespace tetrad {

struct ApiOptions {
  std::vector<std::string> names;     // what the model is called; at least one, the first is its main name
  bool any_model_name = false;        // a request may ask for any other
  std::vector<std::string> api_keys;  // empty: everybody may
  bool metrics_open = false;          // /metrics wants no key
  std::string cors_origin;            // empty: no CORS headers
  ReasoningParser reasoning = ReasoningParser::kNone;
  ToolParser tools = ToolParser::kNone;
  SamplingParams defaults;               // of generation_config.json
  std::int64_t vocab = 0;                // ids go from 0 to vocab - 1
  std::vector<std::int32_t> end_tokens;  // the model's own: grammars let the text end with them
  std::string model_path, version;
  std::string server_info;  // a JSON object that /server_info shows as well; empty: none
  std::string_view page;    // HTML at /, outlives the service; empty: 404
};

class Service final : public Handler {
 public:
  // Without a chat template the chat routes answer 400. Until serve() is called the model is loading: /health and all
  // that generates answer 503.
  Service(ApiOptions options, Tokenizer tokenizer, std::optional<ChatTemplate> chat_template);
  ~Service() override;

  void serve(Generator& generator);  // which outlives the service and its exchanges
  void drain();                      // /health and new requests: 503

  std::unique_ptr<Exchange> open(HttpRequest request) override;
  std::pair<HttpHead, std::string> transport_error(int status, const std::string& path,
                                                   const std::string& message) override;
  std::optional<std::pair<HttpHead, std::string>> refuse(const HttpRequest& head) override;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace tetrad
