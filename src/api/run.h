// The engine's work for one HTTP request: hands requests in, keeps the events until they are asked for, cancels what
// is left at the end. Used by generation.cpp; its methods belong to one thread at a time.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "api/context.h"

namespace tetrad {

class Run {
 public:
  using Clock = std::chrono::steady_clock;
  struct News {
    std::size_t index;  // of the request
    OutputEvent event;
    Clock::time_point when;
  };

  Run(Context& context, Generator& generator, std::string id)
      : context_(context), generator_(generator), id_(std::move(id)) {}
  ~Run();  // no wake is called after it
  Run(const Run&) = delete;
  Run& operator=(const Run&) = delete;

  // All or none: when one is refused those before it are cancelled.
  ApiStatus start(std::vector<EngineRequest> requests, std::function<void()> wake);
  std::vector<News> take();
  void cancel(std::size_t index);  // its last event still comes

 private:
  struct Inbox {  // filled on the engine's thread
    std::mutex mutex;
    std::vector<News> news;
    std::function<void()> wake;  // none once the run is gone
  };
  Context& context_;
  Generator& generator_;
  const std::string id_;
  std::shared_ptr<Inbox> inbox_ = std::make_shared<Inbox>();
  std::vector<RequestId> requests_;
  std::vector<bool> ended_;
};

}  // namespace tetrad
