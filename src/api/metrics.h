// What Prometheus reads at /metrics: the engine's counts and the clocks of requests. Thread-safe.
// Names are SGLang's behind "tetrad_"; buckets are SGLang's too.
#pragma once

#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <vector>

#include "engine/engine.h"

namespace tetrad {

class Histogram {
 public:
  explicit Histogram(std::vector<double> bounds) : bounds_(std::move(bounds)), counts_(bounds_.size() + 1) {}
  void observe(double value, std::uint64_t times = 1);
  std::string text(const std::string& name, const std::string& labels) const;  // without HELP and TYPE

 private:
  std::vector<double> bounds_;         // upper, inclusive
  std::vector<std::uint64_t> counts_;  // the last: above all bounds
  std::uint64_t count_ = 0;
  double sum_ = 0;
};

class Metrics {
 public:
  explicit Metrics(const std::string& model_name);

  void response(int status);
  void first_token(double seconds);
  void next_tokens(double seconds, std::uint64_t tokens);  // `seconds` for all of them
  void request_end(double seconds);

  // `stats`: null while the model loads.
  std::string text(const EngineStats* stats) const;

 private:
  const std::string labels_;  // model_name="..."
  mutable std::mutex mutex_;
  std::map<int, std::uint64_t> responses_;
  Histogram first_token_, inter_token_, end_to_end_;
};

}  // namespace tetrad
