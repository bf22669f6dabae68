#include "jinja/runtime.h"

#include "base/utf8.h"
#include "jinja/objects.h"

namespace tetrad::jinja {
namespace {
constexpr std::uint64_t kStepsBetweenChecks = 4096;
}

Runtime::Runtime(const RenderLimits& limits)
    : limits_(limits),
      budget_{0, limits.value_bytes, 0, limits.steps},
      deadline_(std::chrono::steady_clock::now() + limits.wall_clock) {
  next_check_ = std::min(kStepsBetweenChecks, limits_.steps);
}

Runtime::~Runtime() {
  for (const ObjectRef& object : pinned_) object->unlink();
}

void Runtime::pin(ObjectRef object) {
  if (budget_.limit - budget_.live < 256 * pinned_.size())
    fail("too many namespaces and macros are made in one render");
  pinned_.push_back(std::move(object));
}

void Runtime::check_clock() {
  if (budget_.steps > limits_.steps) fail("the template takes more than " + std::to_string(limits_.steps) + " steps");
  if (std::chrono::steady_clock::now() > deadline_)
    fail("the template takes longer than " + std::to_string(limits_.wall_clock.count()) + " ms");
  next_check_ = std::min(budget_.steps + kStepsBetweenChecks, limits_.steps + 1);
}

void Runtime::expect_bytes(std::size_t count, std::size_t bytes_each) {
  std::size_t bytes = 0;
  if (__builtin_mul_overflow(count, bytes_each, &bytes) || bytes > budget_.limit - budget_.live)
    fail("a value would need more than the " + std::to_string(budget_.limit >> 20) + " MiB a template may use");
}

Value Runtime::text(std::string bytes, bool markup) {
  step(bytes.size() / 64);
  return Value(StrRef(std::make_shared<const Str>(std::move(bytes), markup, &budget_)));
}

Value Runtime::list(std::vector<Value> items) {
  step(items.size() / 8);
  return Value(ListRef(std::make_shared<const List>(std::move(items), false, &budget_)));
}

Value Runtime::tuple(std::vector<Value> items) {
  step(items.size() / 8);
  return Value(ListRef(std::make_shared<const List>(std::move(items), true, &budget_)));
}

}  // namespace tetrad::jinja
