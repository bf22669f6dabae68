// `tetrad serve`: from flags to a running server and back. cmd_serve.cpp reads the flags, serve.cpp does the rest.
#pragma once

#include <string>
#include <vector>

#include "cli/command.h"
#include "server/http_server.h"

namespace tetrad {

struct ServeFlags {
  std::string model, reasoning_parser = "auto", tool_parser = "auto", cache_type = "auto", speculation = "none",
                     activations = "bf16", expert_cache = "auto", log_level = "info", trace, cors_origin, key_file;
  std::vector<std::string> names, keys, ignored;  // ignored: SGLang's that mean nothing here
  ServerOptions server;
  DenseWeights dense = DenseWeights::kStored;
  bool fast = false;
  double fraction = 0.85, drain_seconds = 60;
  std::int64_t max_total_tokens = 0, max_running = 256, max_queued = 0, chunk = 512, context = 0, drafts = 8, tp = 1;
  int log_requests_level = 1;
  bool no_prefix_cache = false, any_name = false, metrics_open = false, log_requests = false;
};

// Serves until SIGTERM or SIGINT, then drains.
Status serve(const ServeFlags& flags, const CommonFlags& common);

}  // namespace tetrad
