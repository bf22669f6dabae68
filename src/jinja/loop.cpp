#include "jinja/loop.h"

#include <utility>

#include "jinja/arguments.h"
#include "jinja/print.h"

namespace tetrad::jinja {

std::optional<Value> Loop::pull() {
  if (!next_) return std::nullopt;
  // The loop's filter can see the loop through a namespace; next_ must not be entered, or dropped, while it runs.
  if (std::exchange(pulling_, true)) fail("generator already executing");
  auto item = next_();
  pulling_ = false;
  return item;
}

std::optional<Value> Loop::fetch() {
  if (ahead_at_ < ahead_.size()) return ahead_[ahead_at_++];
  return pull();
}

bool Loop::advance() {
  auto item = std::exchange(peeked_, false) ? std::exchange(after_, std::nullopt) : fetch();
  if (!item) return false;
  ++index0_;
  before_ = std::exchange(current_, std::move(*item));
  return true;
}

const std::optional<Value>& Loop::peek() {
  if (!std::exchange(peeked_, true)) after_ = fetch();
  return after_;
}

Int Loop::count() {
  if (!length_) {
    while (auto item = pull()) ahead_.push_back(std::move(*item));
    next_ = nullptr;
    length_ = static_cast<std::size_t>(index0_ + 1) + (ahead_.size() - ahead_at_) + (peeked_ && after_ ? 1 : 0);
  }
  return static_cast<Int>(*length_);
}

void Loop::unlink() {
  next_ = nullptr;
  recurse_ = nullptr;
  ahead_.clear();
  current_ = before_ = Value();
  after_.reset();
  last_changed_.reset();
}

std::string Loop::description() { return "<LoopContext " + int_text(index0_ + 1) + "/" + int_text(count()) + ">"; }

Value Loop::changed(const Args& args) {
  bool same = last_changed_.has_value() && last_changed_->size() == args.positional.size();
  for (std::size_t i = 0; same && i < args.positional.size(); ++i)
    same = equal((*last_changed_)[i], args.positional[i]);
  if (!same) last_changed_ = args.positional;
  return !same;
}

Value Loop::call(Runtime&, const Args& args) {
  const Bound bound("loop", args, {"iterable"}, 1);
  if (!recurse_) fail("The loop must have the 'recursive' marker to be called recursively.");
  return recurse_(bound.at(0), depth0_ + 1);
}

std::optional<Value> Loop::attribute(Runtime&, std::string_view name) {
  if (name == "index") return index0_ + 1;
  if (name == "index0") return index0_;
  if (name == "first") return index0_ == 0;
  if (name == "last") return !peek().has_value();
  if (name == "length") return count();
  if (name == "revindex") return count() - index0_;
  if (name == "revindex0") return count() - index0_ - 1;
  if (name == "depth") return depth0_ + 1;
  if (name == "depth0") return depth0_;
  if (name == "previtem") return index0_ == 0 ? Value::undefined("there is no previous item") : before_;
  if (name == "nextitem") {
    const auto& next = peek();
    return next ? *next : Value::undefined("there is no next item");
  }
  auto self = std::static_pointer_cast<Loop>(shared_from_this());
  if (name == "cycle") {
    return Value(ObjectRef(std::make_shared<Function>("cycle", [self](Runtime&, const Args& args) -> Value {
      if (args.positional.empty()) fail("no items for cycling given");
      return args.positional[static_cast<std::size_t>(self->index0_) % args.positional.size()];
    })));
  }
  if (name == "changed") {
    return Value(ObjectRef(
        std::make_shared<Function>("changed", [self](Runtime&, const Args& args) { return self->changed(args); })));
  }
  return std::nullopt;
}

}  // namespace tetrad::jinja
