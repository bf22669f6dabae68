#include "jinja/arguments.h"

namespace tetrad::jinja {

Bound::Bound(std::string_view function, const Args& args, std::initializer_list<std::string_view> names,
             std::size_t required)
    : values_(names.size()), given_(names.size()) {
  const std::string prefix(function);
  if (args.positional.size() > names.size())
    fail(prefix + "() takes at most " + std::to_string(names.size()) + " arguments (" +
         std::to_string(args.positional.size()) + " given)");
  for (std::size_t i = 0; i < args.positional.size(); ++i) values_[i] = args.positional[i], given_[i] = true;
  for (const auto& [name, value] : args.keyword) {
    std::size_t i = 0;
    while (i < names.size() && names.begin()[i] != name) ++i;
    if (i == names.size()) fail(prefix + "() got an unexpected keyword argument '" + name + "'");
    if (given_[i]) fail(prefix + "() got multiple values for argument '" + name + "'");
    values_[i] = value;
    given_[i] = true;
  }
  for (std::size_t i = 0; i < required; ++i)
    if (!given_[i]) fail(prefix + "() missing required argument '" + std::string(names.begin()[i]) + "'");
}

Int Bound::integer(std::size_t i, Int fallback) const {
  if (!given_[i]) return fallback;
  if (values_[i].is_undefined()) fail(values_[i].undefined_message());
  if (!values_[i].is_integral()) fail("'" + type_name(values_[i]) + "' object cannot be interpreted as an integer");
  return values_[i].integer();
}

const std::string& Bound::text(std::size_t i) const {
  if (!values_[i].is_string()) fail("expected a str, got '" + type_name(values_[i]) + "'");
  return values_[i].text();
}

}  // namespace tetrad::jinja
