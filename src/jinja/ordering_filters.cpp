#include <algorithm>

#include "jinja/arguments.h"
#include "jinja/builtins.h"
#include "jinja/filters.h"
#include "jinja/objects.h"
#include "jinja/operators.h"
#include "jinja/print.h"
#include "jinja/text_split.h"
#include "jinja/unicode.h"

namespace tetrad::jinja {

Value ignore_case(Runtime& runtime, const Value& value) {
  return value.is_string() ? runtime.text(to_lower(value.text())) : value;
}

namespace {

struct Keyed {
  Value key, item;
};

void sort_keyed(Runtime& runtime, std::vector<Keyed>& entries, bool reverse) {
  std::stable_sort(entries.begin(), entries.end(), [&](const Keyed& a, const Keyed& b) {
    runtime.step();
    return reverse ? less(b.key, a.key) : less(a.key, b.key);
  });
}

Value taken(Runtime& runtime, std::vector<Keyed>& entries) {
  std::vector<Value> items;
  for (Keyed& entry : entries) items.push_back(std::move(entry.item));
  return runtime.list(std::move(items));
}

Value sort(Runtime& runtime, const Value& value, const Args& args) {
  const Bound bound("sort", args, {"reverse", "case_sensitive", "attribute"});
  std::vector<AttributePath> paths;
  const Value attribute = bound.value(2, Value(None{}));
  if (attribute.is_string()) {
    for (const auto part : split_text(attribute.text(), ",", -1, false))
      paths.emplace_back(runtime, runtime.text(std::string(part)));
  } else {
    paths.emplace_back(runtime, attribute);
  }
  const bool case_sensitive = bound.flag(1, false);
  std::vector<Keyed> entries;
  for (Value& item : collect(runtime, value)) {
    std::vector<Value> key;
    for (const AttributePath& path : paths) {
      Value part = path.of(runtime, item);
      key.push_back(case_sensitive ? std::move(part) : ignore_case(runtime, part));
    }
    entries.push_back({runtime.list(std::move(key)), std::move(item)});
  }
  sort_keyed(runtime, entries, bound.integer(0, 0) != 0);
  return taken(runtime, entries);
}

Value dictsort(Runtime& runtime, const Value& value, const Args& args) {
  const Bound bound("dictsort", args, {"case_sensitive", "by", "reverse"});
  const std::string by = bound.has(1) ? str(bound.at(1)) : "key";
  if (by != "key" && by != "value") fail("You can only sort by either \"key\" or \"value\"");
  if (value.is_undefined()) fail(value.undefined_message());
  if (!value.is_dict()) fail("'" + type_name(value) + "' object has no attribute 'items'");
  std::vector<Keyed> entries;
  for (const auto& [key, item] : value.dict().items) {
    const Value& chosen = by == "key" ? key : item;
    entries.push_back({bound.flag(0, false) ? chosen : ignore_case(runtime, chosen), runtime.tuple({key, item})});
  }
  sort_keyed(runtime, entries, bound.integer(2, 0) != 0);
  return taken(runtime, entries);
}

Value unique(Runtime& runtime, const Value& value, const Args& args) {
  const Bound bound("unique", args, {"case_sensitive", "attribute"});
  auto path = std::make_shared<const AttributePath>(runtime, bound.value(1, Value(None{})));
  auto seen = std::make_shared<Dict>(runtime.budget());
  const bool case_sensitive = bound.flag(0, false);
  const int depth = value.is_object() && value.object().kind() == ObjectKind::kIterator ? value.depth() + 1 : 1;
  auto next = std::make_shared<Next>();
  return make_iterator(
      "generator",
      [&runtime, path, seen, case_sensitive, next, value]() -> std::optional<Value> {
        if (!*next) *next = iterate(runtime, value);
        while (auto item = (*next)()) {
          Value key = path->of(runtime, *item);
          if (!case_sensitive) key = ignore_case(runtime, key);
          if (seen->find(key) != nullptr) continue;
          seen->set(std::move(key), Value(true));
          return item;
        }
        return std::nullopt;
      },
      depth);
}

template <bool kMax>
Value extreme(Runtime& runtime, const Value& value, const Args& args) {
  const Bound bound(kMax ? "max" : "min", args, {"case_sensitive", "attribute"});
  const AttributePath path(runtime, bound.value(1, Value(None{})));
  std::optional<Keyed> best;
  for (Value& item : collect(runtime, value)) {
    Value key = path.of(runtime, item);
    if (!bound.flag(0, false)) key = ignore_case(runtime, key);
    if (!best || (kMax ? less(best->key, key, ">") : less(key, best->key)))
      best = Keyed{std::move(key), std::move(item)};
  }
  return best ? best->item : Value::undefined("No aggregated item, sequence was empty.");
}

// One group of groupby: a pair that also answers to .grouper and .list.
Value group(Runtime& runtime, Value grouper, std::vector<Value> items) {
  auto pair = std::make_shared<List>(std::vector<Value>{std::move(grouper), runtime.list(std::move(items))}, true,
                                     runtime.budget());
  pair->group = true;
  return Value(ListRef(std::move(pair)));
}

Value groupby(Runtime& runtime, const Value& value, const Args& args) {
  const Bound bound("groupby", args, {"attribute", "default", "case_sensitive"}, 1);
  const AttributePath path(runtime, bound.at(0), bound.value(1, Value(None{})));
  const bool case_sensitive = bound.flag(2, false);
  std::vector<Keyed> entries;
  for (Value& item : collect(runtime, value)) {
    Value key = path.of(runtime, item);
    entries.push_back({case_sensitive ? std::move(key) : ignore_case(runtime, key), std::move(item)});
  }
  sort_keyed(runtime, entries, false);
  std::vector<Value> groups, members;
  for (std::size_t i = 0; i < entries.size(); ++i) {
    members.push_back(entries[i].item);
    if (i + 1 < entries.size() && equal(entries[i].key, entries[i + 1].key)) continue;
    Value shown = case_sensitive ? entries[i].key : path.of(runtime, members[0]);
    groups.push_back(group(runtime, std::move(shown), std::exchange(members, {})));
  }
  return runtime.list(std::move(groups));
}

Value sum(Runtime& runtime, const Value& value, const Args& args) {
  const Bound bound("sum", args, {"attribute", "start"});
  const AttributePath path(runtime, bound.value(0, Value(None{})));
  Value total = bound.value(1, Value(0));
  if (total.is_string()) fail("sum() can't sum strings [use ''.join(seq) instead]");
  for (const Value& item : collect(runtime, value))
    total = apply(runtime, BinaryOp::kAdd, total, path.of(runtime, item));
  return total;
}

constexpr std::pair<std::string_view, Method> kOrderingFilters[] = {
    {"sort", sort},         {"dictsort", dictsort}, {"unique", unique}, {"min", extreme<false>},
    {"max", extreme<true>}, {"groupby", groupby},   {"sum", sum},
};

}  // namespace

FilterTable ordering_filters() { return kOrderingFilters; }

}  // namespace tetrad::jinja
