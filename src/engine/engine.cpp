#include "engine/engine.h"

#include <fmt/format.h>

#include <algorithm>
#include <condition_variable>
#include <limits>
#include <mutex>
#include <thread>

#include "engine/logprobs.h"
#include "engine/mask_worker.h"
#include "engine/scheduler.h"
#include "model/expert_cache.h"
#include "model/paged_model.h"

namespace tetrad {
namespace {

constexpr std::int64_t kLeastPoolTokens = 64;

bool contains(const std::vector<std::int32_t>& ids, std::int32_t id) {
  return std::find(ids.begin(), ids.end(), id) != ids.end();
}

}  // namespace

struct Engine::Impl {
  Impl(PagedModel paged, const ModelConfig& model_config, const EngineOptions& engine_options, std::int64_t slots)
      : model(std::move(paged)),
        config(model_config),
        options(engine_options),
        pool_tokens(slots),
        context(options.context_length > 0 ? std::min(options.context_length, config.max_position)
                                           : config.max_position),
        scheduler(options, slots) {}

  PagedModel model;
  const ModelConfig config;
  const EngineOptions options;
  const std::int64_t pool_tokens, context;

  // The engine thread's own.
  Scheduler scheduler;
  std::vector<PlannedPart> parts;
  std::vector<std::size_t> valid;  // of each part: rows whose tokens turned out right
  StepReport report;
  MaskWorker masks;

  // Between threads.
  mutable std::mutex mutex;
  std::condition_variable news;
  std::vector<std::unique_ptr<Sequence>> arrivals;
  std::vector<RequestId> cancelled;
  bool cancel_everything = false, flush_wanted = false, flush_done = false, flush_result = false;
  bool draining = false, stopping = false;
  RequestId next_id = 1;
  EngineStats counters;
  std::int64_t taken = 0;  // of counters.queued: arrivals that the step at work is the first to see
  std::thread thread;

  Status check(const EngineRequest& request) const;
  void run();
  bool take_news();
  void step();
  std::vector<TokenConstraint*> constraints() const;
  Status on_logits(std::size_t part, std::int64_t row, std::span<float> logits);
  void prompt_row(Sequence& sequence, std::size_t position, std::span<const float> logits) const;
  Status generate(Sequence& sequence, std::span<float> logits);
  void end(RequestId id, FinishReason reason, const std::string& error = {});
  void commit();
  void fail(const Error& error);
  void publish();
};

Status Engine::Impl::check(const EngineRequest& request) const {
  const auto size = static_cast<std::int64_t>(request.prompt.size());
  if (size == 0) return invalid_input("bad request", "prompt", "it holds no token");
  for (const auto* ids : {&request.prompt, &request.stop_token_ids})
    for (const std::int32_t id : *ids)
      if (id < 0 || id >= config.vocab)
        return invalid_input("bad token id", fmt::format("{}", id),
                             fmt::format("the vocabulary has ids 0 to {}", config.vocab - 1));
  const std::int64_t room = request.max_tokens > 0 ? 1 : 0;
  if (size + room > context)
    return invalid_input("the prompt is too long", fmt::format("{} tokens", size),
                         fmt::format("the context takes {}", context));
  if (size + room > pool_tokens)
    return invalid_input("the prompt is too long", fmt::format("{} tokens", size),
                         fmt::format("the key/value pool holds {}", pool_tokens));
  if (request.max_tokens < 0) return invalid_input("bad request", "max_tokens", "negative");
  return request.sampling.validate();
}

// Everything other threads left: false when the engine is to stop.
bool Engine::Impl::take_news() {
  std::vector<std::unique_ptr<Sequence>> added;
  std::vector<RequestId> ended;
  bool stop = false;  // as of the moment `ended` was made: who stops later is heard in the next round
  {
    std::unique_lock lock(mutex);
    news.wait(lock, [&] {
      return stopping || !arrivals.empty() || !cancelled.empty() || cancel_everything || flush_wanted ||
             !scheduler.idle();
    });
    added.swap(arrivals);
    ended.swap(cancelled);
    taken = static_cast<std::int64_t>(added.size());
    counters.queued += taken;
    stop = stopping;
    if (cancel_everything || stop) {
      ended = scheduler.ids();
      for (const auto& sequence : added) ended.push_back(sequence->id);
      cancel_everything = false;
    }
  }
  for (auto& sequence : added) scheduler.add(std::move(sequence));
  for (const RequestId id : ended) end(id, FinishReason::kAbort);
  const std::lock_guard lock(mutex);
  if (flush_wanted) {
    flush_result = scheduler.flush();
    counters.cached_tokens = scheduler.cached();
    flush_wanted = false;
    flush_done = true;
    news.notify_all();
  }
  return !stop;
}

void Engine::Impl::run() {
  while (take_news()) {
    if (!scheduler.idle()) step();
    publish();
  }
  publish();
}

void Engine::Impl::step() {
  report = {};
  report.begin = std::chrono::steady_clock::now();
  parts = scheduler.plan();
  TETRAD_CHECK(!parts.empty());
  valid.assign(parts.size(), 0);
  std::vector<BatchPart> batch;
  for (std::size_t p = 0; p < parts.size(); ++p) {
    const PlannedPart& part = parts[p];
    valid[p] = part.ids.size() - part.drafts;
    const Sequence& s = *part.sequence;
    if (s.computed < s.prompt_size)
      report.prompt_tokens += static_cast<std::int64_t>(std::min(part.ids.size(), s.prompt_size - s.computed));
    batch.push_back(
        {part.ids, static_cast<std::int64_t>(part.sequence->computed), part.sequence->slots, part.logit_rows});
  }
  masks.start(constraints());
  const Status status = model.forward(
      batch, [this](std::size_t p, std::int64_t row, std::span<float> logits) { return on_logits(p, row, logits); });
  masks.wait();
  report.sequences = static_cast<std::int64_t>(parts.size());
  if (status)
    commit();
  else
    fail(status.error());
  if (!options.on_step) return;
  report.queued = scheduler.queued();
  report.used_tokens = scheduler.used();
  report.end = std::chrono::steady_clock::now();
  options.on_step(report);
}

// Of the sequences that draw a token in this step.
std::vector<TokenConstraint*> Engine::Impl::constraints() const {
  std::vector<TokenConstraint*> list;
  for (const PlannedPart& part : parts)
    if (part.logit_rows > 0 && part.sequence->request.constraint != nullptr)
      list.push_back(part.sequence->request.constraint.get());
  return list;
}

// Row `row` of a part: the logits behind the token at that position.
Status Engine::Impl::on_logits(std::size_t p, std::int64_t row, std::span<float> logits) {
  Sequence& s = *parts[p].sequence;
  const std::size_t position = s.computed + static_cast<std::size_t>(row);
  if (position + 1 < s.prompt_size) {
    prompt_row(s, position, logits);
    return {};
  }
  // Behind a wrong draft, or the end, nothing counts; nor before the newest token, after a preemption.
  const bool newest = position + 1 == s.tokens.size() && parts[p].ids[static_cast<std::size_t>(row)] == s.tokens.back();
  if (s.finished() || !newest || s.request.max_tokens == 0) return {};
  if (const Status status = generate(s, logits); !status) {
    s.event.finish = FinishReason::kError;
    s.event.error = status.error().message;
    return {};
  }
  const auto next = static_cast<std::size_t>(row) + 1;
  const bool drafted = next < parts[p].ids.size();
  if (drafted && !s.finished() && parts[p].ids[next] == s.tokens.back()) ++valid[p];
  return {};
}

void Engine::Impl::prompt_row(Sequence& s, std::size_t position, std::span<const float> logits) const {
  if (s.request.prompt_logprobs < 0 || position != s.prompt_rows) return;  // after a preemption they come again
  ++s.prompt_rows;
  s.event.prompt.push_back(token_logprobs(logits, s.tokens[position + 1], s.request.prompt_logprobs));
}

// Draws the next token.
Status Engine::Impl::generate(Sequence& s, std::span<float> logits) {
  const EngineRequest& request = s.request;
  const auto index = static_cast<std::int64_t>(s.output_size());
  std::vector<float> original;
  if (request.logprobs >= 0) original.assign(logits.begin(), logits.end());
  if (index < request.min_tokens)
    for (const auto* ids : {&options.end_tokens, &request.stop_token_ids})
      for (const std::int32_t id : *ids) logits[static_cast<std::size_t>(id)] = -std::numeric_limits<float>::infinity();
  if (request.constraint != nullptr) {
    masks.wait();
    request.constraint->mask(logits);
  }
  const std::span<const std::int32_t> tokens = s.tokens;
  const std::int32_t id = TETRAD_TRY(sample(logits, request.sampling, tokens.first(s.prompt_size),
                                            tokens.subspan(s.prompt_size), static_cast<std::uint64_t>(index)));
  if (request.constraint != nullptr) TETRAD_TRY(request.constraint->accept(id));
  s.tokens.push_back(id);
  OutputToken token{id, 0, {}};
  if (request.logprobs >= 0) token = token_logprobs(original, id, request.logprobs);
  s.event.tokens.push_back(std::move(token));
  if ((!request.ignore_eos && contains(options.end_tokens, id)) || contains(request.stop_token_ids, id))
    s.event.finish = FinishReason::kStop;
  else if (s.tokens.size() >= s.max_size)
    s.event.finish = FinishReason::kLength;
  return {};
}

// Books what the step has done, and tells.
void Engine::Impl::commit() {
  std::vector<RequestId> done;
  for (std::size_t p = 0; p < parts.size(); ++p) {
    Sequence& s = *parts[p].sequence;
    const std::size_t drafted = parts[p].drafts, right = valid[p] - (parts[p].ids.size() - drafted);
    scheduler.advance(parts[p], valid[p]);
    if (s.request.max_tokens == 0 && s.computed == s.tokens.size() && !s.finished())
      s.event.finish = FinishReason::kLength;
    s.event.cached_tokens = s.cached_tokens;
    report.generated += static_cast<std::int64_t>(s.event.tokens.size());
    report.drafts += static_cast<std::int64_t>(drafted);
    report.accepted += static_cast<std::int64_t>(right);
    {
      const std::lock_guard lock(mutex);
      counters.generation_tokens += s.event.tokens.size();
      counters.draft_tokens += drafted;
      counters.accepted_tokens += right;
    }
    if (s.finished())
      done.push_back(s.id);
    else if (!s.event.tokens.empty())  // prompt logprobs wait for the first token
      s.sink(std::exchange(s.event, {}));
  }
  for (const RequestId id : done) end(id, FinishReason::kNone);
  parts.clear();
  const std::lock_guard lock(mutex);
  ++counters.steps;
}

// A step without result: its requests end. What it wrote of keys and values is no good, so nothing is booked as
// computed, and the prefix cache gets only what was there before.
void Engine::Impl::fail(const Error& error) {
  const bool stopped = error.code == ErrorCode::kInterrupted;
  std::vector<RequestId> ids;
  for (const PlannedPart& part : parts) ids.push_back(part.sequence->id);
  for (const RequestId id : ids)
    end(id, stopped ? FinishReason::kAbort : FinishReason::kError, stopped ? "" : error.message);
  parts.clear();
  const std::lock_guard lock(mutex);
  ++counters.steps;
}

// Takes a sequence out and says so. reason kNone: its event has it.
void Engine::Impl::end(RequestId id, FinishReason reason, const std::string& error) {
  const std::unique_ptr<Sequence> s = scheduler.remove(id);
  if (s == nullptr) return;  // it ended before
  if (reason != FinishReason::kNone) s->event.finish = reason;
  if (!error.empty()) s->event.error = error;
  s->event.cached_tokens = std::max<std::int64_t>(s->cached_tokens, 0);
  {
    const std::lock_guard lock(mutex);
    ++(s->event.finish == FinishReason::kAbort ? counters.aborted : counters.finished);
    counters.prompt_tokens += s->prompt_size;
    counters.prompt_tokens_cached += static_cast<std::uint64_t>(s->event.cached_tokens);
  }
  publish();  // before the news: who hears of the end finds its memory free
  s->sink(std::move(s->event));
}

void Engine::Impl::publish() {
  const std::lock_guard lock(mutex);
  counters.running = scheduler.running();
  counters.queued = scheduler.queued();
  counters.pool_tokens = pool_tokens;
  counters.used_tokens = scheduler.used();
  counters.cached_tokens = scheduler.cached();
  counters.preemptions = scheduler.preemptions();
}

Result<std::unique_ptr<Engine>> Engine::create(const Checkpoint& checkpoint, const ModelConfig& config,
                                               const Compute& compute, const EngineOptions& options) {
  const bool bf16 = options.cache_type == CacheType::kBF16;
  std::int64_t slots = options.max_total_tokens;
  if (slots == 0) slots = static_cast<std::int64_t>(options.memory_bytes / PagedModel::bytes_per_slot(config, bf16));
  slots = std::min<std::int64_t>(slots, INT32_MAX);
  if (slots < kLeastPoolTokens)
    return make_error(ErrorCode::kOutOfMemory, "no room for keys and values", fmt::format("{} tokens", slots),
                      fmt::format("a token takes {} bytes, at least {} tokens are needed",
                                  PagedModel::bytes_per_slot(config, bf16), kLeastPoolTokens),
                      "give more memory, or --kv-cache-dtype bf16");
  PagedModel model = TETRAD_TRY(
      PagedModel::open(checkpoint, config, compute, options.forward, slots, bf16, options.expert_cache_bytes));
  auto impl = std::make_unique<Impl>(std::move(model), config, options, slots);
  impl->publish();
  impl->thread = std::thread([raw = impl.get()] { raw->run(); });
  return std::unique_ptr<Engine>(new Engine(std::move(impl)));
}

Engine::Engine(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

Engine::~Engine() {
  {
    const std::lock_guard lock(impl_->mutex);
    impl_->stopping = true;
  }
  if (ExpertCache* cache = impl_->model.expert_cache()) cache->stop();  // a step may wait for the disk for long
  impl_->news.notify_all();
  impl_->thread.join();
}

Result<RequestId> Engine::submit(EngineRequest request, OutputSink sink) {
  TETRAD_TRY(impl_->check(request));
  auto sequence = std::make_unique<Sequence>();
  sequence->tokens = request.prompt;
  sequence->prompt_size = request.prompt.size();
  const auto room = static_cast<std::size_t>(std::min(impl_->context, impl_->pool_tokens)) - sequence->prompt_size;
  sequence->max_size = sequence->prompt_size + std::min(static_cast<std::size_t>(request.max_tokens), room);
  sequence->request = std::move(request);
  sequence->sink = std::move(sink);
  RequestId id = 0;
  {
    const std::lock_guard lock(impl_->mutex);
    if (impl_->draining || impl_->stopping)
      return make_error(ErrorCode::kOutOfMemory, "not accepted", "engine", "it is shutting down");
    // Who came since the last step need not wait, as long as nobody has waited for longer.
    const EngineStats& now = impl_->counters;
    const bool some_wait = now.queued > impl_->taken;
    const std::int64_t free_places =
        some_wait ? 0 : std::max<std::int64_t>(0, impl_->options.max_running_requests - now.running);
    const std::int64_t queued = now.queued + static_cast<std::int64_t>(impl_->arrivals.size());
    if (impl_->options.max_queued_requests > 0 && queued >= impl_->options.max_queued_requests + free_places)
      return make_error(ErrorCode::kOutOfMemory, "not accepted", "queue",
                        fmt::format("{} requests wait already", queued));
    id = sequence->id = impl_->next_id++;
    ++impl_->counters.requests;
    impl_->arrivals.push_back(std::move(sequence));
  }
  impl_->news.notify_all();
  return id;
}

void Engine::cancel(RequestId id) {
  {
    const std::lock_guard lock(impl_->mutex);
    impl_->cancelled.push_back(id);
  }
  impl_->news.notify_all();
}

void Engine::cancel_all() {
  {
    const std::lock_guard lock(impl_->mutex);
    impl_->cancel_everything = true;
  }
  impl_->news.notify_all();
}

bool Engine::flush_cache() {
  std::unique_lock lock(impl_->mutex);
  impl_->flush_wanted = true;
  impl_->flush_done = false;
  impl_->news.notify_all();
  impl_->news.wait(lock, [&] { return impl_->flush_done || impl_->stopping; });
  return impl_->flush_result;
}

void Engine::drain() {
  const std::lock_guard lock(impl_->mutex);
  impl_->draining = true;
}

bool Engine::idle() const {
  const std::lock_guard lock(impl_->mutex);
  return impl_->arrivals.empty() && impl_->counters.running == 0 && impl_->counters.queued == 0;
}

EngineStats Engine::stats() const {
  const std::lock_guard lock(impl_->mutex);
  EngineStats stats = impl_->counters;
  stats.queued += static_cast<std::int64_t>(impl_->arrivals.size());
  if (const ExpertCache* cache = impl_->model.expert_cache()) {
    const ExpertCacheStats now = cache->stats();
    stats.expert_hits = now.hits;
    stats.expert_misses = now.misses;
    stats.expert_bytes_read = now.bytes_read;
    stats.expert_resident_bytes = now.resident_bytes;
    stats.expert_capacity_bytes = now.capacity_bytes;
  }
  return stats;
}

std::int64_t Engine::context_length() const { return impl_->context; }
std::int64_t Engine::pool_tokens() const { return impl_->pool_tokens; }

}  // namespace tetrad
