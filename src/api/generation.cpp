#include "api/generation.h"

#include <nlohmann/json.hpp>

#include "api/reply.h"
#include "api/run.h"

namespace tetrad {
namespace {

class GenerationExchange final : public Exchange {
 public:
  GenerationExchange(Context& context, Generator& generator, Plan plan, std::unique_ptr<Answer> answer)
      : context_(context),
        plan_(std::move(plan)),
        answer_(std::move(answer)),
        left_(plan_.requests.size()),
        run_(context, generator, plan_.id) {
    last_token_.resize(left_);
    for (std::size_t i = 0; i < left_; ++i) choices_.emplace_back(context.tokenizer, plan_.choice);
    for (const EngineRequest& request : plan_.requests) prompt_sizes_.push_back(request.prompt.size());
  }

  void start(std::function<void()> wake) override {
    const ApiStatus status = run_.start(std::move(plan_.requests), wake);
    if (!status) refusal_ = status.error();
    started_ = true;
    wake();
  }

  Progress poll() override {
    Progress progress;
    if (!started_ || done_) {
      progress.done = done_;
      return progress;
    }
    if (refusal_) return refuse(*refusal_);
    if (plan_.stream && !begun_) {
      begun_ = true;
      progress.head = HttpHead{200,
                               {{"Content-Type", "text/event-stream; charset=utf-8"},
                                {"Cache-Control", "no-cache"},
                                {"X-Accel-Buffering", "no"}},
                               true};
      progress.body = answer_->begin();
    }
    for (Run::News& news : run_.take()) {
      take(news, progress.body);
      if (refusal_) return fail(std::move(progress));
    }
    if (left_ > 0) return progress;
    done_ = progress.done = true;
    if (!plan_.stream) progress.head = json_head();
    progress.body += answer_->end(usage());
    return progress;
  }

 private:
  void take(Run::News& news, std::string& body) {
    Choice& choice = choices_[news.index];
    if (choice.finished()) return;
    clock(news);
    ChoiceStep step = choice.take(std::move(news.event));
    if (step.finish == FinishReason::kError) {
      refusal_ = ApiError{500, "generation failed: " + printable(step.error), {}, {}, {}};
      return;
    }
    if (step.finish == FinishReason::kAbort && plan_.style == ApiStyle::kAnthropic) {
      refusal_ = ApiError{503, "the request was aborted", {}, {}, {}};  // its API has no stop_reason for that
      return;
    }
    if (choice.finished()) {
      --left_;
      run_.cancel(news.index);  // a stop string: the engine would go on
    }
    body += answer_->step(news.index, choice, std::move(step), usage());
  }

  void clock(const Run::News& news) {
    const auto seconds = [](Run::Clock::duration time) { return std::chrono::duration<double>(time).count(); };
    std::optional<Run::Clock::time_point>& last = last_token_[news.index];
    if (!news.event.tokens.empty()) {
      if (last)
        context_.metrics.next_tokens(seconds(news.when - *last), news.event.tokens.size());
      else
        context_.metrics.first_token(seconds(news.when - began_));
      last = news.when;
    }
    if (news.event.finish != FinishReason::kNone) context_.metrics.request_end(seconds(news.when - began_));
  }

  Progress refuse(ApiError error) {
    if (error.status == 400 && error.param.empty()) error.param = plan_.prompt_field;
    auto [head, body] = error_answer(error, plan_.style);
    done_ = true;
    return {std::move(head), std::move(body), true};
  }

  Progress fail(Progress progress) {
    if (!plan_.stream) return refuse(*refusal_);
    done_ = progress.done = true;
    progress.body += answer_->failure(*refusal_);
    for (std::size_t i = 0; i < choices_.size(); ++i) run_.cancel(i);
    return progress;
  }

  // Prompts that several choices share count once.
  Usage usage() const {
    Usage sum;
    for (std::size_t i = 0; i < choices_.size(); ++i) {
      if (i % plan_.copies == 0) {
        sum.prompt_tokens += static_cast<std::int64_t>(prompt_sizes_[i]);
        sum.cached_tokens += choices_[i].cached_tokens();
      }
      sum.completion_tokens += choices_[i].completion_tokens();
      sum.reasoning_tokens += choices_[i].reasoning_tokens();
    }
    return sum;
  }

  Context& context_;
  Plan plan_;
  std::unique_ptr<Answer> answer_;
  std::vector<Choice> choices_;
  std::vector<std::size_t> prompt_sizes_;
  std::size_t left_;  // choices that aren't finished
  std::optional<ApiError> refusal_;
  const Run::Clock::time_point began_ = Run::Clock::now();
  std::vector<std::optional<Run::Clock::time_point>> last_token_;  // of each choice
  bool started_ = false, begun_ = false, done_ = false;
  Run run_;
};

}  // namespace

std::unique_ptr<Exchange> generate(Context& context, Generator& generator, Plan plan, std::unique_ptr<Answer> answer) {
  return std::make_unique<GenerationExchange>(context, generator, std::move(plan), std::move(answer));
}

std::string event_text(const Json& data, const std::string& name) {
  return (name.empty() ? std::string() : "event: " + name + "\n") + "data: " + to_text(data) + "\n\n";
}

}  // namespace tetrad
