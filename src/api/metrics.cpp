#include "api/metrics.h"

#include <fmt/format.h>

#include <algorithm>

namespace tetrad {
namespace {

// A label's value as Prometheus quotes it.
std::string quoted(const std::string& value) {
  std::string text = "\"";
  for (const char c : value) {
    if (c == '\n') {
      text += "\\n";
      continue;
    }
    if (c == '"' || c == '\\') text += '\\';
    text += c;
  }
  return text + '"';
}

std::string head(const std::string& name, const char* type, const char* help) {
  return fmt::format("# HELP tetrad_{} {}\n# TYPE tetrad_{} {}\n", name, help, name, type);
}

template <class T>
double ratio(T part, T whole) {
  return whole == 0 ? 0.0 : static_cast<double>(part) / static_cast<double>(whole);
}

}  // namespace

void Histogram::observe(double value, std::uint64_t times) {
  const auto bucket = std::lower_bound(bounds_.begin(), bounds_.end(), value) - bounds_.begin();
  counts_[static_cast<std::size_t>(bucket)] += times;
  count_ += times;
  sum_ += value * static_cast<double>(times);
}

std::string Histogram::text(const std::string& name, const std::string& labels) const {
  std::string text;
  std::uint64_t below = 0;
  for (std::size_t b = 0; b < bounds_.size(); ++b) {
    below += counts_[b];
    text += fmt::format("tetrad_{}_bucket{{{},le=\"{}\"}} {}\n", name, labels, bounds_[b], below);
  }
  text += fmt::format("tetrad_{}_bucket{{{},le=\"+Inf\"}} {}\n", name, labels, count_);
  return text + fmt::format("tetrad_{0}_sum{{{1}}} {2}\ntetrad_{0}_count{{{1}}} {3}\n", name, labels, sum_, count_);
}

Metrics::Metrics(const std::string& model_name)
    : labels_("model_name=" + quoted(model_name)),
      first_token_({0.1, 0.2, 0.4, 0.6, 0.8, 1, 2, 4, 6, 8, 10, 20, 40, 60, 80, 100, 200, 400}),
      inter_token_({0.002, 0.004, 0.006, 0.008, 0.010, 0.015, 0.020, 0.025, 0.030, 0.035, 0.040, 0.060,
                    0.080, 0.100, 0.200, 0.400, 0.600, 0.800, 1,     2,     4,     6,     8}),
      end_to_end_({0.1, 0.2, 0.4, 0.6, 0.8, 1, 2, 4, 6, 8, 10, 20, 40, 60, 80, 100, 200, 400, 600, 1200, 1800, 2400}) {}

void Metrics::response(int status) {
  const std::lock_guard lock(mutex_);
  ++responses_[status];
}

void Metrics::first_token(double seconds) {
  const std::lock_guard lock(mutex_);
  first_token_.observe(seconds);
}

void Metrics::next_tokens(double seconds, std::uint64_t tokens) {
  if (tokens == 0) return;
  const std::lock_guard lock(mutex_);
  inter_token_.observe(seconds / static_cast<double>(tokens), tokens);
}

void Metrics::request_end(double seconds) {
  const std::lock_guard lock(mutex_);
  end_to_end_.observe(seconds);
}

std::string Metrics::text(const EngineStats* stats) const {
  std::string text;
  const auto line = [&](const char* name, const char* type, const char* help, auto value) {
    text += head(name, type, help) + fmt::format("tetrad_{}{{{}}} {}\n", name, labels_, value);
  };
  if (stats != nullptr) {
    const EngineStats& s = *stats;
    line("num_running_reqs", "gauge", "Requests that run.", s.running);
    line("num_queue_reqs", "gauge", "Requests that wait.", s.queued);
    line("max_total_num_tokens", "gauge", "Tokens the key/value pool holds.", s.pool_tokens);
    line("num_used_tokens", "gauge", "Tokens of the pool that running requests hold.", s.used_tokens);
    line("kv_evictable_tokens", "gauge", "Tokens of the pool kept for later requests.", s.cached_tokens);
    line("kv_available_tokens", "gauge", "Tokens of the pool that hold nothing.",
         s.pool_tokens - s.used_tokens - s.cached_tokens);
    line("token_usage", "gauge", "Part of the pool that running requests hold.", ratio(s.used_tokens, s.pool_tokens));
    line("cache_hit_rate", "gauge", "Part of all prompt tokens that came from the prefix cache.",
         ratio(s.prompt_tokens_cached, s.prompt_tokens));
    line("prompt_tokens_total", "counter", "Prompt tokens of ended requests.", s.prompt_tokens);
    line("cached_tokens_total", "counter", "Prompt tokens that came from the prefix cache.", s.prompt_tokens_cached);
    line("generation_tokens_total", "counter", "Tokens generated.", s.generation_tokens);
    line("num_requests_total", "counter", "Requests the engine took.", s.requests);
    line("num_aborted_requests_total", "counter", "Requests that were cancelled.", s.aborted);
    line("num_retracted_requests_total", "counter", "Preemptions: requests put back for want of memory.",
         s.preemptions);
    line("engine_steps_total", "counter", "Steps of the engine.", s.steps);
    line("spec_draft_tokens_total", "counter", "Draft tokens of speculation.", s.draft_tokens);
    line("spec_accepted_tokens_total", "counter", "Draft tokens that were right.", s.accepted_tokens);
    line("spec_accept_rate", "gauge", "Part of the draft tokens that were right.",
         ratio(s.accepted_tokens, s.draft_tokens));
    if (s.expert_capacity_bytes > 0) {  // only a model that is larger than memory has one
      line("expert_cache_hit_rate", "gauge", "Part of the experts steps wanted that were in memory.",
           ratio(s.expert_hits, s.expert_hits + s.expert_misses));
      line("expert_cache_hits_total", "counter", "Experts of steps that were in memory.", s.expert_hits);
      line("expert_cache_misses_total", "counter", "Experts of steps that had to be read.", s.expert_misses);
      line("expert_cache_read_bytes_total", "counter", "Bytes of experts read from disk.", s.expert_bytes_read);
      line("expert_cache_resident_bytes", "gauge", "Bytes of experts in memory.", s.expert_resident_bytes);
      line("expert_cache_capacity_bytes", "gauge", "Bytes of experts that fit.", s.expert_capacity_bytes);
    }
  }
  const std::lock_guard lock(mutex_);
  text += head("http_responses_total", "counter", "Answers by status code.");
  for (const auto& [status, count] : responses_)
    text += fmt::format("tetrad_http_responses_total{{{},status_code=\"{}\"}} {}\n", labels_, status, count);
  const auto histogram = [&](const char* name, const char* help, const Histogram& its) {
    text += head(name, "histogram", help) + its.text(name, labels_);
  };
  histogram("time_to_first_token_seconds", "From a request to its first token.", first_token_);
  histogram("inter_token_latency_seconds", "From a token to the next.", inter_token_);
  histogram("e2e_request_latency_seconds", "From a request to its last token.", end_to_end_);
  return text;
}

}  // namespace tetrad
