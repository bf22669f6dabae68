// The `loop` variable and the walk of one `for`: items are fetched when they are needed, so that a filter sees what the
// body has done to namespaces before.
#pragma once

#include <functional>
#include <optional>
#include <string_view>
#include <vector>

#include "jinja/objects.h"

namespace tetrad::jinja {

class Loop : public Object {
 public:
  using Recurse = std::function<Value(const Value& iterable, int depth)>;

  // `known_length`: of the iterable when it has one and no filter drops items. `recurse` is empty for plain loops.
  Loop(Next next, std::optional<std::size_t> known_length, int depth0, Recurse recurse)
      : Object(ObjectKind::kLoop),
        next_(std::move(next)),
        length_(known_length),
        depth0_(depth0),
        recurse_(std::move(recurse)) {}

  bool advance();  // to the next item; false at the end
  const Value& current() const { return current_; }

  std::string type_name() const override { return "LoopContext"; }
  std::string description() override;
  bool callable() const override { return true; }
  Value call(Runtime& runtime, const Args& args) override;
  std::optional<Value> attribute(Runtime& runtime, std::string_view name) override;
  void unlink() override;

 private:
  std::optional<Value> pull();  // from next_; throws Fault when that is what asks
  std::optional<Value> fetch();
  const std::optional<Value>& peek();
  Int count();
  Value changed(const Args& args);

  Next next_;
  std::vector<Value> ahead_;  // fetched to know the length, from ahead_at_ on
  std::size_t ahead_at_ = 0;
  std::optional<std::size_t> length_;
  int depth0_;
  Recurse recurse_;
  Int index0_ = -1;
  bool peeked_ = false;
  bool pulling_ = false;
  std::optional<Value> after_;
  Value current_, before_;
  std::optional<std::vector<Value>> last_changed_;
};

}  // namespace tetrad::jinja
