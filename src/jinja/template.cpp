#include "jinja/template.h"

#include <new>
#include <nlohmann/json.hpp>
#include <utility>

#include "base/utf8.h"
#include "jinja/ast.h"
#include "jinja/interpreter.h"
#include "jinja/parser.h"

namespace tetrad::jinja {

struct Template::Parsed {
  std::string where;
  Block block;
};

namespace {

constexpr std::size_t kMaxSourceBytes = std::size_t{16} << 20;
constexpr int kMaxVariableDepth = 150;

Unexpected fault_error(const std::string& what, const std::string& where, const Fault& fault, int line) {
  const int at = fault.line > 0 ? fault.line : line;
  return make_error(fault.code, what, at > 0 ? where + ":" + std::to_string(at) : where, fault.reason);
}

Value from_json(Runtime& runtime, const Json& json, int depth) {
  if (depth > kMaxVariableDepth) fail("the variables are nested deeper than 150 levels");
  switch (json.type()) {
    case Json::value_t::boolean:
      return json.get<bool>();
    case Json::value_t::number_integer:
      return Int{json.get<std::int64_t>()};
    case Json::value_t::number_unsigned:
      return Int{json.get<std::uint64_t>()};
    case Json::value_t::number_float:
      return json.get<double>();
    case Json::value_t::string:
      return runtime.text(utf8_lossy(json.get_ref<const std::string&>()));
    case Json::value_t::array: {
      std::vector<Value> items;
      items.reserve(json.size());
      for (const Json& item : json) items.push_back(from_json(runtime, item, depth + 1));
      return runtime.list(std::move(items));
    }
    case Json::value_t::object: {
      auto dict = runtime.dict();
      for (const auto& [key, item] : json.items())
        dict->set(runtime.text(utf8_lossy(key)), from_json(runtime, item, depth + 1));
      return Value(DictRef(dict));
    }
    default:
      return None{};
  }
}

}  // namespace

Result<Template> Template::parse(std::string_view source, const std::string& where) {
  if (source.size() > kMaxSourceBytes) return invalid_input("bad template", where, "longer than 16 MiB");
  if (!is_valid_utf8(source)) return invalid_input("bad template", where, "not UTF-8");
  try {
    auto parsed = std::make_shared<Parsed>();
    parsed->where = where;
    parsed->block = parse_template(source);
    return Template(std::move(parsed));
  } catch (const Fault& fault) {
    return fault_error("bad template", where, fault, 0);
  }
}

Result<std::string> Template::render(const Json& variables, const RenderLimits& limits) const {
  if (!variables.is_object()) return invalid_input("bad template variables", parsed_->where, "expected an object");
  Runtime runtime(limits);
  try {
    const Value values = from_json(runtime, variables, 0);
    return Interpreter(runtime, values.dict()).run(parsed_->block);
  } catch (const Fault& fault) {
    return fault_error("template failed", parsed_->where, fault, runtime.line);
  } catch (const std::bad_alloc&) {
    return make_error(ErrorCode::kOutOfMemory, "template failed", parsed_->where, "no memory for its values");
  }
}

}  // namespace tetrad::jinja
