#include "api/output_format.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "grammar/json_schema.h"

namespace tetrad {
namespace {

using GrammarKind = GrammarSpec::Kind;

OutputFormat made(GrammarKind kind, std::string text, std::string field) {
  OutputFormat format;
  format.spec.kind = kind;
  format.spec.text = std::move(text);
  format.field = std::move(field);
  return format;
}

// JSON that clients give as text or as it is.
ApiResult<std::string> json_text(const Json& value, const std::string& name) {
  if (value.is_object()) return value.dump();
  if (value.is_boolean()) return value.get<bool>() ? std::string("{}") : std::string("false");
  if (!value.is_string()) return bad_field(name, "must be an object");
  return value.get<std::string>();
}

std::string ebnf_literal(const std::string& text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\')
      out += std::string("\\") + c;
    else if (static_cast<unsigned char>(c) < 0x20)
      out += fmt::format("\\x{:02x}", static_cast<unsigned>(c));
    else
      out += c;
  }
  return out + "\"";
}

ApiResult<std::string> choice_grammar(const Json& choices, const std::string& name) {
  if (!choices.is_array() || choices.empty()) return bad_field(name, "must be a list of texts");
  std::string rule = "root ::= ";
  for (std::size_t i = 0; i < choices.size(); ++i) {
    if (!choices[i].is_string() || choices[i].get_ref<const std::string&>().empty())
      return bad_field(name, "must be a list of texts that aren't empty");
    rule += (i > 0 ? " | " : "") + ebnf_literal(choices[i].get<std::string>());
  }
  return rule;
}

// The form with `structures` and `triggers` that SGLang had first becomes today's.
ApiResult<std::string> structural_tag(const Json& value, const std::string& name) {
  if (value.is_string()) return value.get<std::string>();
  if (!value.is_object()) return bad_field(name, "must be an object");
  if (!value.contains("structures"))
    return Json{{"type", "structural_tag"}, {"format", value.value("format", Json())}}.dump();
  const Json structures = value["structures"], triggers = value.value("triggers", Json::array());
  if (!structures.is_array() || !triggers.is_array()) return bad_field(name, "structures and triggers must be lists");
  Json tags = Json::array();
  for (const Json& one : structures) {
    if (!one.is_object()) return bad_field(name + ".structures", "must be a list of objects");
    tags.push_back({{"type", "tag"},
                    {"begin", one.value("begin", Json())},
                    {"content", {{"type", "json_schema"}, {"json_schema", one.value("schema", Json::object())}}},
                    {"end", one.value("end", Json())}});
  }
  const Json format = {{"type", "triggered_tags"}, {"triggers", triggers}, {"tags", std::move(tags)}};
  return Json{{"type", "structural_tag"}, {"format", format}}.dump();
}

ApiResult<std::optional<OutputFormat>> read_response_format(const Fields& body) {
  const Json* format = TETRAD_API_TRY(body.object("response_format"));
  if (format == nullptr) return std::nullopt;
  const std::string name = body.name("response_format");
  const Fields fields(*format, name + ".");
  const std::string type = TETRAD_API_TRY(fields.text("type")).value_or("");
  if (type == "text") return std::nullopt;
  if (type == "json_object") return made(GrammarKind::kJsonObject, "", name);
  if (type == "structural_tag") {
    std::string tag = TETRAD_API_TRY(structural_tag(*format, name));
    return made(GrammarKind::kStructuralTag, std::move(tag), name);
  }
  if (type != "json_schema")
    return bad_field(fields.name("type"),
                     fmt::format("'{}' is not text, json_object, json_schema or structural_tag", printable(type, 40)));
  const Json* holder = TETRAD_API_TRY(fields.object("json_schema"));
  if (holder == nullptr) return bad_field(fields.name("json_schema"), "is missing");
  const Fields its(*holder, fields.name("json_schema."));
  const Json* schema = its.find("schema") != nullptr ? its.find("schema") : its.find("schema_");
  if (schema == nullptr) return bad_field(its.name("schema"), "is missing");
  std::string text = TETRAD_API_TRY(json_text(*schema, its.name("schema")));
  return made(GrammarKind::kJsonSchema, std::move(text), its.name("schema"));
}

// Those given; more than one is refused by the caller.
ApiStatus read_fields(const Fields& fields, const std::string& before, std::vector<OutputFormat>& out) {
  const auto key = [&](const char* name) { return before + name; };
  const auto find = [&](const char* name) -> const Json* {
    const Json* value = fields.find(key(name).c_str());
    return value == nullptr || (value->is_string() && value->get_ref<const std::string&>().empty()) ? nullptr : value;
  };
  const auto add = [&](const char* name, GrammarKind kind, std::string text) {
    out.push_back(made(kind, std::move(text), fields.name(key(name).c_str())));
  };
  for (const char* name : {"json", "json_schema"})
    if (const Json* value = find(name)) {
      std::string text = TETRAD_API_TRY(json_text(*value, fields.name(key(name).c_str())));
      add(name, GrammarKind::kJsonSchema, std::move(text));
    }
  for (const char* name : {"regex", "ebnf", "grammar"})
    if (find(name) != nullptr) {
      const auto text = TETRAD_API_TRY(fields.text(key(name).c_str()));
      add(name, name == std::string_view("regex") ? GrammarKind::kRegex : GrammarKind::kEbnf, text.value_or(""));
    }
  if (const Json* value = find("choice")) {
    std::string text = TETRAD_API_TRY(choice_grammar(*value, fields.name(key("choice").c_str())));
    add("choice", GrammarKind::kEbnf, std::move(text));
  }
  if (find("json_object") != nullptr) {
    const bool wanted = TETRAD_API_TRY(fields.boolean(key("json_object").c_str(), false));
    if (wanted) add("json_object", GrammarKind::kJsonObject, "");
  }
  if (const Json* value = find("structural_tag")) {
    std::string text = TETRAD_API_TRY(structural_tag(*value, fields.name(key("structural_tag").c_str())));
    add("structural_tag", GrammarKind::kStructuralTag, std::move(text));
  }
  return {};
}

// A parameter list that xgrammar writes as MiniMax's XML. Schemas of tools that aren't strict are held to where that is
// possible; clients send many that no grammar can express.
ApiResult<Json> parameters_of(const Json& function, const std::string& field) {
  const Json anything = {{"type", "object"}};
  const Json given = function.value("parameters", anything);
  if (given.empty()) return anything;
  auto schema = prepare_json_schema(given);
  if (schema && schema->is_object()) {
    if (!schema->contains("type")) (*schema)["type"] = "object";
    if (schema->value("type", Json()) == "object") return std::move(*schema);
  }
  if (!function.value("strict", false)) return anything;
  return bad_field(field, schema ? "must describe an object" : schema.error().message);
}

struct CallFormat {
  Json block;    // a whole block of calls
  Json trigger;  // the text a block begins with
};

ApiResult<CallFormat> minimax_calls(const ToolUse& use) {
  Json tags = Json::array();
  for (std::size_t t = 0; t < use.tools->size(); ++t) {
    const Json& function = (*use.tools)[t]["function"];
    const auto name = function["name"].get<std::string>();
    if (!use.name.empty() && name != use.name) continue;
    if (name.find_first_of("\"<>\n") != std::string::npos)
      return bad_field(fmt::format("tools[{}].function.name", t),
                       "can't be called: it holds a quote, bracket or line end");
    Json parameters = TETRAD_API_TRY(parameters_of(function, fmt::format("tools[{}].function.parameters", t)));
    tags.push_back(
        {{"type", "tag"},
         {"begin", "<invoke name=\"" + name + "\">\n"},
         {"content", {{"type", "json_schema"}, {"json_schema", std::move(parameters)}, {"style", "minimax_xml"}}},
         {"end", "</invoke>\n"}});
  }
  const Json calls = {{"type", "tags_with_separator"},
                      {"tags", std::move(tags)},
                      {"separator", ""},
                      {"at_least_one", true},
                      {"stop_after_first", use.single_call || !use.name.empty()}};
  const char* const begin = "<minimax:tool_call>";
  return CallFormat{
      {{"type", "tag"}, {"begin", std::string(begin) + "\n"}, {"content", calls}, {"end", "</minimax:tool_call>"}},
      begin};
}

OutputFormat tag_format(Json format, const std::string& field) {
  OutputFormat tag =
      made(GrammarKind::kStructuralTag, Json{{"type", "structural_tag"}, {"format", std::move(format)}}.dump(), field);
  tag.spec.tags = true;
  return tag;
}

}  // namespace

ApiResult<std::optional<OutputFormat>> read_output_format(const Fields& fields) {
  std::vector<OutputFormat> found;
  if (auto format = TETRAD_API_TRY(read_response_format(fields))) found.push_back(std::move(*format));
  TETRAD_API_TRY(read_fields(fields, "", found));
  TETRAD_API_TRY(read_fields(fields, "guided_", found));
  if (const Json* outputs = TETRAD_API_TRY(fields.object("structured_outputs")))
    TETRAD_API_TRY(read_fields(Fields(*outputs, fields.name("structured_outputs.")), "", found));
  if (found.size() > 1) return bad_field(found[1].field, fmt::format("does not go with {}", found[0].field));
  if (found.empty()) return std::nullopt;
  return std::move(found[0]);
}

ApiResult<std::optional<OutputFormat>> with_tools(std::optional<OutputFormat> format, const ToolUse& use,
                                                  ToolParser parser) {
  const bool forced = use.required || !use.name.empty();
  bool strict = false;
  for (const Json& tool : *use.tools) strict = strict || tool["function"].value("strict", false);
  if (use.tools->empty() || (!forced && !strict && !format)) return format;
  if (parser != ToolParser::kMinimaxM2) {
    if (!forced && !strict) return format;
    return bad_field(forced ? "tool_choice" : "tools", "this server has no tool call parser for the model");
  }
  if (forced && format) return bad_field(format->field, "does not go with a tool_choice that demands a call");
  const auto calls = minimax_calls(use);
  if (!calls) {
    if (!forced && !strict) return format;
    return tl::unexpected(calls.error());
  }
  if (forced) return tag_format(calls->block, "tool_choice");
  if (!format)
    return tag_format({{"type", "triggered_tags"},
                       {"triggers", Json::array({calls->trigger})},
                       {"tags", Json::array({calls->block})}},
                      "tools");
  if (format->spec.kind != GrammarKind::kJsonObject && format->spec.kind != GrammarKind::kJsonSchema) return format;
  const Json given = format->spec.kind == GrammarKind::kJsonObject ? Json{{"type", "object"}}
                                                                   : Json::parse(format->spec.text, nullptr, false);
  auto schema = prepare_json_schema(given);
  if (!schema) return tl::unexpected(from_error(schema.error(), format->field));
  const Json either = {
      {"type", "or"},
      {"elements", Json::array({calls->block, {{"type", "json_schema"}, {"json_schema", std::move(*schema)}}})}};
  return tag_format(either, format->field);
}

ApiStatus constrain(Context& context, const OutputFormat& format, std::int32_t think_end, Plan& plan) {
  const GrammarCompiler* const compiler = TETRAD_API_TRY(context.grammars());
  auto constraints = compiler->compile(format.spec, think_end, plan.requests.size());
  if (!constraints) return tl::unexpected(from_error(constraints.error(), format.field));
  for (std::size_t i = 0; i < plan.requests.size(); ++i) plan.requests[i].constraint = std::move((*constraints)[i]);
  return {};
}

}  // namespace tetrad
