#include "api/run.h"

namespace tetrad {

Run::~Run() {
  {
    const std::lock_guard lock(inbox_->mutex);
    inbox_->wake = nullptr;
  }
  for (std::size_t i = 0; i < requests_.size(); ++i) {
    context_.running.remove(id_, requests_[i]);
    if (!ended_[i]) generator_.cancel(requests_[i]);
  }
}

ApiStatus Run::start(std::vector<EngineRequest> requests, std::function<void()> wake) {
  {
    const std::lock_guard lock(inbox_->mutex);
    inbox_->wake = std::move(wake);
  }
  for (std::size_t i = 0; i < requests.size(); ++i) {
    auto id = generator_.submit(std::move(requests[i]), [inbox = inbox_, i](OutputEvent event) {
      const std::lock_guard lock(inbox->mutex);
      if (!inbox->wake) return;
      inbox->news.push_back({i, std::move(event), Clock::now()});
      inbox->wake();
    });
    if (!id) {
      for (const RequestId submitted : requests_) generator_.cancel(submitted);
      return tl::unexpected(from_error(id.error()));
    }
    requests_.push_back(*id);
    ended_.push_back(false);
    context_.running.add(id_, *id);
  }
  return {};
}

std::vector<Run::News> Run::take() {
  std::vector<News> news;
  {
    const std::lock_guard lock(inbox_->mutex);
    news.swap(inbox_->news);
  }
  for (const News& item : news)
    if (item.event.finish != FinishReason::kNone) ended_[item.index] = true;
  return news;
}

void Run::cancel(std::size_t index) {
  if (!ended_[index]) generator_.cancel(requests_[index]);
}

}  // namespace tetrad
