#include <ctime>

#include "jinja/arguments.h"
#include "jinja/builtins.h"
#include "jinja/objects.h"
#include "jinja/print.h"

namespace tetrad::jinja {
namespace {

// dict(mapping or pairs, **names) as both dict() and namespace() take it.
template <class Set>
void fill(Runtime& runtime, const Args& args, Set&& set) {
  if (args.positional.size() > 1)
    fail("dict expected at most 1 argument, got " + std::to_string(args.positional.size()));
  if (!args.positional.empty()) {
    const Value& source = args.positional[0];
    if (source.is_dict()) {
      for (const auto& [key, value] : source.dict().items) set(key, value);
    } else {
      const Next next = iterate(runtime, source);
      while (const auto item = next()) {
        const auto pair = collect(runtime, *item);
        if (pair.size() != 2)
          fail("dictionary update sequence element has length " + std::to_string(pair.size()) + "; 2 is required");
        set(pair[0], pair[1]);
      }
    }
  }
  for (const auto& [name, value] : args.keyword) set(runtime.text(name), value);
}

Value make_dict(Runtime& runtime, const Args& args) {
  auto dict = runtime.dict();
  fill(runtime, args, [&](const Value& key, const Value& value) { dict->set(key, value); });
  return Value(DictRef(dict));
}

Value make_namespace(Runtime& runtime, const Args& args) {
  auto made = std::make_shared<Namespace>(runtime);
  fill(runtime, args, [&](const Value& key, const Value& value) { made->set(key, value); });
  runtime.pin(made);
  return Value(ObjectRef(made));
}

Value make_range(Runtime&, const Args& args) {
  const Bound bound("range", args, {"start", "stop", "step"}, 1);
  if (!args.keyword.empty()) fail("range() takes no keyword arguments");
  const Int first = bound.integer(0, 0), step = bound.integer(2, 1);
  const Int start = bound.has(1) ? first : Int{0}, stop = bound.has(1) ? bound.integer(1, 0) : first;
  return Value(ObjectRef(std::make_shared<Range>(start, stop, step)));
}

Value raise_exception(Runtime&, const Args& args) {
  const Bound bound("raise_exception", args, {"message"}, 1);
  fail(str(bound.at(0)));
}

Value strftime_now(Runtime& runtime, const Args& args) {
  const Bound bound("strftime_now", args, {"format"}, 1);
  const auto& clock = runtime.limits().clock;
  const std::time_t now = clock ? clock() : std::time(nullptr);
  std::tm parts{};
  localtime_r(&now, &parts);
  std::string format = bound.text(0);
  if (format.size() > 1000) fail("strftime_now: the format is too long");
  if (format.empty()) return runtime.text({});
  char buffer[8192];
  format += '.';  // strftime returns 0 for an empty result too
  const std::size_t length = std::strftime(buffer, sizeof buffer, format.c_str(), &parts);
  if (length == 0) fail("strftime_now: the result is too long");
  return runtime.text(std::string(buffer, length - 1));
}

class Cycler : public Object {
 public:
  explicit Cycler(std::vector<Value> items) : Object(ObjectKind::kOther), items_(std::move(items)) {
    for (const Value& item : items_) depth_ = std::max(depth_, item.depth() + 1);
  }
  std::string type_name() const override { return "Cycler"; }
  int depth() const override { return depth_; }
  std::optional<Value> attribute(Runtime&, std::string_view name) override {
    if (name == "current") return items_[at_];
    if (name == "next" || name == "reset") {
      const bool reset = name == "reset";
      auto body = [self = std::static_pointer_cast<Cycler>(shared_from_this()), reset](Runtime&, const Args&) -> Value {
        if (reset) {
          self->at_ = 0;
          return None{};
        }
        const Value item = self->items_[self->at_];
        self->at_ = (self->at_ + 1) % self->items_.size();
        return item;
      };
      return Value(ObjectRef(std::make_shared<Function>(std::string(name), std::move(body), depth_ + 1)));
    }
    return std::nullopt;
  }

 private:
  std::vector<Value> items_;
  std::size_t at_ = 0;
  int depth_ = 1;
};

class Joiner : public Object {
 public:
  explicit Joiner(Value separator) : Object(ObjectKind::kOther), separator_(std::move(separator)) {}
  std::string type_name() const override { return "Joiner"; }
  int depth() const override { return separator_.depth() + 1; }
  bool callable() const override { return true; }
  Value call(Runtime& runtime, const Args& args) override {
    const Bound bound("joiner", args, {});
    return std::exchange(used_, true) ? separator_ : runtime.text({});
  }

 private:
  Value separator_;
  bool used_ = false;
};

Value make_cycler(Runtime&, const Args& args) {
  if (!args.keyword.empty()) fail("cycler() takes no keyword arguments");
  if (args.positional.empty()) fail("at least one item has to be provided");
  return Value(ObjectRef(std::make_shared<Cycler>(args.positional)));
}

Value make_joiner(Runtime& runtime, const Args& args) {
  const Bound bound("joiner", args, {"sep"});
  return Value(ObjectRef(std::make_shared<Joiner>(bound.has(0) ? bound.at(0) : runtime.text(", "))));
}

Value dict_fromkeys(Runtime& runtime, const Args& args) {
  const Bound bound("fromkeys", args, {"iterable", "value"}, 1);
  if (!args.keyword.empty()) fail("fromkeys() takes no keyword arguments");
  auto dict = runtime.dict();
  for (const Value& key : collect(runtime, bound.at(0))) dict->set(key, bound.value(1, Value(None{})));
  return Value(DictRef(dict));
}

class DictFunction : public Function {
 public:
  DictFunction() : Function("dict", make_dict) {}
  std::optional<Value> attribute(Runtime&, std::string_view name) override {
    if (name != "fromkeys") return std::nullopt;
    return Value(ObjectRef(std::make_shared<Function>("fromkeys", dict_fromkeys)));
  }
};

using GlobalFunction = Value (*)(Runtime&, const Args&);
constexpr std::pair<std::string_view, GlobalFunction> kGlobals[] = {
    {"range", make_range},          {"namespace", make_namespace}, {"raise_exception", raise_exception},
    {"strftime_now", strftime_now}, {"cycler", make_cycler},       {"joiner", make_joiner},
};

}  // namespace

std::optional<Value> global(Runtime&, std::string_view name) {
  if (name == "dict") return Value(ObjectRef(std::make_shared<DictFunction>()));
  if (name == "self" || name == "lipsum")
    throw Fault{"'" + std::string(name) + "' is not supported", 0, ErrorCode::kUnsupported};
  for (const auto& [known, function] : kGlobals)
    if (known == name) return Value(ObjectRef(std::make_shared<Function>(std::string(name), function)));
  return std::nullopt;
}

}  // namespace tetrad::jinja
